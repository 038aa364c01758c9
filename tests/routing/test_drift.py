"""The drift figure: silent on traffic like the logs, told once when it leaves them, once when it is back."""

from __future__ import annotations

import random

import pytest

from turnout.routing.drift import BACK, DRIFTED, EVERY, MOST_NOVEL, WINDOW, Drift, Look


def _watched(drift: Drift, scores: list[float]) -> list[Look]:
    """The crossings alone."""
    looks = [look for score in scores if (look := drift.observe(score)) is not None]
    return [look for look in looks if look.crossed is not None]


def test_uniform_scores_are_no_drift() -> None:
    """Fifty thousand of them, two thousand looks: not one alarm, and the figure small."""
    rng, drift = random.Random(1), Drift()
    assert _watched(drift, [rng.random() for _ in range(50_000)]) == []
    assert drift.distance is not None
    assert drift.distance < 0.1


@pytest.mark.parametrize("low", [0.0, 0.4])
def test_traffic_of_another_kind_is_told_once_and_so_is_its_end(low: float) -> None:
    """Scores of one half only: a distance of about a half at the end, one event; back to uniform, one more."""
    rng, drift = random.Random(1), Drift()
    assert _watched(drift, [rng.random() for _ in range(1000)]) == []
    left = _watched(drift, [low + 0.5 * rng.random() for _ in range(2000)])
    assert [look.crossed for look in left] == [True]
    assert DRIFTED <= left[0].distance < DRIFTED + 0.1
    assert drift.distance == pytest.approx(0.5 if low == 0.0 else 0.4, abs=0.02)
    back = _watched(drift, [rng.random() for _ in range(2000)])
    assert [look.crossed for look in back] == [False]
    assert back[0].distance < BACK


def _off(by: float) -> list[float]:
    """A window of scores of which so many are 0, the rest even."""
    return [0.0 if at * by % 1.0 < by else (at * 7919 % WINDOW) / WINDOW for at in range(WINDOW)]


def test_a_figure_that_trembles_at_the_limit_is_one_event() -> None:
    """Above 0.2 and back to 0.17, three times over: told once; from well below on it would be told again."""
    drift, actual = Drift(), []
    for by in (0.23, 0.17, 0.23, 0.17, 0.23, 0.17, 0.0, 0.23):
        actual.append([look.crossed for look in _watched(drift, _off(by))])
        assert drift.distance == pytest.approx(by, abs=0.025)
    assert actual == [[True], [], [], [], [], [], [False], [True]]


def test_one_score_for_all_is_as_far_as_can_be() -> None:
    """A scorer that says the same of everything tells nothing apart."""
    drift = Drift()
    assert [look.crossed for look in _watched(drift, [0.0] * WINDOW)] == [True]
    assert drift.distance == pytest.approx(0.98)


def test_few_scores_say_nothing() -> None:
    """No figure before the window is full; memory is bounded after it."""
    drift = Drift()
    assert _watched(drift, [0.0] * (WINDOW - 1)) == []
    assert drift.distance is None
    _watched(drift, [0.5] * (10 * WINDOW + EVERY))
    assert sum(drift._counts) == len(drift._recent) == WINDOW


def test_the_figure_is_told_whenever_it_is_made() -> None:
    """Every EVERY scores once the window is full, crossed or not."""
    rng, drift = random.Random(1), Drift()
    looks = [look for _ in range(WINDOW + 4 * EVERY) if (look := drift.observe(rng.random())) is not None]
    assert len(looks) == 5
    assert [look.crossed for look in looks] == [None] * 5
    assert looks[-1].distance == drift.distance


def test_few_rows_are_given_more_room() -> None:
    """A quarter off is a drift from the logs of 10,000 rows, none from those of 300; half off is one of both."""

    def crossed(rows: int, off: float) -> bool:
        drift = Drift(rows)
        for at in range(WINDOW):
            drift.observe(off + (1 - off) * at / WINDOW)
        return drift.drifted

    assert crossed(10_000, 0.25)
    assert not crossed(300, 0.25)
    assert crossed(300, 0.5)


def test_novel_requests_that_score_evenly_are_told() -> None:
    """Told at a tenth of the window, once; and back when under a twentieth is left."""
    rng, drift, actual = random.Random(2), Drift(), list[tuple[int, Look]]()
    for at in range(4 * WINDOW):
        look = drift.observe(rng.random(), novel=WINDOW <= at < 2 * WINDOW and at % 2 == 0)
        if look is not None and look.crossed is not None:
            actual.append((at, look))
    assert [look.crossed for _, look in actual] == [True, False]
    (left, first), (back, last) = actual
    assert MOST_NOVEL <= first.novel <= MOST_NOVEL + EVERY / 2 / WINDOW
    assert left < WINDOW * 1.3
    assert last.novel < MOST_NOVEL / 2
    assert back > WINDOW * 2.8
    assert drift.novel == 0.0


def test_the_few_novel_requests_of_any_traffic_are_no_drift() -> None:
    """Two in a hundred."""
    rng, drift = random.Random(3), Drift()
    assert not any(look.crossed for at in range(5_000) if (look := drift.observe(rng.random(), novel=at % 50 == 0)))
