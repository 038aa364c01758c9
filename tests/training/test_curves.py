"""The figures: RouteLLM's definitions on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.training.curves import apgr_error, at_threshold, figures, recovered, saving

CHEAP = np.array([0.0, 0.0, 1.0, 1.0])
EXPENSIVE = np.ones(4)


def test_a_perfect_order_and_its_reverse() -> None:
    """All the gain in the first half: 0.75 of the square; in the second: 0.25."""
    good = figures(np.array([0.9, 0.8, 0.2, 0.1]), CHEAP, EXPENSIVE)
    assert (good["apgr"], good["cpt50"], good["cpt80"]) == pytest.approx((0.75, 0.25, 0.4))
    bad = figures(np.array([0.1, 0.2, 0.8, 0.9]), CHEAP, EXPENSIVE)
    assert (bad["apgr"], bad["cpt50"]) == pytest.approx((0.25, 0.75))


def test_ties_are_shared_out() -> None:
    """One score for all is random routing, whatever the order of the rows."""
    told = figures(np.zeros(4), CHEAP, EXPENSIVE)
    assert (told["apgr"], told["cpt50"], told["cpt80"]) == pytest.approx((0.5, 0.5, 0.8))
    share, quality = recovered(np.zeros(4), CHEAP, EXPENSIVE)
    assert (share.tolist(), quality.tolist()) == ([0, 1], [0.5, 1.0])


def test_no_gap_has_no_apgr_but_a_reason() -> None:
    """Null, never a division by nothing."""
    told = figures(np.arange(4.0), EXPENSIVE, CHEAP)
    assert told["apgr"] is None
    assert "not better" in told["reason"]


def test_a_threshold_is_met_by_what_equals_it() -> None:
    """score >= t is expensive."""
    score = np.array([0.9, 0.5, 0.4, 0.1])
    assert at_threshold(score, 0.5, CHEAP, EXPENSIVE) == (0.5, 1.0)
    assert saving(score, 0.5, np.ones(4), np.full(4, 10.0)) == pytest.approx(1 - 22 / 40)
    assert saving(score, 0.5, np.full(4, np.nan), np.ones(4)) is None


def test_the_error_shrinks_with_rows() -> None:
    """A bootstrap over ten times the rows is about three times as sure."""
    rng = np.random.default_rng(0)
    errors = []
    for rows in (100, 1000):
        score = rng.random(rows)
        errors.append(apgr_error(score, np.zeros(rows), (rng.random(rows) < score).astype(float)))
    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[1] < 0.6 * errors[0]
