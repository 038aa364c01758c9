"""A row's weight says what it counts for: twice the weight is twice the row, wherever rows are counted."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnout.cli import main
from turnout.logs.labelled import Logs
from turnout.testing import FixedScorer
from turnout.training import evaluate

pytestmark = pytest.mark.usefixtures("light")

# What differs though nothing is wrong: how many rows there are, what was timed, and what is drawn by chance.
OTHERWISE = {"rows", "rows_read", "skipped", "warnings", "groups", "intervals", "apgr_standard_error", "brier",
             "score_us_p50", "score_us_p99"}  # fmt: skip


def rows(scale: float = 1.0) -> list[dict[str, Any]]:
    """Their weights are 0 to 3 times this, and hang together with what they gain. No two score alike."""
    rng = random.Random(6)
    results = []
    for at in range(120):
        hard = rng.random()
        results.append({
            "prompt": f"#{at:03}", "group": "ab"[at % 2], "weight": scale * (at % 4),
            "cheap_quality": float(rng.random() > hard), "expensive_quality": 0.7 + 0.3 * rng.random(),
            "cheap_usd": 0.001 * (1 + rng.random()), "expensive_usd": 0.01 * (1 + rng.random() + at % 4),
            "hard": hard,
        })  # fmt: skip
    return results


def repeated() -> list[dict[str, Any]]:
    """Each as often as its weight says."""
    return [{**row, "weight": 1.0} for row in rows() for _ in range(int(row["weight"]))]


def report(value: list[dict[str, Any]]) -> dict[str, Any]:
    scorer = FixedScorer(scores={row["prompt"]: row["hard"] for row in value})
    logs = Logs.from_rows(value)
    return evaluate.report(logs, evaluate.with_scorer(logs, scorer))


def figures(given_value: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in given_value.items() if name not in OTHERWISE}


def test_a_row_of_twice_the_weight_is_two_rows_in_every_figure() -> None:
    """APGR, CPT, what is kept and saved at the threshold, AIQ, AUC; whole and by group. A row of weight 0 is none."""
    weighed, counted = report(rows()), report(repeated())
    assert {"apgr", "cpt50", "cpt80", "keep95_quality", "keep95_saving_usd", "aiq", "auc"} <= set(figures(weighed))
    assert figures(weighed) == pytest.approx(figures(counted), abs=1e-9)
    for group in "ab":
        assert figures(weighed["groups"][group]) == pytest.approx(figures(counted["groups"][group]), abs=1e-9)
    bare = report([{**row, "weight": 1.0} for row in rows()])
    assert abs(weighed["apgr"] - bare["apgr"]) > 0.01


def test_weights_are_told_in_any_unit() -> None:
    """A thousandth of each is the same logs, to the intervals."""
    whole, small = report(rows()), report(rows(1e-3))
    for name in ("apgr", "keep95_quality", "keep95_saving", "aiq", "brier"):
        assert small[name] == pytest.approx(whole[name])
        assert small["intervals"].get(name) == pytest.approx(whole["intervals"].get(name))
    assert whole["intervals"]["apgr"]


def test_a_group_that_counts_nothing_is_told_without_how_sure_it_is() -> None:
    """Rather than divided by nothing."""
    actual = report([{**row, "weight": float(row["group"] == "a")} for row in rows()])["groups"]["b"]
    assert actual["rows"] == 60
    assert (actual["intervals"], actual["auc"], actual["brier"], actual["novel_share"]) == ({}, None, None, None)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cheap tier fails at long sums; as many rows that count next to nothing say the opposite."""
    path, rng = tmp_path_factory.mktemp("weights") / "logs.csv", random.Random(8)
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["prompt", "cheap_quality", "expensive_quality", "weight"])
        for at in range(120):
            count, real = rng.randint(2, 9), at % 2
            fails = (count > 5) == real
            prompt = "Please add " + " and ".join(str(rng.randint(1, 99)) for _ in range(count))
            writer.writerow([prompt, int(not fails), 1, 1 if real else 1e-9])
    return path


def test_training_hears_weights_and_so_does_its_table(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the calls recover nearly all of the gap, which by the rows themselves would be a toss."""
    assert main(["train", str(file), "-o", str(tmp_path / "s"), "--embedding", "none", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    with file.open() as lines:
        quality = np.mean([float(row["cheap_quality"]) for row in csv.DictReader(lines) if row["weight"] == "1"])
    assert report["rows"] == 120
    assert report["scorer"]["cheap_quality"] == pytest.approx(quality)
    (half,) = [line for line in report["expected"] if line.get("max_expensive_share") == 0.5]
    assert half["gap_recovered"] > 0.85


def test_cross_validation_trains_on_what_counts(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And asks what counts; no row is asked of a scorer that was trained on it, and none is said to be."""
    assert main(["evaluate", str(file), "--embedding", "none", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["rows_read"]) == (120, 120)
    assert report["apgr"] > 0.65
    assert report["trained_on_share"] is None
    assert not any("trained on" in words for words in report["warnings"])
