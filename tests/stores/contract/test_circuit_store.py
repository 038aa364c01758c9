"""What every Switchboard keeps, whichever store is behind it.

A store joins by one more entry of BOARDS: its name and what opens it. `told(names)` there is what an Entry would tell,
and `advance(seconds)` moves its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stores.contract.conftest import RedisBench
from tests.support.redis_server import RedisServer
from turnout.ports.admission import Ask
from turnout.ports.sharing import Circuit, CircuitStore
from turnout.stores.memory.circuit_store import MemoryCircuitStore
from turnout.stores.redis.circuit_store import RedisCircuitStore
from turnout.stores.redis.gate import Bounds, RedisGate
from turnout.testing import ManualClock


@dataclass
class Board:
    """A switchboard under test, with its time and what rides back from it."""

    circuit_store: CircuitStore
    told: Callable[[Iterable[str]], Awaitable[Mapping[str, Circuit]]]
    advance: Callable[[float], Awaitable[None]]


@asynccontextmanager
async def memory() -> AsyncIterator[Board]:
    clock = ManualClock()
    circuit_store = MemoryCircuitStore(clock=clock)

    async def told(names: Iterable[str]) -> Mapping[str, Circuit]:
        return circuit_store.told(names)

    yield Board(circuit_store, told, clock.advance)


BOARDS: dict[str, Callable[[], AbstractAsyncContextManager[Board]]] = {"memory": memory}


@asynccontextmanager
async def redis(server: RedisServer) -> AsyncIterator[Board]:
    bench = RedisBench(server)
    seats = bench.seats()
    gate = RedisGate(seats, Bounds(max_entries=1, max_bytes=1))

    async def told(names: Iterable[str]) -> Mapping[str, Circuit]:
        return (await gate.enter(Ask(circuits=tuple(names)))).circuits

    yield Board(RedisCircuitStore(seats), told, bench.pass_time)
    await gate.close()


@pytest.fixture(params=[*BOARDS, "redis"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Board], Awaitable[None]]], None]:
    """Runs a scenario on each kind of board."""

    def run(scenario: Callable[[Board], Awaitable[None]]) -> None:
        async def main() -> None:
            opened = BOARDS.get(request.param) or (lambda: redis(request.getfixturevalue("redis_server")))
            async with opened() as board:
                await scenario(board)

        asyncio.run(main())

    return run


def test_what_is_posted_rides_back_with_its_time_running(run: Any) -> None:
    """Only what was asked for; the times count down to 0; open stays open until it is replaced."""

    async def scenario(board: Board) -> None:
        await board.circuit_store.post("a", Circuit(open=True, open_for_s=2.0, paused_for_s=1.0))
        await board.circuit_store.post("b", Circuit(paused_for_s=5.0))
        told = await board.told(["a", "never posted"])
        assert told["a"].open
        assert 1.5 < told["a"].open_for_s <= 2.0
        assert 0.5 < told["a"].paused_for_s <= 1.0
        assert list(told) == ["a"]
        await board.advance(2.5)
        assert (await board.told(["a"]))["a"] == Circuit(open=True)

    run(scenario)


def test_the_last_post_holds(run: Any) -> None:
    """A circuit that was closed is told as closed: silence would leave others with what they knew."""

    async def scenario(board: Board) -> None:
        await board.circuit_store.post("a", Circuit(open=True, open_for_s=30.0))
        await board.circuit_store.post("a", Circuit())
        assert await board.told(["a"]) == {"a": Circuit()}

    run(scenario)


def test_of_many_claims_one_is_granted(run: Any) -> None:
    """Until it is released; circuits do not know each other."""

    async def scenario(board: Board) -> None:
        claims = await asyncio.gather(*(board.circuit_store.claim("a", 30.0) for _ in range(50)))
        assert sum(claims) == 1
        assert await board.circuit_store.claim("b", 30.0)
        await board.circuit_store.release("a")
        assert await board.circuit_store.claim("a", 30.0)

    run(scenario)


def test_a_claim_ends_with_its_lease(run: Any) -> None:
    """Whoever died with a probe keeps it no longer than the lease."""

    async def scenario(board: Board) -> None:
        assert await board.circuit_store.claim("a", 1.0)
        assert not await board.circuit_store.claim("a", 1.0)
        await board.advance(1.1)
        assert await board.circuit_store.claim("a", 1.0)

    run(scenario)
