"""`turnout train --cascade` and `turnout evaluate` of its file: what is written, printed and refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cascade_logs import paired, rows, trained
from turnout.cli import main
from turnout.routing.scorer import load_scorer

pytestmark = pytest.mark.usefixtures("light")

KEYS = {"apgr", "apgr_question", "paired_low", "paired_high", "cost_at_97", "two_calls_share", "verify_us_p50",
        "verify_us_p99", "refused"}  # fmt: skip


def written(path: Path, made: list[dict[str, Any]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, made[0].keys())
        writer.writeheader()
        writer.writerows(made)
    return str(path)


@pytest.mark.parametrize("telling", [True, False])
def test_train_and_evaluate(telling: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is written either way, exit 0; where it is refused, the question's figures are what is served."""
    logs, aside = (written(tmp_path / f"{seed}.csv", rows(120, telling=telling, seed=seed)) for seed in (3, 4))
    file = str(tmp_path / "s.turnout")
    assert (
        main(["train", "--cascade", logs, "-o", file, "--cheap", "openai/gpt-4o-mini", "--embedding", "none", "--json"])
        == 0
    )
    summary = json.loads(capsys.readouterr().out)["cascade"]
    assert bool(summary["refused"]) != telling
    verifier = load_scorer(file).verifier
    assert verifier is not None
    assert verifier.cheap_model == "openai/gpt-4o-mini"
    assert main(["evaluate", aside, "--scorer", file, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) >= KEYS
    assert report["second"] is None
    assert (report["refused"] is None) == telling
    assert report["apgr"] == pytest.approx(report["apgr_verified" if telling else "apgr_question"])
    assert report["two_calls_share"] + 1 / 16.7 == pytest.approx(report["cost_at_97"])
    picture = tmp_path / "e.svg"
    assert main(["evaluate", aside, "--scorer", file, "--plot", str(picture)]) == 0
    # The share of expensive calls, the gains, and the cascade's cost.
    assert [f'id="axes_{number}"' in picture.read_text() for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert ("refused" in capsys.readouterr().out) != telling


def test_a_second_answer_is_told_of_where_rows_hold_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By training and by evaluation: what agreement adds on those rows, at two cheap calls each."""
    logs, aside = (written(tmp_path / f"{seed}.csv", paired(rows(120, seed=seed), seed + 2)) for seed in (3, 4))
    file = str(tmp_path / "s.turnout")
    assert main(["train", "--cascade", logs, "-o", file, "--embedding", "none"]) == 0
    assert "a second cheap answer agrees" in capsys.readouterr().out
    assert main(["evaluate", aside, "--scorer", file, "--json"]) == 0
    second = json.loads(capsys.readouterr().out)["second"]
    assert second["rows"] == 120
    assert second["agreeing"] > 0.5
    assert second["apgr"] > second["apgr_first_alone"]
    assert second["cost_at_97"] > 2 / 16.7
    assert main(["evaluate", aside, "--scorer", file]) == 0
    assert "a second cheap answer agrees" in capsys.readouterr().out


def test_the_column_says_whose_answers_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One model; of several no verifier can be trained."""
    made = [{**row, "cheap_model": "openai/gpt-4o-mini"} for row in rows(80)]
    file = str(tmp_path / "s.turnout")
    assert main(["train", "--cascade", written(tmp_path / "l.csv", made), "-o", file, "--embedding", "none"]) == 0
    assert "it adds" in capsys.readouterr().out
    verifier = load_scorer(file).verifier
    assert verifier is not None
    assert verifier.cheap_model == "openai/gpt-4o-mini"
    made[0]["cheap_model"] = "other/model"
    assert main(["train", "--cascade", written(tmp_path / "l.csv", made), "-o", file]) == 1
    assert "several cheap models" in capsys.readouterr().err


def test_rows_without_an_answer_are_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where none holds one, the question alone is evaluated; answers of another model than is told are refused."""
    file = tmp_path / "s.turnout"
    trained().fitted.save(file)
    made = rows(40)
    some = written(
        tmp_path / "some.csv", [{**row, "cheap_answer": ""} if at < 3 else row for at, row in enumerate(made)]
    )
    none = written(tmp_path / "none.csv", [{**row, "cheap_answer": ""} for row in made])
    assert main(["evaluate", some, "--scorer", str(file), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["rows"] == 37
    assert "3 of 40 rows hold no cheap_answer" in " ".join(told.err.split())
    assert main(["evaluate", none, "--scorer", str(file), "--json"]) == 0
    told = capsys.readouterr()
    assert "refused" not in json.loads(told.out)
    assert "by the question alone" in " ".join(told.err.split())
    named = written(tmp_path / "named.csv", [{**row, "cheap_model": "openai/gpt-4o-mini"} for row in rows(120)])
    command = ["train", "--cascade", named, "-o", str(tmp_path / "t.turnout"), "--cheap", "openai/other"]
    assert main(command) == 1
    assert "not of openai/other" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("mode", ["off", "shadow", "on"])
def test_check_tells_what_becomes_of_the_cheap_answers(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside what the routing target means for the questions."""
    trained().fitted.save(tmp_path / "s.turnout")
    config = tmp_path / "turnout.toml"
    config.write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        f'[routing]\nscorer = "s.turnout"\nkeep_quality = 0.9\n[routing.cascade]\nmode = "{mode}"\n'
    )
    main(["check", "--config", str(config)])
    told = " ".join(capsys.readouterr().out.split())
    assert ("asked again of the expensive tier" in told) == (mode == "on")
    assert ("what is thought of them is told" in told) == (mode == "shadow")


def test_a_cascade_that_does_not_pay_on_the_rows_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though it was accepted when it was trained."""
    file = tmp_path / "s.turnout"
    trained().fitted.save(file)
    logs = written(tmp_path / "l.csv", rows(120, seed=4))
    for ratio, pays in (("16.7", True), ("1.1", False)):
        assert main(["evaluate", logs, "--scorer", str(file), "--json", "--price-ratio", ratio]) == 0
        warnings = json.loads(capsys.readouterr().out)["warnings"]
        assert any("cascade" in warning for warning in warnings) != pays


@pytest.mark.parametrize("ratio", ["0.5", "nan", "inf", "x", "-1"])
def test_a_price_ratio_is_a_number_of_at_least_one(ratio: str, tmp_path: Path) -> None:
    """Wrong use, exit 2, before anything is read."""
    assert main(["train", "--cascade", "none.csv", "-o", str(tmp_path / "s"), "--price-ratio", ratio]) == 2


def test_logs_without_answers_say_what_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1, no file."""
    made = [{key: value for key, value in row.items() if key != "cheap_answer"} for row in rows(80)]
    file = tmp_path / "s.turnout"
    assert main(["train", "--cascade", written(tmp_path / "l.csv", made), "-o", str(file)]) == 1
    assert "turnout label" in capsys.readouterr().err
    assert not file.exists()
    assert main(["train", written(tmp_path / "l.csv", made), "-o", str(file), "--price-ratio", "5"]) == 2
