"""When the next call may be made: an even pace, and a patience that ends."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from turnout.labelling.throttle import Patience, RunEnded, Throttle
from turnout.settings import Rate
from turnout.testing import ManualClock


def test_the_rate_is_kept_from_the_first_call_on() -> None:
    """Thirty calls at 10 a second by ten callers at once take 2.9 s, evenly spaced: no burst."""
    clock = ManualClock()
    throttle, times = Throttle(Rate.parse("10/second"), clock), []

    async def caller() -> None:
        for _ in range(3):
            await throttle.turn()
            times.append(clock.monotonic())

    async def all_of_them() -> None:
        await clock.run(asyncio.ensure_future(asyncio.gather(*(caller() for _ in range(10)))))  # type: ignore[arg-type]

    asyncio.run(all_of_them())
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == pytest.approx([0.1] * 29)


def _waited(clock: ManualClock, patience: Patience, *waits: float) -> None:
    async def all_of_them() -> None:
        for seconds in waits:
            waiting = asyncio.ensure_future(patience.wait("m", seconds))
            await clock.run(waiting)
            await waiting

    asyncio.run(all_of_them())


def test_an_unbroken_outage_is_waited_for_so_long_and_no_longer() -> None:
    """Twenty waits of 30 s fit into ten minutes; one more ends it, with the last cause and how long it was."""
    clock = ManualClock()
    patience = Patience(clock, 600)
    patience.failed("m", "m: 500")
    _waited(clock, patience, *[30.0] * 19)
    patience.failed("m", "m: 502")
    _waited(clock, patience, 30.0)
    with pytest.raises(
        RunEnded, match=r"m: 502; out for 10 minutes now, .*longer than --patience, 10 minutes"
    ) as ended:
        _waited(clock, patience, 30.0)
    assert ended.value.how == "outage"


def test_an_answer_renews_the_patience() -> None:
    """What counts is an unbroken outage, and each model has its own."""
    clock = ManualClock()
    patience = Patience(clock, 60)
    for _ in range(5):
        patience.failed("m", "m: 500")
        _waited(clock, patience, 50.0)
        patience.answered("other")
        patience.answered("m")
    assert patience.answers == {"m": 5, "other": 5}


def test_a_wait_that_cannot_fit_ends_at_once() -> None:
    """A provider that asks for an hour is not waited for ten minutes first."""
    clock = ManualClock()
    began = clock.monotonic()
    with pytest.raises(RunEnded, match="not to be asked again for 60 minutes"):
        _waited(clock, Patience(clock, 600), 3600.0)
    assert clock.monotonic() == began


def test_a_long_wait_is_told_once_and_its_end_too() -> None:
    """A short one is not worth a line."""
    clock, actual = ManualClock(), list[str]()
    patience = Patience(clock, 600, actual.append)
    patience.failed("m", "m: 429")
    _waited(clock, patience, 1.0)
    patience.answered("m")
    assert actual == []
    patience.failed("m", "m: 500")
    _waited(clock, patience, 30.0, 30.0)
    patience.answered("m")
    assert actual == ["m: 500; waiting for it, at most 10 minutes", "m answers again, after 60 s"]
