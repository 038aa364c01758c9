"""The online quantile: the share is kept within 3 points after 500 requests, whatever comes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.routing.share_control import MOST_DEBT, SEED, WINDOW, ShareControl

SHARES = [0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0]
Source = Callable[[random.Random, ShareControl], Iterator[float]]


def _each(draw: Callable[[random.Random], float]) -> Source:
    def source(rng: random.Random, _: ShareControl) -> Iterator[float]:
        while True:
            yield draw(rng)

    return source


def _drift(step: float) -> Source:
    def source(rng: random.Random, _: ShareControl) -> Iterator[float]:
        at = 0.0 if step > 0 else 1.0
        while True:
            yield at
            at = min(1.0, max(0.0, at + step))

    return source


def _saw(rng: random.Random, _: ShareControl) -> Iterator[float]:
    while True:
        yield from (number / 777 for number in range(777))


def _knowing(above: bool) -> Source:
    """An adversary that sees the threshold and always sends a score just above, or just below it."""

    def source(rng: random.Random, control: ShareControl) -> Iterator[float]:
        while True:
            yield min(1.0, max(0.0, control.threshold + (1e-6 if above else -1e-6)))

    return source


TRAFFIC: dict[str, Source] = {
    "uniform": _each(lambda rng: rng.random()),
    "all hard": _each(lambda rng: 0.9 + 0.1 * rng.random()),
    "all easy": _each(lambda rng: 0.01 * rng.random()),
    "one score": _each(lambda rng: 0.5),
    "two scores": _each(lambda rng: rng.choice([0.2, 0.7])),
    "mostly one score": _each(lambda rng: 0.4 if rng.random() < 0.95 else rng.random()),
    "all zero": _each(lambda rng: 0.0),
    "all one": _each(lambda rng: 1.0),
    "rising": _drift(1e-4),
    "falling": _drift(-1e-4),
    "rising fast": _drift(1e-2),
    "a saw": _saw,
    "just above": _knowing(True),
    "just below": _knowing(False),
}


def _sent(control: ShareControl, scores: Iterator[float], count: int) -> list[bool]:
    results = []
    for score in islice(scores, count):
        threshold, expensive = control.decide(score)
        assert expensive == (score >= threshold)
        control.observe(score, expensive)
        results.append(expensive)
    return results


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("after", TRAFFIC)
@pytest.mark.parametrize("before", ["uniform", "one score", "falling"])
def test_the_share_is_kept_after_a_shift(share: float, before: str, after: str) -> None:
    """In the first 500 requests after it already, and in every 500 from then on."""
    rng, control = random.Random(1), ShareControl(share)
    _sent(control, TRAFFIC[before](rng, control), 700)
    actual = _sent(control, TRAFFIC[after](rng, control), 2000)
    for begin in range(0, 1500, 50):
        assert sum(actual[begin : begin + 500]) / 500 == pytest.approx(share, abs=0.03)


@settings(max_examples=60, deadline=None)
@given(
    share=st.floats(0.0, 1.0),
    parts=st.lists(st.tuples(st.sampled_from(sorted(TRAFFIC)), st.integers(1, 900)), min_size=1, max_size=6),
    seed=st.integers(0, 2**32),
)
def test_no_sequence_of_any_traffic_moves_it_further(share: float, parts: list[tuple[str, int]], seed: int) -> None:
    """Any 500 requests in a row, shifts within them or not, and never more than the debt at any time."""
    rng, control = random.Random(seed), ShareControl(share)
    results: list[bool] = []
    for kind, count in parts:
        results += _sent(control, TRAFFIC[kind](rng, control), count)
        assert abs(control.debt) <= MOST_DEBT + 1
    total = [0]
    for expensive in results:
        total.append(total[-1] + expensive)
    for begin in range(len(results) - 499):
        assert abs((total[begin + 500] - total[begin]) / 500 - share) <= 0.03


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0.0, 1.0), scores=st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.5 + 1e-12, 1.0]), max_size=1200))
def test_scores_chosen_one_by_one_do_not_either(share: float, scores: list[float]) -> None:
    """Equal and nearly equal scores in any order."""
    control = ShareControl(share)
    actual = _sent(control, iter(scores), len(scores))
    assert abs(sum(actual) - share * len(actual)) <= MOST_DEBT + 1


def test_on_steady_traffic_the_score_decides() -> None:
    """Of uniform scores the expensive ones are nearly the highest 30 %: 99 % of what a fixed threshold takes."""
    rng, control = random.Random(3), ShareControl(0.3)
    scores = [rng.random() for _ in range(20_000)]
    actual = _sent(control, iter(scores), len(scores))
    taken = sum(score for score, expensive in zip(scores, actual, strict=True) if expensive)
    assert taken >= 0.985 * sum(sorted(scores)[-sum(actual) :])


def test_memory_is_bounded() -> None:
    """A window, no more."""
    control = ShareControl(0.3)
    assert len(control._ordered) == SEED
    for number in range(3000):
        control.observe((number * 7919 % 1000) / 1000, False)
    assert len(control._ordered) == len(control._recent) == WINDOW


def test_scores_that_others_decided_on_move_the_threshold_not_the_debt() -> None:
    """Easy traffic elsewhere: the threshold is there at once, not at 0.7."""
    rng, control = random.Random(1), ShareControl(0.3)
    assert control.threshold == pytest.approx(0.7, abs=0.03)
    control.add_scores(islice(TRAFFIC["all easy"](rng, control), WINDOW))
    assert control.threshold == pytest.approx(0.007, abs=0.001)
    assert control.debt == 0.0


def test_a_call_that_pays_off_a_debt_has_room_however_large_it_is() -> None:
    """Far short of the share an expensive call is welcome and a cheap one is not; far beyond it the reverse."""
    for debt, expensive in ((-2 * MOST_DEBT, True), (2 * MOST_DEBT, False)):
        control = ShareControl(0.3)
        control.correct(debt)
        assert control.has_room(expensive)
        assert not control.has_room(not expensive)
