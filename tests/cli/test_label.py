"""`turnout label` over real HTTP: rows asked, judged, written at once, gone on with, never over the budget."""

from __future__ import annotations

import csv
import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.provider import LoopbackProvider
from tests.support.waiting import until
from turnout.cli import main
from turnout.cli.label_models import replaying
from turnout.labelling.journal import Journal
from turnout.labelling.labelled_file import LabelledFile
from turnout.logs.labelled import read_logs
from turnout.settings import Settings

# The loopback provider tells 7 prompt and 4 output tokens a call; prices as in the settings below.
CHEAP_USD = (7 * 1 + 4 * 2) / 1e6
DEAR_USD = (7 * 10 + 4 * 20) / 1e6

CHECKS = """
import time

def right(prompt, answer, row):
    return answer == row["key"]

def broken(prompt, answer, row):
    if "7" in prompt:
        raise ValueError("seven")
    return 0.5

def conversation(prompt, answer, row):
    return isinstance(prompt, list)

def never_seven(prompt, answer, row):
    return None if row["key"] == "7" else 1

def hangs(prompt, answer, row):
    open("hangs", "w").close()
    time.sleep(600)

def wild(prompt, answer, row):
    return 7
"""


@pytest.fixture
def place(tmp_path: Path, provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings, checks, and a log of twelve prompts; the cheap model knows the even ones."""
    toml = """
[tiers.cheap]
models = ["openai/small"]
[tiers.expensive]
models = ["openai/large"]
[retry]
attempts = 2
base_s = 0.001
cap_s = 0.002
[breaker]
reset_s = 0.2
"""
    for model, price in (("small", 1), ("large", 10)):
        toml += f"""
[models."openai/{model}"]
params = {{ api_base = "{provider.base_url}" }}
input_usd_per_million = {price}
output_usd_per_million = {2 * price}
"""
    (tmp_path / "turnout.toml").write_text(toml)
    (tmp_path / "mychecks.py").write_text(CHECKS)
    rows = [{"prompt": f"question {n}", "key": str(n), "group": "even" if n % 2 == 0 else "odd"} for n in range(12)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    provider.says = {"large": lambda body: _number(body), "small": lambda body: str(int(_number(body)) // 2 * 2)}
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def _number(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"].split()[1])


def _label(*more: str, out: str = "out.jsonl", check: str = "mychecks:right") -> int:
    judged = [] if "--judge" in more else ["--check", check]
    return main(["label", "log.jsonl", "-o", out, *judged, "--rate", "6000/minute", "--yes", *more])


def _summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_no_line_of_litellm_s_log_stands_in_the_json(
    place: Path, provider: LoopbackProvider, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever level logging has: litellm writes its lines to standard output."""
    with caplog.at_level(logging.INFO):
        assert _label("--json") == 0
    assert _summary(capsys)


@pytest.mark.parametrize("out", ["out.jsonl", "out.csv"])
def test_a_log_becomes_labelled_logs(
    place: Path, provider: LoopbackProvider, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve rows that train reads: qualities of the check, real costs, group, id, the cheap answer."""
    assert _label("--json", out=out) == 0
    actual = _summary(capsys)
    assert (actual["labelled"], actual["failed"], actual["left"]) == (12, 0, 0)
    assert actual["cost_usd"] == pytest.approx(12 * (CHEAP_USD + DEAR_USD))
    assert provider.calls == {"small": 12, "large": 12}
    logs = read_logs([place / out], strict=True, answers=True)
    assert logs.cheap_models == {"openai/small"}
    assert sorted(logs.gain.tolist()) == [0.0] * 6 + [1.0] * 6
    assert {g for g, gain in zip(logs.groups, logs.gain, strict=True) if gain} == {"odd"}
    assert logs.cheap_usd.tolist() == pytest.approx([CHEAP_USD] * 12)
    assert logs.expensive_usd.tolist() == pytest.approx([DEAR_USD] * 12)
    if out.endswith("jsonl"):
        rows = [json.loads(line) for line in (place / out).read_text().splitlines()]
        assert {row["cheap_answer"] for row in rows} == {str(n) for n in range(0, 12, 2)}
        assert len({row["id"] for row in rows}) == 12


def test_nothing_is_asked_in_a_dry_run_or_without_a_yes(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cost is told first; a pipe cannot be asked, so it needs --yes."""
    assert _label("--dry-run", "--json") == 0
    actual = _summary(capsys)
    assert (actual["to_label"], actual["calls"], actual["labelled"]) == (12, 24, 0)
    assert 0 < actual["estimated_usd"] < actual["worst_usd"]
    assert main(["label", "log.jsonl", "-o", "out.jsonl", "--check", "mychecks:right"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert not provider.calls
    assert not (place / "out.jsonl").exists()


def test_the_budget_is_never_exceeded_even_when_usage_never_comes(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the calls fail after they were perhaps billed; the rows stop where the next worst case does not fit.
    That is the end that was asked for: code 0, and a line that says how to go on."""
    _many(place, 40)
    provider.modes = {"*": "no_choices@0.5"}
    # A row's worst: two tries of both models, some 120 tokens by bytes and 20 of answer each.
    assert _label("--json", "--budget", "0.02", "--max-tokens", "20") == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert 0 < report["labelled"] < 40
    assert report["ended"] == "budget"
    assert report["left"] > 0
    assert f"{report['left']} rows left: the budget is spent; raise --budget and run the same command" in err
    assert report["cost_usd"] <= 0.02
    done = report["labelled"]
    provider.modes = {}
    assert _label("--json", "--max-tokens", "20") == 0
    report = _summary(capsys)
    assert report["already"] == done
    assert len(read_logs([place / "out.jsonl"], strict=True)) == 40


def test_the_budget_is_of_all_runs_together(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers, judging, failed rows: the same command again spends what is left, not the budget anew."""
    provider.says["nobody"] = lambda body: "A: 8, B: 9"
    budget = ("--budget", "1.1", "--max-tokens", "20", "--concurrency", "2")
    assert _judged(place, *budget, "--limit", "2") == 0
    first = _summary(capsys)
    assert (first["labelled"], first["ended"], first["spent_before_usd"]) == (2, "", 0)
    spent = first["cost_usd"]
    assert spent == pytest.approx(2 * (CHEAP_USD + DEAR_USD) + 4 * (7 * 5 + 4 * 6) / 1e6)
    # Nothing readable, yet paid for.
    provider.says["nobody"] = lambda body: "Both are fine."
    assert _label("--judge", "openai/nobody", "--json", *budget, "--limit", "1") == 1
    second = _summary(capsys)
    assert second["spent_before_usd"] == pytest.approx(spent)
    spent += second["cost_usd"]
    assert second["cost_usd"] == pytest.approx(CHEAP_USD + DEAR_USD + 2 * (7 * 5 + 4 * 6) / 1e6)
    calls = sum(provider.calls.values())
    # A budget in which a row's worst would fit, but for what the runs before spent.
    again = ("--judge", "openai/nobody", "--json", "--max-tokens", "20", "--limit", "1")
    assert _label(*again, "--dry-run") == 0
    worst = _summary(capsys)["worst_usd"]
    assert _label(*again, "--budget", f"{worst + spent / 2:.6f}") == 1
    assert _summary(capsys)["ended"] == "budget"
    assert sum(provider.calls.values()) == calls
    # An account that is gone: what stands in the rows still counts.
    (place / "out.jsonl.account").unlink()
    assert _label("--judge", "openai/nobody", "--json", "--dry-run") == 0
    assert _summary(capsys)["spent_before_usd"] == pytest.approx(2 * (CHEAP_USD + DEAR_USD))


def test_rows_without_a_bound_on_their_cost_are_told_before_and_left_out_under_a_budget(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can say what an image costs: such rows are neither asked nor called failed."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    row = {"messages": [{"role": "user", "content": [{"type": "text", "text": "question 9"}, image]}], "key": "9"}
    with (place / "log.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    assert _label("--dry-run", "--budget", "1") == 0
    actual = capsys.readouterr().out
    assert "12 rows to label" in actual
    assert "24 calls, 0.24 s at the rate" in actual
    assert "1 rows with images have no bound on their cost and are left out under a budget" in actual
    assert _label("--json", "--budget", "1") == 0
    ended = _summary(capsys)
    assert (ended["labelled"], ended["failed"], ended["left"], ended["unbounded"]) == (12, 0, 0, 1)
    assert _label("--dry-run") == 0
    assert "1 rows to label" in capsys.readouterr().out


def test_a_budget_that_cannot_be_kept_is_refused_before_the_first_call(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too small for one row; of a judge that has no price; of a model whose own parameters have no bound."""
    assert _label("--budget", "0.000001") == 2
    assert "one row may cost up to $" in capsys.readouterr().err
    assert _label("--judge", "openai/nobody-knows", "--budget", "1") == 2
    assert "openai/nobody-knows has no price" in capsys.readouterr().err
    config = place / "turnout.toml"
    config.write_text(config.read_text().replace("params = {", "params = { web_search_options = {},"))
    assert _label("--budget", "1") != 0
    assert "params.web_search_options: what web_search_options can cost" in capsys.readouterr().err
    assert not provider.calls


def test_a_half_written_row_is_cut_off_and_the_rest_gone_on_with(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever killed the last run: whole rows stay, the broken one is written again, no answer bought twice."""
    for out in ("out.jsonl", "out.csv"):
        provider.calls.clear()
        assert _label("--limit", "5", out=out) == 0
        whole = (place / out).read_bytes()
        (place / out).write_bytes(whole[:-9])
        # Looking changes nothing.
        assert _label("--dry-run", out=out) == 0
        assert "half-written" in capsys.readouterr().err
        assert (place / out).read_bytes() == whole[:-9]
        assert _label("--json", out=out) == 0
        captured = capsys.readouterr()
        assert "half-written" in captured.err
        assert json.loads(captured.out[captured.out.index("{") :])["already"] == 4
        assert provider.calls == {"small": 12, "large": 12}
        assert len(read_logs([place / out], strict=True)) == 12


def test_rows_that_fail_are_named_and_lose_nothing(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """A check that raises costs its row; a check of nonsense all rows, with code 1."""
    assert _label("--json", check="mychecks:broken") == 0
    actual = _summary(capsys)
    assert (actual["labelled"], actual["failed"]) == (11, 1)
    assert actual["failures"] == ["log.jsonl:8: the check raised ValueError: seven"]
    assert _label("--json", out="wild.jsonl", check="mychecks:wild") == 1
    assert "a bool or a number in [0, 1]" in _summary(capsys)["failures"][0]


def _many(place: Path, rows: int) -> None:
    (place / "log.jsonl").write_text(
        "".join(json.dumps({"prompt": f"question {n}", "key": str(n)}) + "\n" for n in range(rows))
    )


@pytest.mark.parametrize("mode", ["500", "429:0.3", "reset", "no_choices"])
def test_an_outage_is_waited_out_and_no_answer_bought_twice(
    place: Path, provider: LoopbackProvider, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The expensive model is out for a second in the middle: every row is labelled, for one cheap answer each."""
    _many(place, 60)
    begun: list[bool] = []

    def says(body: dict[str, Any]) -> str:
        # From its twentieth call on, whenever that is.
        if provider.calls["large"] >= 20 and not begun:
            begun.append(True)
            provider.play("large", (1.0, mode), (0.0, "ok"))
        return _number(body)

    provider.says["large"] = says
    assert _label("--json") == 0
    actual = _summary(capsys)
    assert (actual["labelled"], actual["failed"], actual["left"], actual["ended"]) == (60, 0, 0, "")
    assert provider.calls["small"] == 60
    assert provider.calls["large"] > 60


def test_a_provider_that_stays_away_ends_the_work_with_its_cause_and_keeps_what_was_bought(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code 1 when the patience ends; no row counts as failed; the next run buys only what is missing."""
    provider.modes = {"large": "500"}
    assert _label("--json", "--patience", "0.02", "--concurrency", "3") == 1
    actual = _summary(capsys)
    assert (actual["labelled"], actual["failed"], actual["left"], actual["ended"]) == (0, 0, 12, "outage")
    assert "openai/large: provider_error (500): no; out for" in actual["stopped"]
    assert "longer than --patience, 1.2 s" in actual["stopped"]
    bought, failed, spent = provider.calls["small"], provider.calls["large"], actual["cost_usd"]
    assert 0 < bought < 12
    provider.modes = {}
    assert _label("--json") == 0
    actual = _summary(capsys)
    assert actual["labelled"] == 12
    assert provider.calls["small"] == 12
    assert actual["cost_usd"] == pytest.approx(12 * DEAR_USD + (12 - bought) * CHEAP_USD)
    # A 500 tells no usage: each may have been billed, and counts at its worst.
    assert actual["spent_before_usd"] == pytest.approx(spent)
    assert spent > bought * CHEAP_USD + failed * 1024 * 20e-6
    assert len(read_logs([place / "out.jsonl"], strict=True)) == 12


def test_the_settings_say_how_soon_a_model_is_tried_again(place: Path) -> None:
    """The app's own circuits are labelling's; its retries, cache, routing and fallback are not."""
    settings = replaying(Settings.from_toml(place / "turnout.toml"))
    assert (settings.breaker.reset_s, settings.retry.attempts) == (0.2, 1)
    assert (settings.cache.enabled, settings.fallback.other_tier) == (False, "none")


@pytest.mark.parametrize("mode", ["hang", "drip", "hang_between"])
def test_a_provider_that_never_answers_ends_by_its_timeout(
    place: Path, provider: LoopbackProvider, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named as what it is; a run that hangs would hang this test."""
    settings = (place / "turnout.toml").read_text().replace("input_usd", "timeout_s = 0.3\ninput_usd")
    (place / "turnout.toml").write_text(settings)
    provider.modes = {"small": mode}
    assert _label("--json", "--patience", "0.02") == 1
    actual = _summary(capsys)
    assert actual["ended"] == "outage"
    assert re.search(r"openai/small gave no answer within 0\.[3-9]\d* s", actual["stopped"])
    # It may have been billed: some 120 bytes and 1024 tokens of answer, each time.
    assert actual["cost_usd"] >= 0.002 * provider.calls["small"]


@pytest.mark.parametrize(("mode", "check"), [("401", "its key (api_key_env)"), ("404", "its name, and its address")])
def test_a_refused_key_or_name_ends_the_work_at_once(
    place: Path, provider: LoopbackProvider, mode: str, check: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No patience for what nobody mends by waiting: one call, and the cause with what to look at."""
    provider.modes = {"large": mode}
    assert _label("--json", "--concurrency", "1") == 1
    actual = _summary(capsys)
    assert (actual["ended"], actual["failed"], actual["left"]) == ("refused", 0, 12)
    assert actual["stopped"].startswith(f"openai/large refuses us ({mode}): check {check}")
    assert actual["stopped"].endswith("it said: no")
    assert provider.calls == {"small": 1, "large": 1}


def test_one_row_that_its_provider_never_answers_costs_no_other_row(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tried again after the others, then named as failed, its cheap answer kept; one row at a time, too."""

    def says(body: dict[str, Any]) -> str:
        if _number(body) == "3":
            raise BrokenPipeError
        return _number(body)

    provider.says["large"] = says
    assert _label("--json", "--concurrency", "1") == 0
    actual = _summary(capsys)
    assert (actual["labelled"], actual["failed"], actual["left"]) == (11, 1, 0)
    assert "log.jsonl:4: openai/large: " in actual["failures"][0]
    assert "while other rows were answered" in actual["failures"][0]
    assert provider.calls["small"] == 12


def test_a_judge_is_asked_in_both_orders(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """A judge that always favours the first place tells both tiers the same; one that knows, the truth."""
    provider.says["nobody"] = lambda body: "I like the first.\n**A: 9/10**, B: 3"
    assert _judged(place) == 0
    assert _summary(capsys)["calls"] == 48
    assert provider.calls["nobody"] == 24
    rows = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert {(row["cheap_quality"], row["expensive_quality"]) for row in rows} == {(0.6, 0.6)}


def test_a_judge_that_says_nothing_readable_fails_the_row(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked once more, then the row is named."""
    _many(place, 1)
    provider.says["nobody"] = lambda body: "Both are fine."
    assert _judged(place, "--limit", "1") == 1
    assert "verdict cannot be read: 'Both are fine.'" in _summary(capsys)["failures"][0]
    assert provider.calls["nobody"] == 2
    # Another day it says something: it is asked anew, the tiers are not.
    provider.says["nobody"] = lambda body: "A: 8, B: 9"
    assert _label("--judge", "openai/nobody", "--json", "--limit", "1") == 0
    assert provider.calls == {"small": 1, "large": 1, "nobody": 4}


def test_a_judge_of_no_tier_has_its_own_address_and_price(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its calls are counted at its price; for the app itself it is a model that is reached by its name alone."""
    provider.says["nobody"] = lambda body: "A: 8, B: 9"
    assert _judged(place, "--budget", "20") == 0
    actual = _summary(capsys)
    judged = 24 * (7 * 5 + 4 * 6) / 1e6
    assert actual["cost_usd"] == pytest.approx(12 * (CHEAP_USD + DEAR_USD) + judged)
    assert main(["check", "--config", "turnout.toml"]) == 0


def test_an_outage_of_the_judge_buys_no_grade_twice(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first verdict is kept while the second is waited for, within a run and over the end of one."""
    verdicts: list[int] = []

    def says(body: dict[str, Any]) -> str:
        verdicts.append(len(verdicts))
        provider.modes["nobody"] = "500"
        return "A: 8, B: 9"

    provider.says["nobody"] = says
    # One at a time: of two, the next may be under way before the outage.
    assert _judged(place, "--limit", "2", "--concurrency", "1", "--patience", "0.02") == 1
    assert _summary(capsys)["ended"] == "outage"
    assert len(verdicts) == 1
    provider.modes.clear()
    provider.says["nobody"] = lambda body: verdicts.append(0) or "A: 8, B: 9"  # type: ignore[func-returns-value]
    assert _label("--judge", "openai/nobody", "--json", "--limit", "2") == 0
    assert len(verdicts) == 4
    assert (provider.calls["small"], provider.calls["large"]) == (2, 2)


def _judged(place: Path, *more: str) -> int:
    settings = (place / "turnout.toml").read_text()
    base = settings.split('api_base = "')[1].split('"')[0]
    settings += f'''
[models."openai/nobody"]
params = {{ api_base = "{base}" }}
input_usd_per_million = 5
output_usd_per_million = 6
'''
    (place / "turnout.toml").write_text(settings)
    return _label("--judge", "openai/nobody", "--json", *more)


def test_turnouts_own_request_log_is_read(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prompts from `[log] content = true`; hits without a prompt are counted, equal prompts asked once."""
    lines = [
        {"id": "a", "cache": "miss_stored", "group": "/ask", "messages": [{"role": "user", "content": "question 3"}]},
        {"id": "b", "cache": "hit", "group": "/ask"},
        {"id": "c", "cache": "off", "group": "/ask", "messages": [{"role": "user", "content": "question 3"}]},
        {"id": "d", "cache": "off", "messages": [{"role": "system", "content": "s"},
                                                 {"role": "user", "content": "question 4"}]},
    ]  # fmt: skip
    (place / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert _label("--json", check="mychecks:conversation") == 0
    actual = _summary(capsys)
    assert (actual["labelled"], actual["without_prompt"], actual["repeated"]) == (2, 1, 1)
    rows = {row["id"]: row for row in map(json.loads, (place / "out.jsonl").read_text().splitlines())}
    assert (rows["a"]["prompt"], rows["a"]["group"], rows["a"]["cheap_quality"]) == ("question 3", "/ask", 0.0)
    assert (rows["d"]["messages"], rows["d"]["cheap_quality"]) == (lines[3]["messages"], 1.0)
    (place / "log.jsonl").write_text(json.dumps(lines[1]))
    assert _label(out="new.jsonl") == 1
    assert "content = true" in capsys.readouterr().err


def test_rows_that_share_an_id_are_all_labelled(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Logs of two sources number their rows alike: the content tells them apart, now and when gone on with."""
    rows = [{"id": "1", "prompt": "question 1", "key": "1"}, {"id": "1", "prompt": "question 4", "key": "4"}]
    (place / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert _label("--json", "--limit", "1") == 0
    assert _summary(capsys)["repeated"] == 0
    assert _label("--json") == 0
    actual = _summary(capsys)
    assert (actual["already"], actual["labelled"]) == (1, 1)
    written = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert [(row["id"], row["prompt"]) for row in written] == [("1", "question 1"), ("1", "question 4")]


def test_the_log_and_other_files_are_never_written_over(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """-o onto the log itself, or onto a file that is no labelled log: refused, not a byte of it changed."""
    log = (place / "log.jsonl").read_bytes().rstrip(b"\n")[:-3]
    (place / "log.jsonl").write_bytes(log)
    assert _label(out="log.jsonl") == 2
    assert "is the log itself" in capsys.readouterr().err
    (place / "other.jsonl").write_bytes(log)
    (place / "other.csv").write_bytes(b'a,b\n1,"2')
    for other in ("other.jsonl", "other.csv"):
        before = (place / other).read_bytes()
        assert _label(out=other) == 1
        assert "name a new file with -o" in capsys.readouterr().err
        assert (place / other).read_bytes() == before
    assert (place / "log.jsonl").read_bytes() == log


def test_one_run_at_a_time_adds_to_a_file(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two would each spend what one budget has left; the second is told so, and asks nothing."""
    with Journal(place / "out.jsonl"):
        assert _label() == 1
        assert "out.jsonl: another run is adding to it" in capsys.readouterr().err
        assert _label("--limit", "1", out="another.jsonl") == 0
    assert provider.calls["small"] == 1
    assert not (place / "out.jsonl.account").exists()
    assert _label() == 0


def test_wrong_use_is_told_before_anything_is_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A check that is not there, a rate that is none, a file that cannot be added to."""
    (place / "folder.csv").mkdir()
    for wrong, actual in (
        (["--check", "mychecks:nothing"], "mychecks:nothing: AttributeError"),
        (["--check", "nothing"], "module:function"),
    ):
        assert main(["label", "log.jsonl", "-o", "o.jsonl", *wrong]) == 2
        assert actual in capsys.readouterr().err
    for out, actual in (
        ("out.parquet", ".jsonl or .csv"),
        (".", ".jsonl or .csv"),
        ("folder.csv", "folder.csv: is a directory"),
        ("nowhere/out.jsonl", "nowhere/out.jsonl: there is no directory nowhere"),
    ):
        assert _label(out=out) == 2
        assert actual in capsys.readouterr().err
    assert main(["label", "log.jsonl", "-o", "o.jsonl", "--check", "mychecks:right", "--rate", "often"]) == 2


def _interruptible(command: list[str]) -> subprocess.Popen[bytes]:
    """Also where the tests were started in the background: a shell lets what it starts there ignore Ctrl-C."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | _path(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_an_interrupt_keeps_every_row_that_was_done(place: Path, provider: LoopbackProvider) -> None:
    """Ctrl-C in a process of its own: code 130, the summary, whole rows only; the next run does the rest."""
    provider.latency_s = 0.1
    command = [sys.executable, "-m", "turnout", "label", "log.jsonl", "-o", "out.jsonl", "--check", "mychecks:right",
               "--rate", "6000/minute", "--concurrency", "1", "--yes", "--json"]  # fmt: skip
    running = _interruptible(command)
    out = place / "out.jsonl"
    until(lambda: out.exists() and out.read_text().count("\n") >= 2)
    running.send_signal(signal.SIGINT)
    actual, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    summary = json.loads(actual)
    rows = len(read_logs([out], strict=True))
    assert 2 <= rows == summary["labelled"] < 12
    assert b"goes on where it ended" in errors
    # The call that was broken off may have been billed: the account says so, at its worst.
    with Journal(out) as journal:
        spent = journal.spent(LabelledFile(out, journal).done)
    assert float(spent) == pytest.approx(summary["cost_usd"] + summary["uncertain_usd"])
    assert summary["uncertain_usd"] > 0
    provider.latency_s = 0.0
    assert _label() == 0
    assert len(read_logs([out], strict=True)) == 12


def test_a_check_that_hangs_keeps_no_run_from_ending(place: Path) -> None:
    """One Ctrl-C is enough, and the summary is told."""
    command = [sys.executable, "-m", "turnout", "label", "log.jsonl", "-o", "out.jsonl", "--check", "mychecks:hangs",
               "--rate", "6000/minute", "--concurrency", "2", "--yes", "--json"]  # fmt: skip
    running = _interruptible(command)
    until((place / "hangs").exists)
    running.send_signal(signal.SIGINT)
    try:
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, err
    assert json.loads(out)["left"] == 12
    assert b"Traceback" not in err


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_an_ended_run_counts_the_call_that_was_under_way_and_keeps_every_answer(
    place: Path, provider: LoopbackProvider, sent: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the middle of a row, without a word or with one: no more than that call's worst is lost of the budget, and
    the answers that were bought are not bought again."""
    provider.modes = {"large": "hang"}
    command = [sys.executable, "-m", "turnout", "label", "log.jsonl", "-o", "out.jsonl", "--check", "mychecks:right",
               "--rate", "6000/minute", "--concurrency", "1", "--yes", "--json"]  # fmt: skip
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | _path())
    until(lambda: provider.calls["large"] > 0)
    running.send_signal(sent)
    out, err = running.communicate(timeout=60)
    # One call of the expensive model: 1024 tokens of answer at most, and some 120 of prompt.
    with Journal(place / "out.jsonl") as journal:
        spent = float(journal.spent({}))
    assert 1024 * 20e-6 + CHEAP_USD < spent < 1200 * 20e-6
    if sent == signal.SIGTERM:
        assert running.returncode == 130, err
        report = json.loads(out)
        assert report["cost_usd"] + report["uncertain_usd"] == pytest.approx(spent)
        assert b"interrupted; the same command goes on where it ended" in err
    provider.modes = {}
    assert _label("--dry-run", "--json") == 0
    plan = _summary(capsys)
    assert plan["calls"] == 23
    assert plan["worst_usd"] == pytest.approx(12 * 1100 * 22e-6 - 1100 * 2e-6, rel=0.05)
    assert _label("--json") == 0
    assert _summary(capsys)["labelled"] == 12
    assert provider.calls == {"small": 12, "large": 13}


def test_a_second_row_of_bad_luck_does_not_block_the_log(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty-five bad rows at the head: the first run stops, the second gets to the good ones and ends well."""
    rows = [{"prompt": f"question {n}", "key": "7" if n < 25 else str(n)} for n in range(35)]
    (place / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert _label("--json", "--concurrency", "1", check="mychecks:never_seven") == 1
    actual = _summary(capsys)
    assert (actual["labelled"], actual["failed"], actual["ended"]) == (0, 20, "failures")
    assert _label("--json", "--concurrency", "1", check="mychecks:never_seven") == 0
    actual = _summary(capsys)
    assert (actual["labelled"], actual["failed"], actual["left"], actual["ended"]) == (10, 25, 0, "")
    assert provider.calls == {"small": 35, "large": 35}
    # Nothing but bad rows is left: it stops again, and another twenty begin each time.
    for _ in range(2):
        assert _label("--json", "--concurrency", "1", check="mychecks:never_seven") == 1
        assert (actual := _summary(capsys))["failed"] == 20
    assert actual["failures"][0].startswith("log.jsonl:16: ")


def test_a_budget_that_is_spent_labels_nothing_and_says_so(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is left for one row is told before, not what there was; code 1, for nothing was labelled."""
    assert _label("--json", "--limit", "3") == 0
    spent = _summary(capsys)["cost_usd"]
    budget = ("--budget", "0.0236")
    assert _label("--dry-run", *budget) == 0
    actual = capsys.readouterr().out
    assert f"earlier runs spent ${spent:.6f} on out.jsonl, which leaves ${0.0236 - spent:.6f} of the budget" in actual
    assert "that is not enough for one row, which may cost up to $0.02" in actual
    assert _label("--json", *budget) == 1
    actual = _summary(capsys)
    assert (actual["labelled"], actual["left"], actual["ended"]) == (0, 9, "budget")
    assert provider.calls["small"] == 3
    assert _label("--json", "--budget", "0.04") == 0


def test_labels_of_other_models_judges_or_lengths_do_not_mix(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused before anything is asked, with what to do."""
    assert _label("--limit", "1") == 0
    for more, check in ((("--max-tokens", "9"), "mychecks:right"), ((), "mychecks:broken")):
        assert _label(*more, check=check) == 2
        assert "name a new file with -o" in capsys.readouterr().err
    settings = (place / "turnout.toml").read_text()
    (place / "turnout.toml").write_text(settings.replace("openai/small", "openai/tiny"))
    assert _label() == 2
    assert "was begun with cheap openai/small, not openai/tiny" in capsys.readouterr().err


def _path() -> dict[str, str]:
    import turnout

    return {"PYTHONPATH": str(Path(turnout.__file__).parents[1])}


def test_a_csv_of_prompts_is_read_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad rows are named by line and left out."""
    with (place / "log.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["prompt", "key"], ["question 1", "1"], ["", "2"], ["question 4", "4"]])
    assert main(["label", "log.csv", "-o", "out.jsonl", "--check", "mychecks:right", "--rate", "100/s", "--yes"]) == 0
    captured = capsys.readouterr()
    assert "log.csv:3: prompt is empty" in captured.err
    assert "2 rows labelled, 0 failed, 0 left" in captured.out


def test_what_a_log_holds_already_is_not_paid_for_again(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer of the very model that would be asked, also a conversation's last one; a quality of one side."""
    asked = [{"role": "user", "content": "question 4"}]
    rows = [
        # The cheap model's answer, at the end of the conversation: graded, not asked for.
        {"model": "small", "messages": [*asked, {"role": "assistant", "content": "4"}], "key": "4"},
        # Another model's: of no use, and no part of the question.
        {"model": "other", "messages": [{"role": "user", "content": "question 5"},
                                        {"role": "assistant", "content": "wrong"}], "key": "5"},
    ]  # fmt: skip
    (place / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert _label("--json") == 0
    assert dict(provider.calls) == {"small": 1, "large": 2}
    assert _summary(capsys)["calls"] == 3
    labelled = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    figures = {row["prompt"]: (row["cheap_answer"], row["cheap_quality"], row["expensive_quality"]) for row in labelled}
    assert figures == {"question 4": ("4", 1.0, 1.0), "question 5": ("4", 0.0, 1.0)}


@pytest.mark.parametrize(("judge", "calls"), [((), {"large": 1}), (("--judge", "openai/large"), {"large": 2})])
def test_a_known_quality_leaves_one_side_to_be_asked_and_graded(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str], judge: tuple[str, ...], calls: Any
) -> None:
    """A thumb says how good the cheap answer was: only the other one is asked for, and graded alone, once."""
    (place / "log.jsonl").write_text(json.dumps({"prompt": "question 4", "cheap_quality": 0.5, "key": "4"}) + "\n")
    provider.says["large"] = lambda body: "A: 10" if "answer_a" in str(body) else _number(body)
    assert _label("--json", *judge) == 0
    assert dict(provider.calls) == calls
    assert _summary(capsys)["calls"] == sum(calls.values())
    row = json.loads((place / "out.jsonl").read_text())
    assert (row["cheap_quality"], row["expensive_quality"]) == (0.5, 1.0)


def test_a_row_that_the_log_labels_whole_costs_nothing(
    place: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is taken over; what its answers cost once is not of this budget."""
    row = {"prompt": "question 4", "cheap_quality": 0.5, "expensive_quality": 1, "cheap_usd": 3, "expensive_usd": 4}
    (place / "log.jsonl").write_text(json.dumps(row) + "\n")
    assert _label("--json", "--budget", "1") == 0
    assert not provider.calls
    assert _label("--json", "--budget", "1") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["spent_before_usd"] == 0
    assert json.loads((place / "out.jsonl").read_text())["expensive_usd"] == 4
