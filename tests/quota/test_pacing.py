"""Pacing: smooth, never below the configured point, back to it when spend is behind."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.ports.limits import BudgetClaim, BudgetState
from turnout.quota.pacing import pacing_factor
from turnout.routing.router import raised
from turnout.routing.share_control import ShareControl

DAY = BudgetClaim(policy="total", key="total", limit=1000, windows=((0, 1000),))
ROLLING = BudgetClaim(policy="total", key="total", limit=1000, rolling_s=1000)


def state(spent: int, claim: BudgetClaim = DAY) -> BudgetState:
    return BudgetState(claim=claim, spent=spent, reserved=0, start=0, end=1000)


def test_spend_on_time_or_behind_leaves_the_wish_as_it_is() -> None:
    """The configured point, then."""
    assert pacing_factor([], 0) == 1
    assert pacing_factor([state(0)], 0) == 1
    assert pacing_factor([state(500)], 500) == 1
    assert pacing_factor([state(100)], 900) == 1


def test_spend_ahead_of_time_eases_it_smoothly() -> None:
    """Half of what time allows is left: nothing of the wish is left."""
    assert 0.5 < pacing_factor([state(100)], 0) < 1
    assert pacing_factor([state(500)], 0) == 0
    assert pacing_factor([state(700)], 0) == 0
    assert pacing_factor([state(0), state(400)], 0) == pacing_factor([state(400)], 0)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_more_spent_never_eases_less_and_steps_are_small(spent: int, now: int) -> None:
    """Monotone and without a jump while there is time left."""
    here, there = pacing_factor([state(spent)], min(now, 900)), pacing_factor([state(spent + 1)], min(now, 900))
    assert 0 <= there <= here <= 1
    assert here - there <= 0.021


def test_a_rolling_budget_raises_the_bar_near_its_limit() -> None:
    """It has no end to last until."""
    assert pacing_factor([state(700, ROLLING)], 0) == 1
    assert 0 < pacing_factor([state(800, ROLLING)], 0) < 1
    assert pacing_factor([state(900, ROLLING)], 0) == 0


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_threshold_never_falls_below_its_configured_point(threshold: float, eased: float) -> None:
    """And above every score where nothing is left."""
    assert raised(threshold, eased) >= threshold - 1e-12
    assert raised(threshold, 0.0) > 1.0


@pytest.mark.parametrize("eased", [1.0, 0.5, 0.1, 0.0])
def test_a_kept_share_shrinks_by_the_ease(eased: float) -> None:
    """Half the ease, half the share; none, none; and when the ease is back, so is the share."""
    keeper, chances = ShareControl(0.4), random.Random(1)

    def share(pacing_factor: float) -> float:
        count = 0
        for _ in range(1000):
            score = chances.random()
            _, expensive = keeper.decide(score, pacing_factor)
            keeper.observe(score, expensive, pacing_factor)
            count += expensive
        return count / 1000

    assert share(eased) == pytest.approx(0.4 * eased, abs=0.02)
    assert share(1.0) == pytest.approx(0.4, abs=0.02)
    if eased == 0.0:
        assert share(0.0) == 0.0
