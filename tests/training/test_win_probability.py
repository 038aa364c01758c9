"""The chance that the expensive answer is better: calibrated, and never by the row it is told of."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.training.win_probability import FOLDS, auc, chances


def test_chances_come_true_whatever_the_gain_is_called() -> None:
    """A third is better whatever the score: a chance of a third. Sure signs: sure chances."""
    rng = np.random.default_rng(2)
    better = rng.random(3000) < 1 / 3
    actual = chances(rng.normal(size=3000), rng.random(3000), better, np.ones(3000), 0)
    assert actual == pytest.approx(np.full(3000, 1 / 3), abs=0.08)
    sure = chances(better - 0.5, better * 1.0, better, np.ones(3000), 0)
    assert np.mean((sure - better) ** 2) < 0.01
    assert chances(np.zeros(10), np.zeros(10), np.ones(10, dtype=bool), np.ones(10), 0).max() < 1


def test_a_rows_chance_comes_from_the_other_four_fifths() -> None:
    """Were the row otherwise, its own chance and its fold's would stay, and those of the other four fifths move."""
    rng = np.random.default_rng(1)
    score = rng.random(60)
    gain, better, weight = score - 0.5, rng.random(60) < score, np.ones(60)
    before = chances(gain, score, better, weight, 0)
    for row in range(0, 60, 12):
        other = better.copy()
        other[row] = not other[row]
        moved = chances(gain, score, other, weight, 0) != before
        assert not moved[row]
        assert moved.sum() == 60 - 60 // FOLDS


def test_rows_that_count_nothing_have_no_say() -> None:
    """In the chances, in the AUC; where nothing else is told, neither is an AUC."""
    rng = np.random.default_rng(3)
    score = rng.random(300)
    better, counts = rng.random(300) < score, np.arange(300) % 3 > 0
    other = np.where(counts, better, ~better)
    before, after = (chances(score - 0.5, score, each, counts * 1.0, 0) for each in (better, other))
    assert np.array_equal(before, after)
    assert auc(score, better, counts * 1.0) == auc(score, other, counts * 1.0)
    assert auc(score, counts, counts * 1.0) is None
    assert auc(score, np.zeros(300, dtype=bool), np.ones(300)) is None


@pytest.mark.parametrize("unit", [1.0, 1e-4, 1e4])
def test_a_row_has_as_much_say_as_it_counts_for(unit: float) -> None:
    """Where nothing tells rows apart the chance is the share of better ones, by weight, in whatever unit; where the
    score tells, it is not drawn to that share because weights are small."""
    rng = np.random.default_rng(5)
    better = rng.random(2_000) < 0.5
    weight = unit * np.where(better, 3.0, 1.0)
    actual = chances(np.zeros(2_000), np.zeros(2_000), better, weight, 0)
    assert actual == pytest.approx(np.full(2_000, np.average(better, weights=weight)), abs=0.01)
    sure = chances(better - 0.5, better * 1.0, better, weight, 0)
    assert np.mean((sure - better) ** 2) < 0.01


def test_the_area_is_the_chance_that_of_two_rows_the_better_one_scores_higher() -> None:
    """Equal scores half; a row of weight 2 is two rows."""
    score, better = np.array([0.1, 0.2, 0.2, 0.4]), np.array([False, True, False, True])
    assert auc(score, better, np.ones(4)) == pytest.approx(3.5 / 4)
    assert auc(score, better, np.array([1.0, 2, 1, 1])) == pytest.approx(5 / 6)
