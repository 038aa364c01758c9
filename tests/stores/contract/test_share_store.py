"""What every ShareStore does, whichever store is behind it, and that a share's debt comes back on entries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stores.contract.conftest import RedisBench
from tests.support.redis_server import RedisServer
from turnout.ports.admission import Ask
from turnout.ports.sharing import SHARED_SCORES, ShareReport, ShareStore
from turnout.stores.memory.share_store import MemoryShareStore
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.gate import Bounds, RedisGate
from turnout.stores.redis.share_store import RedisShareStore


@dataclass
class Bench:
    """A store under test. debt: returns the debt that an Entry carries."""

    share_store: ShareStore
    debt: Callable[[str], Awaitable[float | None]]


@asynccontextmanager
async def memory() -> AsyncIterator[Bench]:
    share_store = MemoryShareStore()

    async def debt(name: str) -> float:
        return share_store.debt(name)

    yield Bench(share_store, debt)


@asynccontextmanager
async def redis(server: RedisServer) -> AsyncIterator[Bench]:
    client = RedisBench(server).client()
    gate = RedisGate(client, Bounds(max_entries=1, max_bytes=1))

    async def debt(name: str) -> float | None:
        return (await gate.enter(Ask(share_name=name))).debt

    yield Bench(RedisShareStore(client), debt)
    await gate.close()


@pytest.fixture(params=["memory", "redis"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    """Runs a scenario on each store."""

    def run(scenario: Callable[[Bench], Awaitable[None]]) -> None:
        async def main() -> None:
            in_memory = request.param == "memory"
            async with memory() if in_memory else redis(request.getfixturevalue("redis_server")) as bench:
                await scenario(bench)

        asyncio.run(main())

    return run


def test_each_process_gets_what_others_added_since_and_not_its_own(run: Any) -> None:
    """To the last bit: equal scores must be known for equal. A new process gets all."""

    async def scenario(bench: Bench) -> None:
        one = await bench.share_store.add("a", ShareReport(scores=(1 / 3, 0.1), debt=0.7), 0)
        assert one is not None
        assert (one.debt, one.count, one.scores) == (pytest.approx(0.7), 2, ())
        two = await bench.share_store.add("a", ShareReport(scores=(0.9,), debt=-0.3), 0)
        assert two is not None
        assert (two.debt, two.count, two.scores) == (pytest.approx(0.4), 3, (1 / 3, 0.1))
        again = await bench.share_store.add("a", ShareReport(), one.count)
        assert again is not None
        assert (again.count, again.scores) == (3, (0.9,))
        assert again.processes >= 1

    run(scenario)


def test_another_name_is_another_share(run: Any) -> None:
    """A new scorer file's scores and debts are its own."""

    async def scenario(bench: Bench) -> None:
        await bench.share_store.add("v1:0.3", ShareReport(scores=(0.5,), debt=3.0), 0)
        other = await bench.share_store.add("v2:0.3", ShareReport(), 0)
        assert other is not None
        assert (other.debt, other.count, other.scores) == (0.0, 0, ())
        assert await bench.debt("v2:0.3") == 0.0
        assert await bench.debt("never") == 0.0

    run(scenario)


def test_the_newest_are_kept(run: Any) -> None:
    """However many come at once or in all."""

    async def scenario(bench: Bench) -> None:
        for start in (0, 300, 600):
            await bench.share_store.add("a", ShareReport(scores=tuple(float(n) for n in range(start, start + 300))), 0)
        state = await bench.share_store.add(
            "a", ShareReport(scores=tuple(-float(n) for n in range(SHARED_SCORES + 50))), 0
        )
        assert state is not None
        assert state.scores == tuple(float(n) for n in range(900 - SHARED_SCORES, 900))
        assert state.count == 900 + SHARED_SCORES
        left = await bench.share_store.add("a", ShareReport(), 0)
        assert left is not None
        assert left.scores == tuple(-float(n) for n in range(50, SHARED_SCORES + 50))

    run(scenario)


def test_a_count_that_was_never_reached_is_none(run: Any) -> None:
    """The store that returned it was lost: all that is there now is new."""

    async def scenario(bench: Bench) -> None:
        await bench.share_store.add("a", ShareReport(scores=(0.5, 0.6)), 0)
        state = await bench.share_store.add("a", ShareReport(), 1000)
        assert state is not None
        assert (state.count, state.scores) == (2, (0.5, 0.6))

    run(scenario)


def test_the_debt_comes_back_on_an_entry(run: Any) -> None:
    """The sum of what all added, exactly; and only where it is asked for."""

    async def scenario(bench: Bench) -> None:
        for _ in range(10):
            await bench.share_store.add("a", ShareReport(scores=(0.5,), debt=-0.1), 0)
            await bench.share_store.add("a", ShareReport(scores=(0.5,), debt=0.3), 0)
        assert await bench.debt("a") == pytest.approx(2.0, abs=1e-9)

    run(scenario)


def test_an_entry_carries_no_debt_that_was_not_asked_for(redis_server: RedisServer) -> None:
    """None is not nothing owed: it says that nothing is shared."""

    async def scenario() -> None:
        gate = RedisGate(RedisBench(redis_server).client(), Bounds(max_entries=1, max_bytes=1))
        assert (await gate.enter(Ask())).debt is None
        assert (await gate.enter(Ask(circuits=("a",)))).debt is None
        assert (await gate.enter(Ask(share_name="a"))).debt == 0.0
        await gate.close()

    asyncio.run(scenario())


def test_it_is_forgotten_after_a_day(redis_server: RedisServer) -> None:
    """Both keys, counted from the last addition."""
    bench = RedisBench(redis_server)

    async def scenario() -> None:
        client = bench.client()
        await RedisShareStore(client).add("a", ShareReport(scores=(0.5,)), 0)
        connection = await client.here().session.connection()
        for kind in ("s", "w"):
            left = await connection.execute("PTTL", f"{{{bench.prefix}}}:{kind}:a")
            assert 86_000_000 < left <= 86_400_000
        await client.close()

    asyncio.run(scenario())


def test_an_unreachable_redis_returns_nothing() -> None:
    """And raises nothing."""

    async def scenario() -> None:
        client = RedisClient(url="redis://127.0.0.1:1/0", prefix="x", timeout_s=0.2)
        assert await RedisShareStore(client).add("a", ShareReport(scores=(0.5,)), 0) is None
        await client.close()

    asyncio.run(scenario())
