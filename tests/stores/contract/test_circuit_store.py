"""What every CircuitStore does, whichever store is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
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
class Bench:
    """A store under test. states: returns what an Entry carries of circuits. advance: moves its time."""

    circuit_store: CircuitStore
    states: Callable[[Iterable[str]], Awaitable[Mapping[str, Circuit]]]
    advance: Callable[[float], Awaitable[None]]


@asynccontextmanager
async def memory() -> AsyncIterator[Bench]:
    clock = ManualClock()
    circuit_store = MemoryCircuitStore(clock=clock)

    async def states(names: Iterable[str]) -> Mapping[str, Circuit]:
        return circuit_store.states(names)

    yield Bench(circuit_store, states, clock.advance)


@asynccontextmanager
async def redis(server: RedisServer) -> AsyncIterator[Bench]:
    redis_bench = RedisBench(server)
    client = redis_bench.client()
    gate = RedisGate(client, Bounds(max_entries=1, max_bytes=1))

    async def states(names: Iterable[str]) -> Mapping[str, Circuit]:
        return (await gate.enter(Ask(circuits=tuple(names)))).circuits

    yield Bench(RedisCircuitStore(client), states, redis_bench.pass_time)
    await gate.close()


@pytest.fixture(params=["memory", "redis"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    """Runs a scenario on each kind of bench."""

    def run(scenario: Callable[[Bench], Awaitable[None]]) -> None:
        async def main() -> None:
            in_memory = request.param == "memory"
            async with memory() if in_memory else redis(request.getfixturevalue("redis_server")) as bench:
                await scenario(bench)

        asyncio.run(main())

    return run


def test_posted_states_come_back_with_their_time_running(run: Any) -> None:
    """Only what was asked for; the times count down to 0; open stays open until it is replaced."""

    async def scenario(bench: Bench) -> None:
        await bench.circuit_store.post("a", Circuit(open=True, open_for_s=2.0, paused_for_s=1.0))
        await bench.circuit_store.post("b", Circuit(paused_for_s=5.0))
        states = await bench.states(["a", "never posted"])
        assert states["a"].open
        assert 1.5 < states["a"].open_for_s <= 2.0
        assert 0.5 < states["a"].paused_for_s <= 1.0
        assert list(states) == ["a"]
        await bench.advance(2.5)
        assert (await bench.states(["a"]))["a"] == Circuit(open=True)

    run(scenario)


def test_the_last_post_holds(run: Any) -> None:
    """A circuit that was closed comes back as closed: without it, others would keep what they know."""

    async def scenario(bench: Bench) -> None:
        await bench.circuit_store.post("a", Circuit(open=True, open_for_s=30.0))
        await bench.circuit_store.post("a", Circuit())
        assert await bench.states(["a"]) == {"a": Circuit()}

    run(scenario)


def test_of_many_claims_one_is_granted(run: Any) -> None:
    """Until it is released; circuits do not know each other."""

    async def scenario(bench: Bench) -> None:
        claims = await asyncio.gather(*(bench.circuit_store.claim("a", 30.0) for _ in range(50)))
        assert sum(claims) == 1
        assert await bench.circuit_store.claim("b", 30.0)
        await bench.circuit_store.release("a")
        assert await bench.circuit_store.claim("a", 30.0)

    run(scenario)


def test_a_claim_ends_with_its_lease(run: Any) -> None:
    """Whoever died with a probe keeps it no longer than the lease."""

    async def scenario(bench: Bench) -> None:
        assert await bench.circuit_store.claim("a", 1.0)
        assert not await bench.circuit_store.claim("a", 1.0)
        await bench.advance(1.1)
        assert await bench.circuit_store.claim("a", 1.0)

    run(scenario)
