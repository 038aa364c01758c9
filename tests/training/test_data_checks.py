"""What makes one doubt the logs: the same words whether they train or are evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.routing.test_scorer import logs
from turnout.cli import main
from turnout.logs.labelled import Logs
from turnout.testing import FixedScorer
from turnout.training import evaluate, fit
from turnout.training.data_checks import data_checks

pytestmark = pytest.mark.usefixtures("light")


def swapped() -> Logs:
    """Of qualities and of costs."""
    good = logs(200)
    return Logs(good.queries, good.expensive, good.cheap, np.full(200, 5.0), np.full(200, 1.0))


def costly(value: Callable[[int], bool]) -> Logs:
    """Costs in the rows that are told so."""
    good = logs(200)
    have = np.array([value(row) for row in range(200)])
    return replace(good, cheap_usd=np.where(have, 0.001, np.nan), expensive_usd=np.where(have, 0.01, np.nan))


def reported(value: Logs) -> list[str]:
    report = evaluate.report(value, evaluate.with_scorer(value, FixedScorer(scores={})))
    warnings: list[str] = report["warnings"]
    return warnings


def test_swapped_columns_are_suspected() -> None:
    """Of qualities and of costs; good logs are not doubted."""
    actual = data_checks(swapped())
    assert "quality columns swapped" in actual[0]
    assert "cost columns swapped" in actual[1]
    assert data_checks(logs(200)) == []


@pytest.mark.parametrize("made", [swapped, lambda: costly(lambda row: row != 7)])
def test_training_and_evaluating_doubt_in_the_same_words(made: Callable[[], Logs]) -> None:
    """That rows are few among them."""
    actual = made()
    assert data_checks(actual)
    assert reported(actual) == data_checks(actual) == list(fit.train(actual).warnings)
    few = actual.part(range(100))
    assert reported(few) == data_checks(few) == list(fit.train(few).warnings)
    assert "100 rows are few" in data_checks(few)[-1]


def test_costs_of_some_rows_alone_are_a_doubt() -> None:
    """One missing in two hundred switches off what costs are for: that is said, and of how many rows."""
    one = data_checks(costly(lambda row: row != 7))
    assert len(one) == 1
    assert one[0].startswith("1 of 200 rows misses a cost: ")
    for off in ("saved", "AIQ", "ranking by cost"):
        assert off in one[0]
    assert data_checks(costly(lambda row: row < 50))[0].startswith("150 of 200 rows miss a cost: ")
    assert data_checks(costly(lambda row: True)) == data_checks(costly(lambda row: False)) == []
    cheap_alone = replace(costly(lambda row: True), expensive_usd=np.full(200, np.nan))
    assert data_checks(cheap_alone)[0].startswith("200 of 200 rows miss a cost")


def test_a_gap_that_may_be_luck_is_a_doubt() -> None:
    """Around 0, at 0, and in a single row; a gap that every row shows is none."""
    none = np.zeros(200)
    toss = np.arange(200) % 2.0
    good = logs(200)
    for cheap, dear in ((toss, toss[::-1]), (none, none), (toss, np.roll(toss, 1) * 1.01)):
        assert "too small to promise" in data_checks(replace(good, cheap=cheap, expensive=dear))[0]
    assert "too small to promise" in data_checks(replace(good, cheap=none, expensive=none + 1).part([0]))[0]
    assert data_checks(replace(good, cheap=none, expensive=none + 1)) == []
    assert "swapped" in data_checks(replace(good, cheap=none + 1, expensive=none))[0]


def test_the_gap_is_weighed_as_the_figures_are() -> None:
    """Rows that count a hundred times more turn it over, and are fewer than they look."""
    good = logs(200)
    cheap, dear = np.where(np.arange(200) < 20, 1.0, 0.0), np.where(np.arange(200) < 20, 0.0, 1.0)
    even = replace(good, cheap=cheap, expensive=dear)
    assert data_checks(even) == []
    assert "swapped" in data_checks(replace(even, weights=np.where(np.arange(200) < 20, 100.0, 1.0)))[0]
    assert "too small" in data_checks(replace(even, weights=np.where(np.arange(200) == 0, 100.0, 1.0)))[0]


def test_the_commands_tell_of_a_missing_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error and in the JSON of both."""
    path = tmp_path / "logs.csv"
    rows = [f"{'add ' * (row % 7)}{row},{int(row % 7 < 3)},1,0.001,{'' if row == 5 else 0.01}" for row in range(80)]
    path.write_text("\n".join(["prompt,cheap_quality,expensive_quality,cheap_usd,expensive_usd", *rows]))
    for argv in (["train", str(path), "-o", str(tmp_path / "s")], ["evaluate", str(path), "--scorer", "default"]):
        assert main([*argv, "--json"]) == 0
        captured = capsys.readouterr()
        assert "warning: 1 of 80 rows misses a cost" in captured.err
        assert any("1 of 80 rows misses a cost" in words for words in json.loads(captured.out)["warnings"])


def test_a_cost_in_another_unit_is_asked_about() -> None:
    """By its column, where it is a thousand times the usual; one that is only dear is not."""
    good = costly(lambda row: True)
    far = good.expensive_usd.copy()
    far[3] *= 5_000
    (actual,) = data_checks(replace(good, expensive_usd=far))
    assert actual.startswith("1 of 200 expensive_usd are over 1,000 times the usual ")
    far[3] /= 20
    assert data_checks(replace(good, expensive_usd=far)) == []


def test_a_text_that_stands_there_five_times_is_one_witness() -> None:
    """A gap that few texts tell is doubted however often each was logged."""
    few = logs(40)
    often = few.part(np.tile(np.arange(40), 10))
    gap = [actual for actual in data_checks(few) if "too small" in actual]
    assert [actual for actual in data_checks(often) if "too small" in actual] == gap
