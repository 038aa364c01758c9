"""The promise of several processes: each counts its own checks once, and everybody's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from turnout.caching.semantic.promise import Promise
from turnout.caching.semantic.shared_promise import SETTLE_S, SharedPromise


class Sums:
    """Implements CheckStore. down: nothing can be asked; mute: what is added is counted, but no answer comes."""

    def __init__(self) -> None:
        self.sums: list[int] = []
        self.seen: set[str] = set()
        self.down = self.mute = False

    async def add(self, name: str, batch: str, counts: Sequence[int]) -> Sequence[int] | None:
        if self.down:
            return None
        if batch not in self.seen:
            self.sums = [a + b for a, b in zip(self.sums or [0] * len(counts), counts, strict=True)]
        self.seen.add(batch)
        await asyncio.sleep(0)
        return None if self.mute else list(self.sums)


def test_two_processes_count_each_check_once() -> None:
    """Whatever is checked while they settle, while the store is away, and where its answer is lost."""
    sums = Sums()
    promises = [Promise(0.1), Promise(0.1)]
    shared = [SharedPromise(promise, sums, "n") for promise in promises]

    async def main() -> None:
        for step in range(120):
            promises[step % 2].record(0.95, agrees=step % 10 != 0)
            sums.down, sums.mute = step % 7 == 0, step % 5 == 0
            settling = asyncio.ensure_future(shared[step % 2].settle())
            await asyncio.sleep(0)
            promises[step % 2].record(0.6, agrees=True)
            await settling
        sums.down = sums.mute = False
        for each in (*shared, *shared, *shared):
            await each.settle()

    asyncio.run(main())
    assert [(promise.checks, promise.wrong) for promise in promises] == [(240, 12)] * 2


def test_it_opens_by_what_another_has_checked() -> None:
    """And closes by it."""
    sums = Sums()
    promises = [Promise(0.1), Promise(0.1)]
    shared = [SharedPromise(promise, sums, "n") for promise in promises]
    for agrees, opened in ((True, True), (False, False)):
        for _ in range(100):
            promises[0].record(0.95, agrees=agrees)
        for each in shared:
            asyncio.run(each.settle())
        assert promises[1].allows(0.95) is opened


def test_the_others_are_asked_once_in_a_while() -> None:
    """Not at each look-up."""
    shared = SharedPromise(Promise(0.1), Sums(), "n")
    assert [shared.is_due(at) for at in (100.0, 100.1, 100.0 + SETTLE_S, 100.1 + SETTLE_S)] == [
        True,
        False,
        True,
        False,
    ]


def test_a_purge_is_not_undone_by_an_answer_under_way() -> None:
    """What the store says of before the purge is not taken over after it."""
    promise = Promise(0.1)
    shared = SharedPromise(promise, Sums(), "n")
    for _ in range(100):
        promise.record(0.95, agrees=True)

    async def main() -> None:
        settling = asyncio.ensure_future(shared.settle())
        await asyncio.sleep(0)
        promise.forget()
        shared.forget()
        await settling

    asyncio.run(main())
    assert promise.checks == 0
    assert not promise.allows(0.95)
