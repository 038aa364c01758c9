"""Several processes keep one share: their scores and their debts are one, whoever starts, stalls or is cut off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from turnout.ports import Routed, Tallied
from turnout.routing.fleet import LOOK_S, Fleet, SharedKeeper
from turnout.routing.quantile import WINDOW
from turnout.stores.memory_tally import MemoryTally
from turnout.testing import ManualClock, settle

# The score of the number-th request of all, decided by the place-th process.
Traffic = Callable[[random.Random, int, int], float]

SHIFT = 1_000
TRAFFIC: dict[str, Traffic] = {
    "uniform": lambda rng, number, place: rng.random(),
    "all hard at once": lambda rng, number, place: rng.random() if number < SHIFT else 0.9 + 0.1 * rng.random(),
    "all easy at once": lambda rng, number, place: rng.random() if number < SHIFT else 0.01 * rng.random(),
    "rising": lambda rng, number, place: number / 4_000,
    "one score": lambda rng, number, place: 0.5,
    "hard ones at half of the processes": lambda rng, number, place: (0.9 if place % 2 else 0.1) + 0.1 * rng.random(),
    "those change places": lambda rng, number, place: (
        (0.9 if (place + number // 700) % 2 else 0.1) + 0.1 * rng.random()
    ),
}


class Simulated:
    """Processes that tell what they decide `late` requests of all afterwards; the debt rides on every request."""

    def __init__(self, share: float, processes: int, late: int) -> None:
        self.keepers = [SharedKeeper(share) for _ in range(processes)]
        self._late = late
        self._air: list[tuple[int, SharedKeeper, Routed, int]] = []
        self._tally = MemoryTally(processes=processes)
        self.sent: list[bool] = []
        self.scores: list[float] = []

    def decide(self, keeper: SharedKeeper, score: float) -> bool:
        self._land(len(self.sent))
        keeper.join(self._tally.debt("x"))
        expensive = keeper.decide(score)[1]
        keeper.observe(score, expensive)
        # One is told at a time, as in service.
        if not any(other is keeper for _, other, _, _ in self._air):
            self._air.append((len(self.sent) + self._late, keeper, keeper.tell(), keeper.since))
        self.sent.append(expensive)
        self.scores.append(score)
        return expensive

    def _land(self, now: int) -> None:
        for due, keeper, routed, since in [each for each in self._air if each[0] <= now]:
            keeper.hear(_now(self._tally, routed, since))
            self._air.remove((due, keeper, routed, since))

    def worst(self) -> float:
        """How far off the share any 500 requests in a row were."""
        total = [0]
        for expensive in self.sent:
            total.append(total[-1] + expensive)
        share = self.keepers[0].share
        return max(abs((total[at + 500] - total[at]) / 500 - share) for at in range(len(self.sent) - 499))


def _now(tally: MemoryTally, routed: Routed, since: int) -> Tallied:
    """What a tally in memory answers, which waits for nothing."""
    adding = tally.add("x", routed, since)
    try:
        adding.send(None)
    except StopIteration as told:
        answer: Tallied = told.value
        return answer
    raise AssertionError("it waited")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("kind", TRAFFIC)
@pytest.mark.parametrize(("processes", "late"), [(2, 2), (8, 4)])
def test_the_share_of_all_is_kept_through_every_shift(share: float, kind: str, processes: int, late: int) -> None:
    """Within 3 points over any 500 requests of all processes together."""
    rng, all_of = random.Random(1), Simulated(share, processes, late)
    for number in range(3_000):
        place = rng.randrange(processes)
        all_of.decide(all_of.keepers[place], TRAFFIC[kind](rng, number, place))
    assert all_of.worst() <= 0.03


def test_a_burst_at_all_at_once_is_known_for_one() -> None:
    """A hundred decisions of which the others hear nothing: each takes them to be doing as it does."""
    rng, all_of = random.Random(1), Simulated(0.3, 4, late=100)
    for number in range(3_000):
        all_of.decide(rng.choice(all_of.keepers), TRAFFIC["all hard at once"](rng, number, 0))
    assert all_of.worst() <= 0.03


def test_a_burst_at_a_worker_that_has_just_begun_is_no_exception() -> None:
    """It knows neither the traffic nor how many there are: a hundred hard requests before it hears anything."""
    keeper = SharedKeeper(0.3)
    keeper.join(0.0)
    sent = 0
    for number in range(100):
        score = 0.9 + number / 1_000
        expensive = keeper.decide(score)[1]
        keeper.observe(score, expensive)
        sent += expensive
    assert abs(sent - 30) <= 3


def test_the_expensive_calls_go_where_the_hard_requests_are() -> None:
    """One process has the hard ones, another the easy ones: nearly all goes to the hardest 30 % of both."""
    rng, all_of = random.Random(1), Simulated(0.3, 2, late=2)
    by_place = [0, 0]
    for number in range(6_000):
        place = rng.randrange(2)
        score = TRAFFIC["hard ones at half of the processes"](rng, number, place)
        by_place[place] += all_of.decide(all_of.keepers[place], score)
    assert by_place[0] < 0.05 * by_place[1]
    taken = sum(score for score, expensive in zip(all_of.scores, all_of.sent, strict=True) if expensive)
    assert taken >= 0.985 * sum(sorted(all_of.scores)[-sum(all_of.sent) :])


def test_one_that_starts_late_learns_from_the_others() -> None:
    """Its window is theirs, and their debt is its own, before it decides anything."""
    rng, all_of = random.Random(1), Simulated(0.3, 2, late=1)
    for _ in range(800):
        all_of.decide(all_of.keepers[0], 0.01 * rng.random())
    new = all_of.keepers[1]
    assert new.threshold == pytest.approx(0.7, abs=0.03)
    new.hear(_now(all_of._tally, new.tell(), new.since))
    assert new.threshold == pytest.approx(all_of.keepers[0].threshold, abs=0.001)
    assert new.threshold < 0.01
    assert new.debt == pytest.approx(all_of._tally.debt("x"))


def test_what_is_owed_alone_stays_its_own() -> None:
    """Cut off, each keeps the share by itself, beginning with nothing owed; back, the debt of all goes on."""
    keeper = SharedKeeper(0.3)
    keeper.join(5.0)
    keeper.observe(0.9, True)
    keeper.part()
    assert (keeper.alone, keeper.debt) == (True, 0.0)
    sent = 0
    for _ in range(1_000):
        expensive = keeper.decide(0.9)[1]
        keeper.observe(0.9, expensive)
        sent += expensive
    assert abs(sent - 300) <= 7
    routed = keeper.tell()
    assert routed.debt == 0.0
    assert routed.scores == (0.9,) * WINDOW
    keeper.join(5.0)
    assert keeper.debt == 5.0


def test_a_tally_that_lost_everything_is_told_what_is_known() -> None:
    """So that whoever starts next learns of the traffic."""
    keeper = SharedKeeper(0.3)
    keeper.hear(Tallied(debt=0.0, count=5_000, scores=(0.001,) * WINDOW))
    assert not keeper.untold
    keeper.hear(Tallied(debt=0.0, count=3))
    assert keeper.tell().scores == (0.001,) * WINDOW


class Unsteady:
    """A tally that can be away, and can be slow."""

    def __init__(self) -> None:
        self.inner = MemoryTally()
        self.away = False
        self.asked = 0
        self.let: asyncio.Event | None = None

    async def add(self, name: str, routed: Routed, since: int) -> Tallied | None:
        self.asked += 1
        if self.let is not None:
            await self.let.wait()
        return None if self.away else await self.inner.add(name, routed, since)


def _routed(fleet: Fleet, score: float = 0.5) -> None:
    fleet.keeper.observe(score, fleet.keeper.decide(score)[1])
    fleet.routed()


def test_what_is_decided_is_told_in_the_background() -> None:
    """One telling at a time, however slow: the decisions made meanwhile go together, and none is lost."""

    async def scenario() -> None:
        tally = Unsteady()
        fleet = Fleet(keeper=SharedKeeper(0.3), tally=tally, name="x", clock=ManualClock())
        await fleet.meet()
        tally.let = asyncio.Event()
        for _ in range(100):
            _routed(fleet)
            await settle(2)
        assert tally.asked == 2
        tally.let.set()
        await settle()
        assert tally.asked == 3
        told = await tally.inner.add("x", Routed(), 0)
        assert told is not None
        assert told.count == 100
        assert told.debt == pytest.approx(fleet.keeper.debt)
        await fleet.close()

    asyncio.run(scenario())


def test_one_that_is_away_is_tried_once_a_second() -> None:
    """Not by every request; what was scored meanwhile is told when it is back."""

    async def scenario() -> None:
        tally, clock = Unsteady(), ManualClock()
        fleet = Fleet(keeper=SharedKeeper(0.3), tally=tally, name="x", clock=clock)
        tally.away = True
        await fleet.meet()
        assert fleet.keeper.alone
        for _ in range(50):
            _routed(fleet)
            await settle(2)
        assert tally.asked == 1
        tally.away = False
        await clock.advance(LOOK_S)
        _routed(fleet)
        await settle()
        assert not fleet.keeper.alone
        assert tally.inner.debt("x") == 0.0
        told = await tally.inner.add("x", Routed(), 0)
        assert told is not None
        assert told.count == 51
        await fleet.close()

    asyncio.run(scenario())


def test_an_entry_says_whether_the_share_is_kept_together() -> None:
    """None: by ourselves, from the next decision on."""
    fleet = Fleet(keeper=SharedKeeper(0.3), tally=Unsteady(), name="x", clock=ManualClock())
    fleet.heard(2.0)
    assert (fleet.keeper.alone, fleet.keeper.debt) == (False, 2.0)
    fleet.heard(None)
    assert (fleet.keeper.alone, fleet.keeper.debt) == (True, 0.0)


def test_closing_waits_for_what_is_being_told_but_not_for_ever() -> None:
    """A tally that hangs is left."""

    async def scenario() -> None:
        tally = Unsteady()
        fleet = Fleet(keeper=SharedKeeper(0.3), tally=tally, name="x", clock=ManualClock())
        tally.let = asyncio.Event()
        _routed(fleet)
        asyncio.get_running_loop().call_later(0.01, tally.let.set)
        await fleet.close()
        assert tally.inner.debt("x") == 0.0
        told = await tally.inner.add("x", Routed(), 0)
        assert told is not None
        assert told.count == 1
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
