"""The online quantile: the share is kept within 3 points after 500 requests, whatever comes."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from turnout.routing.quantile import SEED, WINDOW, ShareKeeper

TRAFFIC: dict[str, Callable[[random.Random], float]] = {
    "uniform": lambda rng: rng.random(),
    "all hard": lambda rng: 0.9 + 0.1 * rng.random(),
    "all easy": lambda rng: 0.01 * rng.random(),
    "one score": lambda rng: 0.5,
    "two scores": lambda rng: rng.choice([0.2, 0.7]),
    "all zero": lambda rng: 0.0,
    "all one": lambda rng: 1.0,
}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.9])
@pytest.mark.parametrize("after", TRAFFIC)
@pytest.mark.parametrize("before", ["uniform", "one score"])
def test_the_share_is_kept_after_a_shift(share: float, before: str, after: str) -> None:
    """Counted from the 501st request after the shift on."""
    rng, keeper = random.Random(1), ShareKeeper(share)

    def sent(kind: str, count: int) -> float:
        total = 0
        for _ in range(count):
            score = TRAFFIC[kind](rng)
            expensive = keeper.expensive(score)
            keeper.observe(score, expensive)
            total += expensive
        return total / count

    sent(before, 1000)
    sent(after, 500)
    assert sent(after, 2000) == pytest.approx(share, abs=0.03)


def test_memory_is_bounded() -> None:
    """A window, no more."""
    keeper = ShareKeeper(0.3)
    assert len(keeper._ordered) == SEED
    for number in range(3000):
        keeper.observe((number * 7919 % 1000) / 1000, False)
    assert len(keeper._ordered) == len(keeper._recent) == WINDOW
