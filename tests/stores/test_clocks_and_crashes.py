"""What becomes of limits and budgets when a clock jumps, Redis comes back empty, a worker is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.stores.contract.conftest import STILL_CLOCK, RedisBench
from tests.support.redis_server import RedisServer
from turnout.ports.admission import Ask, Gate, Lead, Settlement
from turnout.ports.limits import BudgetClaim, BudgetState, RateClaim, RateRefused
from turnout.stores.memory.gate import MemoryGate
from turnout.stores.redis.connection import StoreUnreachable
from turnout.testing import ManualClock

RATE = RateClaim(policy="user", key="user:ann", limit=2, window_s=60)
NOW = 1_800_000_000
DAY = BudgetClaim(
    policy="total", key="total", limit=1000, windows=((0, 86_400), (86_400, 10**7), (NOW - 9, NOW + 10**6))
)


async def book(gate: Gate) -> tuple[int, int]:
    (state,) = await gate.leave(Settlement(key=None, lease="nobody", budgets=(DAY,)))
    assert isinstance(state, BudgetState)
    return state.spent, state.reserved


async def reserve(gate: Gate, worst: int = 400, lease_s: float = 100.0) -> str:
    verdict = (await gate.enter(Ask(budgets=(DAY,), worst=(worst,), lease_s=lease_s))).verdict
    assert isinstance(verdict, Lead)
    return verdict.lease


class JumpingClock(ManualClock):
    """Its wall clock can be set; its monotonic one cannot."""

    jump = 0.0

    def time(self) -> float:
        return self.monotonic() + self.jump


def test_a_wall_clock_that_jumps_and_comes_back_finds_the_account_as_it_was() -> None:
    """In memory: rates do not notice; the budget's day is another for as long as the clock says so, and no more."""

    async def scenario() -> None:
        clock = JumpingClock(50_000.0)
        gate = MemoryGate(clock=clock, max_entries=10, max_bytes=1000, lease_s=100)
        await gate.leave(Settlement(key=None, lease=await reserve(gate), cost=300))
        for _ in range(2):
            await gate.enter(Ask(rates=(RATE,)))
        clock.jump = 40_000.0
        assert isinstance((await gate.enter(Ask(rates=(RATE,)))).verdict, RateRefused)
        assert await book(gate) == (0, 0)
        clock.jump = -40_000.0
        assert isinstance((await gate.enter(Ask(rates=(RATE,)))).verdict, RateRefused)
        assert await book(gate) == (300, 0)

    asyncio.run(scenario())


def test_redis_clock_set_back_blocks_nobody_for_longer_than_a_window(redis_server: RedisServer) -> None:
    """What was admitted in its future counts as of now: never more than the limit, never longer than the window."""

    async def scenario() -> None:
        bench = RedisBench(redis_server, STILL_CLOCK)
        gate = bench.gate()
        await bench.pass_time(3600)
        for _ in range(2):
            await gate.enter(Ask(rates=(RATE,)))
        await bench.pass_time(-3600)
        refused = (await gate.enter(Ask(rates=(RATE,)))).verdict
        assert isinstance(refused, RateRefused)
        assert refused.retry_after_s == 60
        await bench.pass_time(60)
        assert isinstance((await gate.enter(Ask(rates=(RATE,)))).verdict, Lead)
        await gate.close()
        bench.close()

    asyncio.run(scenario())


async def met_again(gate: Gate) -> None:
    """Asks until the new Redis answers: the first to ask finds the old connection broken."""
    while True:
        try:
            await gate.enter(Ask())
        except StoreUnreachable:
            continue
        return


def test_a_redis_that_comes_back_empty_learns_what_the_workers_know() -> None:
    """The most that any worker knows of counts as spent, reservations too; what comes after is added to it."""

    async def scenario(server: RedisServer) -> None:
        bench = RedisBench(server, STILL_CLOCK)
        first, second = bench.gate(), bench.gate()
        await first.leave(Settlement(key=None, lease=await reserve(first, 100), cost=50))
        open_lease = await reserve(second, 400)
        await first.enter(Ask(rates=(RATE,)))
        server.kill()
        server.start()
        for gate in (first, second):
            await met_again(gate)
        # 50 spent and 400 reserved: who reserved them finds no lease any more.
        assert await book(second) == (450, 0)
        await second.leave(Settlement(key=None, lease=open_lease, cost=10))
        assert await book(second) == (450, 0)
        await second.leave(Settlement(key=None, lease=await reserve(second, 100), cost=60))
        assert await book(first) == (510, 0)
        entry = await first.enter(Ask(rates=(RATE,)))
        assert entry.rates[0].remaining == 0
        await first.close()
        await second.close()
        bench.close()

    server = RedisServer()
    try:
        asyncio.run(scenario(server))
    finally:
        server.kill()


WORKER = """
import asyncio, sys
from tests.stores.contract.conftest import STILL_CLOCK, RedisBench
from tests.stores.test_clocks_and_crashes import reserve
class Server: url = sys.argv[1]
async def main():
    bench = RedisBench(Server, STILL_CLOCK)
    bench.prefix = sys.argv[2]
    await reserve(bench.gate())
    print("reserved", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_a_worker_that_is_killed_leaves_its_worst_case_spent(redis_server: RedisServer) -> None:
    """SIGKILL between reserve and settle: reserved until the lease's time is over, spent from then on."""
    bench = RedisBench(redis_server, STILL_CLOCK)
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", WORKER, redis_server.url, bench.prefix]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"reserved\n"
        worker.kill()

    async def scenario() -> None:
        gate = bench.gate()
        assert await book(gate) == (0, 400)
        await bench.pass_time(101)
        await gate.leave(Settlement(key=None, lease=await reserve(gate, 1), cost=0))
        assert await book(gate) == (400, 0)
        await gate.close()

    asyncio.run(scenario())
    bench.close()
