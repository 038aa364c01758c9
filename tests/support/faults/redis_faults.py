"""Faults of Redis under a steady load of two workers that share it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.support.faults.load import BUDGET_USD, CALL_USD, TOKENS, Books, Load, reserved_usd
from tests.support.faults.proxy import Proxy
from tests.support.faults.row import Row
from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.clock import SystemClock
from turnout.testing import FixedScorer

BEFORE_S, DURING_S, AFTER_S = 1.0, 2.0, 6.0
# Redis is looked for once a second.
HEALS_WITHIN_S = 5.0
# Every key of ours becomes another type.
_SPOIL = b"""EVAL "for _, k in ipairs(redis.call('KEYS', '*')) do local t = redis.call('TYPE', k).ok \
redis.call('DEL', k) if t == 'string' then redis.call('HSET', k, 'a', 'b') else redis.call('SET', k, 'x') end end" 0"""


class JumpingClock(SystemClock):
    """A worker's wall clock that is set by somebody."""

    jump_s = 0.0

    def time(self) -> float:
        return super().time() + self.jump_s


class Bench:
    """A Redis, the proxy before it, and the clock of one of the two workers."""

    def __init__(self) -> None:
        self.redis = RedisServer()
        self.proxy = Proxy(self.redis.port)
        self.clock = JumpingClock()

    def command(self, *lines: bytes) -> None:
        for line in lines:
            self.redis.ask(line)


Fault = Callable[[Bench], Any]


@asynccontextmanager
async def _paused(bench: Bench) -> AsyncIterator[None]:
    bench.redis.pause()
    try:
        yield
    finally:
        bench.redis.resume()


@asynccontextmanager
async def _killed(bench: Bench) -> AsyncIterator[None]:
    bench.redis.kill()
    yield
    await asyncio.to_thread(bench.redis.start)


def _configured(begin: bytes, end: bytes) -> Fault:
    @asynccontextmanager
    async def fault(bench: Bench) -> AsyncIterator[None]:
        bench.command(begin)
        yield
        bench.command(end)

    return fault


@asynccontextmanager
async def _cut_off(bench: Bench) -> AsyncIterator[None]:
    await bench.proxy.stop()
    yield
    await bench.proxy.start()


def _proxied(**wanted: Any) -> Fault:
    @asynccontextmanager
    async def fault(bench: Bench) -> AsyncIterator[None]:
        usual = {name: getattr(bench.proxy, name) for name in wanted}
        for name, value in wanted.items():
            setattr(bench.proxy, name, value)
        yield
        for name, value in usual.items():
            setattr(bench.proxy, name, value)

    return fault


def _clock(jump_s: float) -> Fault:
    @asynccontextmanager
    async def fault(bench: Bench) -> AsyncIterator[None]:
        bench.clock.jump_s = jump_s
        yield
        bench.clock.jump_s = 0.0

    return fault


FAULTS: dict[str, Fault] = {
    "Redis paused": _paused,
    "Redis killed": _killed,
    "Redis full": _configured(b"CONFIG SET maxmemory 1", b"CONFIG SET maxmemory 0"),
    "Redis read-only": _configured(b"REPLICAOF 127.0.0.1 1", b"REPLICAOF NO ONE"),
    "Redis flushed": _configured(b"FLUSHALL", b"PING"),
    "Redis cut off": _cut_off,
    "Redis answers after 200 ms": _proxied(delay_s=0.2),
    "Redis cut inside a reply": _proxied(half=True),
    "Redis keys of another type": _configured(_SPOIL, b"FLUSHALL"),
    "Redis says MOVED": _proxied(replace=b"-MOVED 1 127.0.0.1:1\r\n"),
    "a worker's clock an hour ahead": _clock(3600.0),
    "a worker's clock an hour back": _clock(-3600.0),
}


def settings(port: int) -> dict[str, Any]:
    """A budget that a call in fifty uses up; users without one too many never notice it."""
    price = CALL_USD / TOKENS * 1e6
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {
            name: {"input_usd_per_million": 0, "output_usd_per_million": price, "max_output_tokens": TOKENS}
            for name in ("openai/small", "openai/large")
        },
        "routing": {"threshold": 0.5},
        "budgets": {"per_user": f"{BUDGET_USD}/30d"},
        "redis": {"url": f"redis://127.0.0.1:{port}/0", "prefix": "faults", "timeout_s": 0.1},
    }


async def run(fault: str) -> tuple[Row, list[str]]:
    """The row of this fault, and what was wrong in it."""
    bench, books = Bench(), Books()
    async with AsyncExitStack() as stack:
        stack.callback(bench.redis.kill)
        await bench.proxy.start()
        stack.push_async_callback(bench.proxy.stop)
        clocks: tuple[Any, ...] = (bench.clock, None)
        turnouts = [
            await stack.enter_async_context(
                Turnout(settings(bench.proxy.port), provider=books, scorer=FixedScorer(0.1), clock=clock)
            )
            for clock in clocks
        ]
        load = Load(turnouts)
        await load.run(BEFORE_S)
        async with FAULTS[fault](bench):
            await load.run(DURING_S)
        ended = time.monotonic()
        await load.run(AFTER_S)
        await load.finish()
        held = await reserved_usd(turnouts[1], load.users)
    row = load.row(
        fault, ended=ended, overspent_usd=books.overspent_usd, reserved_usd=held, heals_within_s=HEALS_WITHIN_S
    )
    return row, load.wrong


def measure(fault: str) -> tuple[Row, list[str]]:
    """As `run`, on a loop of its own."""
    with contextlib.suppress(ImportError):
        import redis.asyncio  # noqa: F401 - its import is no part of any figure
    return asyncio.run(run(fault))
