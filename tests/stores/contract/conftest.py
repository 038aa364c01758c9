"""Every test of this folder runs on each store. `bench.run(scenario)` gives it a gate and moves its time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

import pytest
import redis

from tests.support.redis_server import RedisServer
from turnout.ports.admission import Gate
from turnout.stores.memory.gate import MemoryGate
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.gate import Bounds, RedisGate
from turnout.stores.redis.scripts import Scripts
from turnout.testing import ManualClock

MAX_ENTRIES = 50
MAX_BYTES = 100_000
# The wall clock, moved by what the test has put beside our keys.
MOVED_CLOCK = """
local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000) + (tonumber(redis.call('GET', ROOT .. ':moved')) or 0)
end
"""
# A clock that stands still but for that, for tests that hold verdicts to the millisecond.
STILL_CLOCK = """
local function clock_ms()
  return 1800000000000 + (tonumber(redis.call('GET', ROOT .. ':moved')) or 0)
end
"""


class Bench(Protocol):
    """A store under test."""

    def gate(self) -> Gate:
        """A gate on this store, as one process has it."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """Moves the store's own clock on."""
        ...


class MemoryBench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self._gate = MemoryGate(clock=self.clock, max_entries=MAX_ENTRIES, max_bytes=MAX_BYTES, lease_s=720)

    def gate(self) -> MemoryGate:
        return self._gate

    async def pass_time(self, seconds: float) -> None:
        await self.clock.advance(seconds)


class RedisBench:
    def __init__(self, server: RedisServer, clock: str = MOVED_CLOCK) -> None:
        self.url = server.url
        self._clock = clock
        self._client = redis.Redis.from_url(server.url)
        self.prefix = f"test-{secrets.token_hex(6)}"

    def gate(self) -> RedisGate:
        # Patient: a busy machine is no defect of the store.
        return RedisGate(self.client(), Bounds(max_entries=MAX_ENTRIES, max_bytes=MAX_BYTES))

    def client(self) -> RedisClient:
        return RedisClient(url=self.url, prefix=self.prefix, timeout_s=5.0, scripts=Scripts({"clock": self._clock}))

    async def pass_time(self, seconds: float) -> None:
        if seconds:
            self._client.incrby(f"{{{self.prefix}}}:moved", round(seconds * 1000))

    def close(self) -> None:
        self._client.close()


@pytest.fixture(params=["memory", "redis"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The store under test, empty. Its clock stands still where the module says `STILL = True`."""
    if request.param == "memory":
        yield MemoryBench()
        return
    still = getattr(request.module, "STILL", False)
    bench = RedisBench(request.getfixturevalue("redis_server"), STILL_CLOCK if still else MOVED_CLOCK)
    yield bench
    bench.close()


Scenario = Callable[[Bench, Gate], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture
def run(bench: Bench) -> Run:
    """Runs a scenario on a gate of this store, closed at the end."""

    def run(scenario: Scenario) -> None:
        async def main() -> None:
            gate = bench.gate()
            try:
                await scenario(bench, gate)
            finally:
                await gate.close()
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())

    return run
