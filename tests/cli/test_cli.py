"""The commands: what they print, write and return."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.routing.test_scorer import logs
from turnout.cli import main
from turnout.cli.train import aligned

pytestmark = pytest.mark.usefixtures("light")

KEYS = {
    "rows", "apgr", "cpt50", "cpt80", "auc", "brier", "score_us_p50", "score_us_p99",
    "keep95_expensive_share", "keep95_quality", "keep95_saving", "groups",
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Labelled logs of 120 rows in two groups."""
    path = tmp_path / "logs.csv"
    actual = logs(120)
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["prompt", "cheap_quality", "expensive_quality", "group"])
        for query, cheap, dear in zip(actual.queries, actual.cheap, actual.expensive, strict=True):
            writer.writerow([query.messages[0]["content"], cheap, dear, query.tag])
    return path


def test_train_evaluate_and_score(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One writes exactly its file, the others read it; with --json standard output holds only the JSON."""
    scorer = tmp_path / "my.scorer"
    assert main(["train", str(file), "-o", str(scorer), "--plot", str(tmp_path / "c.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 120
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.png", "logs.csv", "my.scorer"]
    for more in (["--scorer", str(scorer)], ["--scorer", "default"]):
        assert main(["evaluate", str(file), "--json", *more]) == 0
        report = json.loads(capsys.readouterr().out)
        assert set(report) >= KEYS
        assert set(report["groups"]) == {"shop", "school"}
    assert main(["score", "Please add 1 and 2", "--scorer", str(scorer), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["tier"] == "cheap"
    assert len(report["reasons"]) == 5
    assert all(reason.startswith("towards ") for reason in report["reasons"])
    assert 0.0 <= report["novelty"] <= 1.0
    assert main(["score", "Please add 1 and 2"]) == 0
    assert "default scorer" in capsys.readouterr().out


def test_score_says_when_a_text_is_unlike_the_logs(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its tier is what its group's mean makes of it, else the middle; the text's own score stands beside."""
    scorer = tmp_path / "s"
    assert main(["train", str(file), "-o", str(scorer)]) == 0
    capsys.readouterr()
    german = ["score", "Schreiben Sie bitte einen Brief an das Amt", "--scorer", str(scorer)]
    assert main([*german, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["novel"], report["score"]) == (True, 0.5)
    assert report["text_score"] != 0.5
    assert report["tier"] == ("expensive" if report["threshold"] <= 0.5 else "cheap")
    assert main(german) == 0
    assert "unlike the training logs" in capsys.readouterr().out
    assert main(["score", "Please add 1 and 2 and 3", "--scorer", str(scorer)]) == 0
    assert "unlike" not in capsys.readouterr().out


def test_a_system_prompt_is_a_tag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the logs hold system prompts and no groups, the same text scores by the one that it is sent with."""
    logs, rows = tmp_path / "logs.jsonl", []
    for at in range(80):
        system, cheap = (("You check contracts.", 0), ("You greet people.", 1))[at % 2]
        messages = [{"role": "system", "content": system}, {"role": "user", "content": f"Look at number {at}"}]
        rows.append(json.dumps({"messages": messages, "cheap_quality": cheap, "expensive_quality": 1}))
    logs.write_text("\n".join(rows))
    assert main(["train", str(logs), "-o", str(tmp_path / "s")]) == 0
    results = []
    for system in ("You check contracts.", "You greet people."):
        capsys.readouterr()
        argv = ["score", "Look at number 500", "--scorer", str(tmp_path / "s"), "--system", system, "--json"]
        assert main(argv) == 0
        results.append(json.loads(capsys.readouterr().out)["score"])
    assert results[0] > 0.5 > results[1]


def test_train_tells_what_each_wish_gives(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table on standard output, doubts on standard error, the picture a PNG; no bar in a pipe."""
    assert main(["train", str(file), "-o", str(tmp_path / "s"), "--plot", str(tmp_path / "p.png")]) == 0
    captured = capsys.readouterr()
    for target in ("keep_quality = 0.9 ", "keep_quality = 0.99", "max_expensive_share = 0.3"):
        assert target in captured.out
    assert "120 rows are few" in captured.err
    assert "\x1b" not in captured.err + captured.out
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert main(["train", str(file), "-o", str(tmp_path / "s"), "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)["expected"]
    assert [line.get("keep_quality") for line in lines] == [0.9, 0.95, 0.97, 0.99, None, None, None]
    assert all(set(line) >= {"expensive_share", "quality_kept", "gap_recovered", "intervals"} for line in lines)


def test_wrong_use_and_failed_work_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """2 for wrong use, 1 for work that failed, each with a message and no traceback."""
    for arguments in (["nonsense"], ["train"], []):
        assert main(arguments) == 2
    assert main(["train", str(tmp_path / "none.csv"), "-o", str(tmp_path / "x")]) == 1
    assert "none.csv" in capsys.readouterr().err
    assert main(["check", "--config", str(tmp_path / "none.toml")]) == 1


def test_check_says_what_the_settings_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiers, the wish, the cache."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    config = tmp_path / "turnout.toml"
    config.write_text('[tiers.cheap]\nmodels = ["openai/a"]\n[tiers.expensive]\nmodels = ["openai/b"]\n'
                      "[routing]\nthreshold = 0.4\n")  # fmt: skip
    assert main(["check", "--config", str(config)]) == 0
    actual = capsys.readouterr().out
    assert "openai/a" in actual
    assert "threshold = 0.4" in actual


def test_check_says_what_a_wish_for_quality_means_with_this_scorer(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From whatever folder it is asked: the scorer's path is relative to the settings file."""
    folder = tmp_path / "app"
    folder.mkdir()
    assert main(["train", str(file), "-o", str(folder / "s.turnout"), "--embedding", "none"]) == 0
    models = '[tiers.cheap]\nmodels = ["openai/a"]\n[tiers.expensive]\nmodels = ["openai/b"]\n'
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    for target, words in ((0.9, "go to the expensive tier: "), (0.01, "nothing goes to"), (1.0, "to the expensive")):
        config = folder / "turnout.toml"
        config.write_text(f'{models}[routing]\nscorer = "s.turnout"\nkeep_quality = {target}\n')
        capsys.readouterr()
        assert main(["check", "--config", "app/turnout.toml"]) == 0
        told = capsys.readouterr().out
        assert words in told
        assert "s.turnout, trained on 120 rows, on " in told
        assert "groups school, shop" in told
    config.write_text(f'{models}[routing]\nscorer = "gone.turnout"\n')
    assert main(["check", "--config", "app/turnout.toml"]) == 1
    assert "app/gone.turnout: no such file" in capsys.readouterr().err


def test_two_scorers_are_compared_on_the_same_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both sets of figures, and what lies between them; the table fits 80 columns."""
    file, scorer = tmp_path / "logs.csv", str(tmp_path / "s")
    file.write_text("prompt,cheap_quality,expensive_quality\n" + "".join(f"p {n},{n % 2},1\n" for n in range(100)))
    assert main(["train", str(file), "-o", scorer, "--embedding", "none"]) == 0
    capsys.readouterr()
    both = ["evaluate", str(file), "--scorer", "default", "--scorer", scorer]
    assert main([*both, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    first, second = report["scorers"]
    assert (first["scorer"], second["scorer"]) == ("default", scorer)
    assert report["paired"]["apgr"] == pytest.approx(second["apgr"] - first["apgr"])
    assert set(report["paired"]["intervals"]) == {"apgr", "keep95_quality"}
    assert isinstance(report["warnings"], list)
    assert main(both) == 0
    assert max(map(len, capsys.readouterr().out.replace(scorer, "s").splitlines())) <= 80
    assert main([*both, "--scorer", scorer]) == 2


def test_a_report_is_one_page_and_overwrites_its_like_alone(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures, curve and groups, with nothing loaded from elsewhere."""
    page = tmp_path / "report.html"
    for _ in range(2):
        assert main(["evaluate", str(file), "--scorer", "default", "--report", str(page)]) == 0
    text = page.read_text("utf-8")
    assert "APGR" in text
    assert "<svg" in text
    assert "shop" in text
    assert "On these 120 requests <code>max_expensive_share = 0.3</code> sends" in text
    assert "<code>keep_quality" not in text, "which the default scorer cannot promise"
    for loading in ("src=", "href=", "url(", "@import", "<script", "http"):
        assert loading not in text
    capsys.readouterr()
    page.write_text("<html>mine")
    assert main(["evaluate", str(file), "--scorer", "default", "--report", str(page)]) == 2
    assert "not a report that turnout wrote" in capsys.readouterr().err
    assert main(["evaluate", str(file), "--report", str(tmp_path / "r.pdf")]) == 2


def test_the_columns_of_the_targets_never_touch() -> None:
    """Whatever stands in them; within 80 columns, and wider apart where there is room."""
    row = ("max_expensive_share = 0.1", "100 (100-100)", "100 (100-100)", "100 (100-100)", "0.1 (0-1)")
    (line,) = aligned([row])
    assert line.split(" ", 3)[3].split() == " ".join(row[1:]).split()
    assert len(line) <= 80
    assert aligned([("a", "b"), ("cc", "d")]) == ["a   b", "cc  d"]
