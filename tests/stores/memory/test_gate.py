"""The memory gate: hit, follow and lead; a lease that ends by itself."""

from __future__ import annotations

import asyncio

from turnout.ports.admission import Ask, Follow, Hit, Lead, NewEntry, Settlement
from turnout.ports.limits import BudgetClaim, BudgetRefused, RateClaim
from turnout.stores.memory.gate import MemoryGate
from turnout.testing import ManualClock

STORE = NewEntry(packed=b"answer", ttl_s=10, stale_s=20)


def test_the_gate_hits_follows_and_leads() -> None:
    """One leads, others follow until it leaves; then all hit until the answer is stale, and stale keeps on."""

    async def scenario() -> None:
        clock = ManualClock()
        gate = MemoryGate(clock=clock, max_entries=10, max_bytes=10_000, lease_s=60)
        first = (await gate.enter(Ask(key=b"k"))).verdict
        assert isinstance(first, Lead)
        assert isinstance((await gate.enter(Ask(key=b"k"))).verdict, Follow)
        assert isinstance((await gate.enter(Ask(key=b"k", collapse=False))).verdict, Lead)
        await gate.leave(Settlement(key=b"k", lease=first.lease, store=STORE))
        hit = (await gate.enter(Ask(key=b"k"))).verdict
        assert isinstance(hit, Hit)
        await clock.advance(5)
        assert isinstance((await gate.enter(Ask(key=b"k", max_age_s=4, collapse=False))).verdict, Lead)
        await clock.advance(10)
        assert isinstance((await gate.enter(Ask(key=b"k"))).verdict, Lead)
        stale = await gate.stale(b"k")
        assert stale is not None
        assert stale.age_s == 15
        await clock.advance(20)
        assert await gate.stale(b"k") is None

    asyncio.run(scenario())


def test_a_lease_that_is_never_given_back_ends() -> None:
    """A flight that died with its loop does not block its key for ever."""

    async def scenario() -> None:
        clock = ManualClock()
        gate = MemoryGate(clock=clock, max_entries=10, max_bytes=10_000, lease_s=60)
        await gate.enter(Ask(key=b"k"))
        await clock.advance(61)
        assert isinstance((await gate.enter(Ask(key=b"k"))).verdict, Lead)

    asyncio.run(scenario())


def test_whom_a_refused_request_names_leaves_nothing_behind() -> None:
    """Ten thousand invented users, all refused by the total: no account of theirs is kept, an admitted one's is."""

    async def scenario() -> None:
        gate = MemoryGate(clock=ManualClock(), max_entries=10, max_bytes=10_000, lease_s=720)
        total = BudgetClaim(policy="total", key="total", limit=1, rolling_s=3600)

        def ask(name: str, worst: int) -> Ask:
            rate = RateClaim(policy="user", key=name, limit=9, window_s=3600)
            budget = BudgetClaim(policy="user", key=name, limit=9, rolling_s=3600)
            return Ask(rates=(rate,), budgets=(budget, total), worst=(worst,))

        for number in range(10_000):
            assert isinstance((await gate.enter(ask(f"invented-{number}", 2))).verdict, BudgetRefused)
        assert len(gate.ledger._accounts) == 0
        assert isinstance((await gate.enter(ask("ann", 1))).verdict, Lead)
        assert len(gate.ledger._accounts) == 3

    asyncio.run(scenario())


def test_accounts_that_count_no_longer_are_forgotten() -> None:
    """Of a thousand users who came once, a few requests later none is kept; whoever still counts is."""

    async def scenario() -> None:
        clock = ManualClock()
        gate = MemoryGate(clock=clock, max_entries=10, max_bytes=10_000, lease_s=720)

        def ask(name: str) -> Ask:
            rate = RateClaim(policy="user", key=name, limit=9, window_s=60)
            budget = BudgetClaim(policy="user", key=name, limit=9, rolling_s=60)
            return Ask(rates=(rate,), budgets=(budget,), worst=(1,))

        for number in range(1000):
            verdict = (await gate.enter(ask(f"user-{number}"))).verdict
            assert isinstance(verdict, Lead)
            await gate.leave(Settlement(key=b"", lease=verdict.lease, cost=1))
        assert len(gate.ledger._accounts) == 2000
        await clock.advance(121)
        verdict = (await gate.enter(ask("ann"))).verdict
        assert isinstance(verdict, Lead)
        for _ in range(1100):
            await gate.enter(Ask(rates=(RateClaim(policy="user", key="ann", limit=9, window_s=60),)))
        assert len(gate.ledger._accounts) == 2

    asyncio.run(scenario())
