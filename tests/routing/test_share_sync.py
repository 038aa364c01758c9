"""Several processes keep one share: their scores and their debts are one, whoever starts, stalls or is cut off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from turnout.ports.sharing import ShareReport, ShareState
from turnout.routing.share_control import WINDOW
from turnout.routing.share_sync import RETRY_S, SharedShareControl, ShareSync
from turnout.stores.memory.share_store import MemoryShareStore
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
        self.controls = [SharedShareControl(share) for _ in range(processes)]
        self._late = late
        self._air: list[tuple[int, SharedShareControl, ShareReport, int]] = []
        self._share_store = MemoryShareStore(processes=processes)
        self.sent: list[bool] = []
        self.scores: list[float] = []

    def decide(self, control: SharedShareControl, score: float) -> bool:
        self._land(len(self.sent))
        control.join(self._share_store.debt("x"))
        expensive = control.decide(score)[1]
        control.observe(score, expensive)
        # One is told at a time, as in service.
        if not any(other is control for _, other, _, _ in self._air):
            self._air.append((len(self.sent) + self._late, control, control.take_report(), control.since))
        self.sent.append(expensive)
        self.scores.append(score)
        return expensive

    def _land(self, now: int) -> None:
        for due, control, routed, since in [each for each in self._air if each[0] <= now]:
            control.receive(_now(self._share_store, routed, since))
            self._air.remove((due, control, routed, since))

    def worst(self) -> float:
        """How far off the share any 500 requests in a row were."""
        total = [0]
        for expensive in self.sent:
            total.append(total[-1] + expensive)
        share = self.controls[0].share
        return max(abs((total[at + 500] - total[at]) / 500 - share) for at in range(len(self.sent) - 499))


def _now(share_store: MemoryShareStore, routed: ShareReport, since: int) -> ShareState:
    """What a tally in memory answers, which waits for nothing."""
    adding = share_store.add("x", routed, since)
    try:
        adding.send(None)
    except StopIteration as error:
        answer: ShareState = error.value
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
        all_of.decide(all_of.controls[place], TRAFFIC[kind](rng, number, place))
    assert all_of.worst() <= 0.03


def test_a_burst_at_all_at_once_is_known_for_one() -> None:
    """A hundred decisions of which the others hear nothing: each takes them to be doing as it does."""
    rng, all_of = random.Random(1), Simulated(0.3, 4, late=100)
    for number in range(3_000):
        all_of.decide(rng.choice(all_of.controls), TRAFFIC["all hard at once"](rng, number, 0))
    assert all_of.worst() <= 0.03


def test_a_burst_at_a_worker_that_has_just_begun_is_no_exception() -> None:
    """It knows neither the traffic nor how many there are: a hundred hard requests before it hears anything."""
    control = SharedShareControl(0.3)
    control.join(0.0)
    sent = 0
    for number in range(100):
        score = 0.9 + number / 1_000
        expensive = control.decide(score)[1]
        control.observe(score, expensive)
        sent += expensive
    assert abs(sent - 30) <= 3


def test_the_expensive_calls_go_where_the_hard_requests_are() -> None:
    """One process has the hard ones, another the easy ones: nearly all goes to the hardest 30 % of both."""
    rng, all_of = random.Random(1), Simulated(0.3, 2, late=2)
    by_place = [0, 0]
    for number in range(6_000):
        place = rng.randrange(2)
        score = TRAFFIC["hard ones at half of the processes"](rng, number, place)
        by_place[place] += all_of.decide(all_of.controls[place], score)
    assert by_place[0] < 0.05 * by_place[1]
    taken = sum(score for score, expensive in zip(all_of.scores, all_of.sent, strict=True) if expensive)
    assert taken >= 0.985 * sum(sorted(all_of.scores)[-sum(all_of.sent) :])


def test_one_that_starts_late_learns_from_the_others() -> None:
    """Its window is theirs, and their debt is its own, before it decides anything."""
    rng, all_of = random.Random(1), Simulated(0.3, 2, late=1)
    for _ in range(800):
        all_of.decide(all_of.controls[0], 0.01 * rng.random())
    new = all_of.controls[1]
    assert new.threshold == pytest.approx(0.7, abs=0.03)
    new.receive(_now(all_of._share_store, new.take_report(), new.since))
    assert new.threshold == pytest.approx(all_of.controls[0].threshold, abs=0.001)
    assert new.threshold < 0.01
    assert new.debt == pytest.approx(all_of._share_store.debt("x"))


def test_what_is_owed_alone_stays_its_own() -> None:
    """Cut off, each keeps the share by itself, beginning with nothing owed; back, the debt of all goes on."""
    control = SharedShareControl(0.3)
    control.join(5.0)
    control.observe(0.9, True)
    control.leave()
    assert (control.alone, control.debt) == (True, 0.0)
    sent = 0
    for _ in range(1_000):
        expensive = control.decide(0.9)[1]
        control.observe(0.9, expensive)
        sent += expensive
    assert abs(sent - 300) <= 7
    routed = control.take_report()
    assert routed.debt == 0.0
    assert routed.scores == (0.9,) * WINDOW
    control.join(5.0)
    assert control.debt == 5.0


def test_a_tally_that_lost_everything_is_told_what_is_known() -> None:
    """So that whoever starts next learns of the traffic."""
    control = SharedShareControl(0.3)
    control.receive(ShareState(debt=0.0, count=5_000, scores=(0.001,) * WINDOW))
    assert not control.has_unreported
    control.receive(ShareState(debt=0.0, count=3))
    assert control.take_report().scores == (0.001,) * WINDOW


class Unsteady:
    """A tally that can be away, and can be slow."""

    def __init__(self) -> None:
        self.inner = MemoryShareStore()
        self.away = False
        self.asked = 0
        self.let: asyncio.Event | None = None

    async def add(self, name: str, routed: ShareReport, since: int) -> ShareState | None:
        self.asked += 1
        if self.let is not None:
            await self.let.wait()
        return None if self.away else await self.inner.add(name, routed, since)


def _routed(share_sync: ShareSync, score: float = 0.5) -> None:
    share_sync.control.observe(score, share_sync.control.decide(score)[1])
    share_sync.notify()


def test_what_is_decided_is_told_in_the_background() -> None:
    """One telling at a time, however slow: the decisions made meanwhile go together, and none is lost."""

    async def scenario() -> None:
        share_store = Unsteady()
        share_sync = ShareSync(control=SharedShareControl(0.3), share_store=share_store, name="x", clock=ManualClock())
        await share_sync.meet()
        share_store.let = asyncio.Event()
        for _ in range(100):
            _routed(share_sync)
            await settle(2)
        assert share_store.asked == 2
        share_store.let.set()
        await settle()
        assert share_store.asked == 3
        actual = await share_store.inner.add("x", ShareReport(), 0)
        assert actual is not None
        assert actual.count == 100
        assert actual.debt == pytest.approx(share_sync.control.debt)
        await share_sync.close()

    asyncio.run(scenario())


def test_one_that_is_away_is_tried_once_a_second() -> None:
    """Not by every request; what was scored meanwhile is told when it is back."""

    async def scenario() -> None:
        share_store, clock = Unsteady(), ManualClock()
        share_sync = ShareSync(control=SharedShareControl(0.3), share_store=share_store, name="x", clock=clock)
        share_store.away = True
        await share_sync.meet()
        assert share_sync.control.alone
        for _ in range(50):
            _routed(share_sync)
            await settle(2)
        assert share_store.asked == 1
        share_store.away = False
        await clock.advance(RETRY_S)
        _routed(share_sync)
        await settle()
        assert not share_sync.control.alone
        assert share_store.inner.debt("x") == 0.0
        actual = await share_store.inner.add("x", ShareReport(), 0)
        assert actual is not None
        assert actual.count == 51
        await share_sync.close()

    asyncio.run(scenario())


def test_an_entry_says_whether_the_share_is_kept_together() -> None:
    """None: by ourselves, from the next decision on."""
    share_sync = ShareSync(control=SharedShareControl(0.3), share_store=Unsteady(), name="x", clock=ManualClock())
    share_sync.note_debt(2.0)
    assert (share_sync.control.alone, share_sync.control.debt) == (False, 2.0)
    share_sync.note_debt(None)
    assert (share_sync.control.alone, share_sync.control.debt) == (True, 0.0)


def test_closing_waits_for_what_is_being_told_but_not_for_ever() -> None:
    """A tally that hangs is left."""

    async def scenario() -> None:
        share_store = Unsteady()
        share_sync = ShareSync(control=SharedShareControl(0.3), share_store=share_store, name="x", clock=ManualClock())
        share_store.let = asyncio.Event()
        _routed(share_sync)
        asyncio.get_running_loop().call_later(0.01, share_store.let.set)
        await share_sync.close()
        assert share_store.inner.debt("x") == 0.0
        actual = await share_store.inner.add("x", ShareReport(), 0)
        assert actual is not None
        assert actual.count == 1
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
