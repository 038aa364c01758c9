"""What workers may spend by themselves while Redis is away is set aside there: together never more than was left."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.stores.contract.conftest import RedisBench
from tests.support.redis_server import RedisServer
from turnout.errors import BudgetUnavailable
from turnout.ports.admission import Ask, Lead, Settlement
from turnout.ports.limits import BudgetClaim, BudgetState
from turnout.stores.allowances import Allowances
from turnout.stores.failover import FailoverGate
from turnout.stores.memory.gate import MemoryGate
from turnout.stores.redis.connection import StoreUnreachable
from turnout.stores.redis.gate import Bounds, RedisGate
from turnout.testing import ManualClock

DAY = BudgetClaim(policy="total", key="total", limit=1000, windows=((0, 4_000_000_000),))
ROLLING = BudgetClaim(policy="user", key="user:ann", limit=1000, rolling_s=4096)
STATE = BudgetState(claim=DAY, spent=0, reserved=0, start=0, end=4_000_000_000)
WORST = 20


class Worker:
    """One worker's gate, cut off from Redis at will. spent: by the provider's books."""

    def __init__(self, bench: RedisBench) -> None:
        self.clock = ManualClock(1000.0)
        self.shared = RedisGate(
            bench.client(), Bounds(max_entries=9, max_bytes=9999), self.clock.monotonic, spends_alone=True
        )
        self.gate = FailoverGate(
            shared=self.shared,
            local=lambda: MemoryGate(clock=self.clock, max_entries=9, max_bytes=9999, lease_s=100),
            clock=self.clock,
            budgets_local=True,
            on_change=lambda up, reason: None,
        )
        self.open: list[str] = []
        self.spent = 0
        self._connection: Any = None

    def cut(self, *, deaf: bool = True) -> None:
        """deaf: nor is it asked for its allowances."""
        if deaf:
            self.shared._client.yield_allowance = None
        session = self.shared._client.here().session
        if self._connection is None:
            self._connection = session.connection

            async def refuse() -> Any:
                raise StoreUnreachable("cut off")

            session.connection = refuse  # type: ignore[method-assign]

    def heal(self) -> None:
        self.shared._client.yield_allowance = self.shared._yield
        if self._connection is not None:
            self.shared._client.here().session.connection = self._connection  # type: ignore[method-assign]
            self._connection = None

    async def begin(self, claim: BudgetClaim) -> bool:
        try:
            verdict = (await self.gate.enter(Ask(budgets=(claim,), worst=(WORST,)))).verdict
        except BudgetUnavailable:
            return False
        if isinstance(verdict, Lead):
            self.spent += WORST
            self.open.append(verdict.lease)
        return isinstance(verdict, Lead)

    async def end(self) -> None:
        await self.gate.leave(Settlement(key=None, lease=self.open.pop(0), cost=WORST))

    async def settle_all(self) -> None:
        while self.open:
            await self.end()

    async def return_(self) -> None:
        self.heal()
        for _ in range(8):
            await self.clock.advance(1.5)
            for _ in range(200):
                await asyncio.sleep(0.001)
                if not self.gate._outage.active and not self.gate._book and not self.gate._reports:
                    return


@pytest.mark.parametrize("claim", [DAY, ROLLING], ids=["calendar", "rolling"])
@pytest.mark.parametrize("seed", range(6))
def test_no_sequence_of_outages_passes_the_budget(redis_server: RedisServer, claim: BudgetClaim, seed: int) -> None:
    """Three workers call, end calls, are cut off, return and start anew, in any order: all spend no more than it."""
    chance = random.Random(seed)

    async def scenario() -> None:
        bench = RedisBench(redis_server)
        workers, gone = [Worker(bench) for _ in range(3)], []
        for _ in range(150):
            at = chance.randrange(3)
            worker = workers[at]
            step = chance.choices(["begin", "end", "cut", "return", "restart"], [60, 30, 6, 6, 1])[0]
            if step == "begin":
                await worker.begin(claim)
            elif step == "end" and worker.open:
                await worker.end()
            elif step == "cut":
                worker.cut(deaf=chance.random() < 0.5)
            elif step == "return":
                await worker.return_()
            elif step == "restart":
                gone.append(worker)
                workers[at] = Worker(bench)
            assert sum(each.spent for each in (*workers, *gone)) <= claim.limit
        for worker in (*workers, *gone):
            worker.heal()
            await worker.return_()
            await worker.settle_all()
            await worker.gate.close()
        bench.close()

    asyncio.run(scenario())


def test_a_budget_is_used_up_though_workers_hold_allowances(redis_server: RedisServer) -> None:
    """Who needs what another has set aside is given it; a cut off one's is not touched, and is spent by it alone."""

    async def scenario() -> None:
        bench = RedisBench(redis_server)
        one, two = Worker(bench), Worker(bench)
        for worker in (two, one):
            assert await worker.begin(DAY)
            await worker.end()
        while await one.begin(DAY):
            await one.end()
        assert one.spent + two.spent == 1000
        await one.gate.close()
        await two.gate.close()
        bench.close()

    asyncio.run(scenario())


def test_what_a_cut_off_worker_holds_is_left_to_it(redis_server: RedisServer) -> None:
    """It spends that much, the other the rest; a worker that starts in the outage spends nothing."""

    async def scenario() -> None:
        bench = RedisBench(redis_server)
        one, two = Worker(bench), Worker(bench)
        # The first had one half of the budget to itself, and gives it back.
        while not two.shared.allowances.amount(DAY, 1000, 1000):
            for worker in (one, two):
                assert await worker.begin(DAY)
                await worker.gate.leave(Settlement(key=None, lease=worker.open.pop(0)))
                worker.spent -= WORST
            await asyncio.sleep(0.01)
        two.cut()
        while await one.begin(DAY):
            await one.end()
        new = Worker(bench)
        new.cut()
        assert not await new.begin(DAY)
        before = two.spent
        while await two.begin(DAY):
            await two.end()
        assert two.spent > before
        assert 1000 - 2 * WORST <= one.spent + two.spent <= 1000
        await two.return_()
        while await one.begin(DAY):
            await one.end()
        assert one.spent + two.spent == 1000
        for worker in (one, two, new):
            worker.heal()
            await worker.gate.close()
        bench.close()

    asyncio.run(scenario())


def test_only_a_newer_grant_raises_an_allowance() -> None:
    """One that was given up stays so until Redis grants anew, and while something is untold nothing changes."""
    allowances = Allowances()
    allowances.record([STATE], [("100", "7", "1000")], 50.0)
    assert allowances.amount(DAY, 10, 50.5) == 100
    assert allowances.amount(DAY, 10, 51.0) == 0, "its time is over"
    assert allowances.amount(DAY, 4_000_000_001, 50.5) == 0, "its window is over"
    assert allowances.give_up() == [("b:0-4000000000:total", 7)]
    allowances.record([STATE], [("100", "7", "1000")], 50.0)
    assert allowances.amount(DAY, 10, 50.5) == 0
    allowances.record([STATE], [("80", "9", "1000")], 50.0)
    allowances.frozen = True
    allowances.record([STATE], [("500", "11", "1000")], 50.0)
    assert allowances.amount(DAY, 10, 50.5) == 80
    assert allowances.give_up() == []


def test_allowances_are_bounded() -> None:
    """The least recently told is given up first."""
    allowances = Allowances(2)
    for number in range(1000):
        claim = BudgetClaim(policy="user", key=f"u{number}", limit=9, rolling_s=60)
        allowances.record([BudgetState(claim=claim, spent=0, reserved=0, start=0, end=1)], [("1", "1", "9")], 0.0)
    assert len(allowances) == 2
