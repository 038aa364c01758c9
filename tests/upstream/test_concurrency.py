"""Slots: never more at once than allowed, first come first served, and none is ever lost."""

from __future__ import annotations

import asyncio
import random

from turnout.testing import settle
from turnout.upstream.concurrency import ConcurrencyLimit


def test_first_come_first_served_and_the_room_is_bounded() -> None:
    """Two at once, two wait, the fifth is turned away at once."""

    async def scenario() -> None:
        slots = ConcurrencyLimit(most=2, waiting=2)
        asks = [asyncio.ensure_future(slots.take()) for _ in range(5)]
        await settle()
        assert [ask.done() and ask.result() for ask in asks] == [True, True, False, False, False]
        assert asks[4].done()
        slots.give()
        await settle()
        assert asks[2].done()
        assert not asks[3].done()
        slots.turn_away()
        assert await asks[3] is False
        assert (slots.taken, slots.waiting) == (2, 0)
        slots.give()
        slots.give()
        assert slots.taken == 0

    asyncio.run(scenario())


def test_whoever_leaves_takes_no_slot_along() -> None:
    """Cancelled while waiting, and cancelled in the very turn in which the slot was handed over."""

    async def scenario() -> None:
        slots = ConcurrencyLimit(most=1, waiting=5)
        assert await slots.take()
        waiting = asyncio.ensure_future(slots.take())
        handed = asyncio.ensure_future(slots.take())
        await settle()
        waiting.cancel()
        await settle()
        slots.give()
        # Handed over just now; the task has not run since.
        handed.cancel()
        await settle()
        assert handed.cancelled()
        assert (slots.taken, slots.waiting) == (0, 0)
        assert await slots.take()

    asyncio.run(scenario())


def test_requests_go_before_jobs() -> None:
    """A request that waits is served before jobs that came earlier, and takes the place of one where all are taken."""

    async def scenario() -> None:
        slots = ConcurrencyLimit(most=1, waiting=2)
        assert await slots.take()
        jobs = [asyncio.ensure_future(slots.take(name, job=True)) for name in ("a", "b")]
        await settle()
        request = asyncio.ensure_future(slots.take("c"))
        await settle()
        assert [job.done() and job.result() for job in jobs] == [False, False]
        assert jobs[0].done() != jobs[1].done()
        assert slots.requests_wait
        # No job takes the place of anybody but another job.
        assert await slots.take("a", job=True) is False
        slots.give()
        await settle()
        assert request.done()
        slots.give()
        await settle()
        assert sorted(await asyncio.gather(*jobs)) == [False, True]
        slots.give()
        assert (slots.taken, slots.waiting) == (0, 0)

    asyncio.run(scenario())


def test_a_newcomer_does_not_overtake() -> None:
    """A slot that is given back goes to whoever waits, not to whoever asks at that moment."""

    async def scenario() -> None:
        slots = ConcurrencyLimit(most=1, waiting=5)
        assert slots.take_now()
        waiting = asyncio.ensure_future(slots.take())
        await settle()
        slots.give()
        assert not slots.take_now()
        assert await waiting

    asyncio.run(scenario())


def test_no_slot_leaks_whatever_the_order() -> None:
    """Thousands of takes, gives, cancellations and turnings-away in random order end with none taken."""

    async def scenario() -> None:
        chance = random.Random(7)
        slots = ConcurrencyLimit(most=4, waiting=8)
        most = 0

        async def call() -> None:
            nonlocal most
            if await slots.take():
                most = max(most, slots.taken)
                try:
                    await settle(chance.randrange(4))
                finally:
                    slots.give()

        calls: list[asyncio.Task[None]] = []
        for _ in range(3000):
            calls.append(asyncio.create_task(call()))
            if chance.random() < 0.3:
                chance.choice(calls[-20:]).cancel()
            if chance.random() < 0.02:
                slots.turn_away()
            await settle(chance.randrange(3))
        await asyncio.wait(calls)
        assert (slots.taken, slots.waiting, most) == (0, 0, 4)

    asyncio.run(scenario())


def test_slots_go_to_the_users_who_wait_in_turn() -> None:
    """One who waits a hundredfold delays another by one call."""

    async def scenario() -> None:
        slots = ConcurrencyLimit(most=1, waiting=100)
        assert await slots.take("greedy")
        order: list[str] = []

        async def wait(user: str) -> None:
            assert await slots.take(user)
            order.append(user)

        waits = [asyncio.ensure_future(wait(user)) for user in ["greedy"] * 5 + ["ann", "bob", "ann"]]
        await settle()
        for _ in range(8):
            slots.give()
            await settle()
        await asyncio.gather(*waits)
        assert order == ["greedy", "ann", "bob", "greedy", "ann", "greedy", "greedy", "greedy"]
        slots.give()
        assert (slots.taken, slots.waiting) == (0, 0)

    asyncio.run(scenario())


def test_a_full_waiting_room_has_a_place_for_whoever_has_fewer() -> None:
    """The last of the user with most gives way; nobody gives way to an equal."""

    async def scenario() -> None:
        slots = ConcurrencyLimit(most=1, waiting=3)
        assert await slots.take("greedy")
        greedy = [asyncio.ensure_future(slots.take("greedy")) for _ in range(3)]
        await settle()
        assert await slots.take("greedy") is False
        ann = asyncio.ensure_future(slots.take("ann"))
        await settle()
        assert [one.done() for one in greedy] == [False, False, True]
        assert await greedy[2] is False
        assert await slots.take("ann") is False
        bob = asyncio.ensure_future(slots.take("bob"))
        await settle()
        assert await greedy[1] is False
        assert slots.waiting == 3
        slots.turn_away()
        assert [await one for one in (greedy[0], ann, bob)] == [False] * 3
        assert (slots.taken, slots.waiting) == (1, 0)

    asyncio.run(scenario())
