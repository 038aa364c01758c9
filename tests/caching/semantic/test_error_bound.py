"""The error bound: it opens on evidence, closes on errors, and holds under any stopping."""

from __future__ import annotations

import random

import pytest

from turnout.caching.semantic.error_bound import LEVELS, RISK, ErrorBound, evidence, upper_bound


def test_it_begins_closed_and_opens_on_checks_that_agree() -> None:
    """The sooner, the more may be wrong; a low level only by what is at or above it."""
    needed = {}
    for max_error in (0.01, 0.02, 0.05, 0.10):
        error_bound = ErrorBound(max_error)
        assert not error_bound.allows(1.0)
        while not error_bound.allows(0.95):
            error_bound.record(0.95, agrees=True)
        needed[max_error] = error_bound.checks
        assert error_bound.bound <= max_error
        assert error_bound.level == LEVELS[-1]
    assert needed[0.10] < 60 < needed[0.05] < needed[0.02] < needed[0.01] < 700


def test_errors_close_it_again() -> None:
    """At the levels that they are at or above, and not at those above them."""
    error_bound = ErrorBound(0.05)
    for _ in range(300):
        error_bound.record(0.95, agrees=True)
    for _ in range(40):
        error_bound.record(0.6, agrees=False)
    assert error_bound.allows(0.95)
    assert not error_bound.allows(0.6)
    assert error_bound.level == LEVELS[1]
    for _ in range(40):
        error_bound.record(0.95, agrees=False)
    assert not error_bound.allows(0.95)
    assert error_bound.estimate is not None
    assert error_bound.bound > 0.05 < error_bound.estimate


@pytest.mark.parametrize("max_error", [0.02, 0.05, 0.10])
def test_a_rate_that_is_too_high_opens_it_hardly_ever(max_error: float) -> None:
    """Looked at after each of 500 checks, in 100 replays: at most as often as RISK says, and chance adds."""
    opened = 0
    for seed in range(100):
        rng, error_bound = random.Random(seed), ErrorBound(max_error)
        for _ in range(500):
            error_bound.record(0.95, agrees=rng.random() >= max_error)
            if error_bound.allows(0.95):
                opened += 1
                break
    assert opened <= 100 * RISK + 3


def test_the_bound_is_above_the_estimate_and_falls_with_evidence() -> None:
    """1 without any check."""
    assert upper_bound(0, 0) == pytest.approx(1.0)
    bounds = [upper_bound(checks, checks // 50) for checks in (50, 100, 500, 5000)]
    assert bounds == sorted(bounds, reverse=True)
    assert all(0.02 < bound < 1 for bound in bounds)
    assert evidence(0, 0, 0.1) == pytest.approx(1.0)


def test_nothing_may_be_wrong_means_that_nothing_is_served() -> None:
    """And where all may be, all is."""
    never, always = ErrorBound(0.0), ErrorBound(1.0)
    for _ in range(1000):
        never.record(1.0, agrees=True)
    assert not never.allows(1.0)
    assert always.allows(0.5)
