"""Thousands of requests through random faults, cancellations and departures: nothing is stuck, held or leaked."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

from turnout import Turnout
from turnout.attempt_errors import (
    AttemptError,
    CallerFault,
    ConnectionFailed,
    Denied,
    MalformedReply,
    Misconfigured,
    ProviderFailed,
    ProviderRateLimited,
    Unsupported,
)
from turnout.context import Caller, Directives
from turnout.errors import ServedError
from turnout.openai.requests import from_call
from turnout.ports.runtime import ProviderCall
from turnout.testing import FixedScorer, Hangs, ManualClock, Says, ScriptedProvider, Step

MODELS = ("openai/small", "openai/spare", "openai/large")
ROOT = Path(__file__).parents[2]
CROWD = 50


class Sickly(ScriptedProvider):
    """Draws what it does from chance, anew for each call."""

    def __init__(self, chance: random.Random, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self._draw = chance
        self.sick = True

    def _begin(self, call: ProviderCall) -> Step:
        self.calls[call.model] += 1
        return self._step() if self.sick else "ok"

    def _step(self) -> Step:
        draw = self._draw
        faults: tuple[AttemptError, ...] = (
            ProviderFailed("x", status=500),
            ProviderFailed("x", status=503, retry_after_s=draw.choice([0.5, 60.0])),
            ProviderRateLimited("x", status=429),
            ProviderRateLimited("x", status=429, retry_after_s=draw.choice([0.0, 1.0, 20.0])),
            ConnectionFailed("x"),
            MalformedReply("x"),
            Denied("x", status=404),
            Unsupported("x"),
            CallerFault("x"),
        )
        kind = draw.random()
        if kind < 0.002:
            return Misconfigured("x", status=401)
        if kind < 0.35:
            return draw.choice(faults)
        if kind < 0.40:
            return Hangs()
        if kind < 0.50:
            return Says("a b c", after_s=draw.uniform(0, 5), between_s=draw.uniform(0, 12), breaks=draw.choice(faults))
        return Says("a b c", after_s=draw.uniform(0, 5), between_s=draw.uniform(0, 1))


async def one(turnout: Turnout, chance: random.Random, number: int) -> None:
    """One request: plain or streamed, with a deadline of its own or not, its reader leaving early or not."""
    deadline = chance.choice([None, None, None, 0.5, 3.0])
    context = turnout.context(Caller(user="ann"), Directives(deadline_s=deadline))
    text = f"question {number if chance.random() < 0.8 else number // 10}"
    with contextlib.suppress(ServedError):
        if chance.random() < 0.5:
            await turnout.completed(from_call(text, stream=False, params={}), context)
            return
        stream = await turnout.streamed(from_call(text, stream=True, params={}), context)
        left = chance.choice([1, 2, 100])
        async for _ in stream:
            left -= 1
            if not left:
                break
        await stream.aclose()


async def traced(clock: ManualClock) -> int:
    """Bytes in use on a request's way, once the clock has let go of the timeouts that were not needed. What other
    threads of the test run do meanwhile, such as importing litellm, is no growth of ours."""
    await clock.advance(700)
    gc.collect()
    ours = [tracemalloc.Filter(True, f"*/{place}/*") for place in ("turnout", "json", "asyncio")]
    taken = tracemalloc.take_snapshot().filter_traces(ours)
    return sum(trace.size for trace in taken.traces)


def soak(requests: int) -> int:
    """So many requests, and what must hold of them. By how many bytes memory grew in their second half."""

    async def scenario() -> int:
        chance, clock = random.Random(4), ManualClock()
        provider = Sickly(chance, clock)
        config: dict[str, Any] = {
            "tiers": {"cheap": {"models": list(MODELS[:2])}, "expensive": {"models": [MODELS[2]]}},
            "models": {name: {"max_concurrency": 8, "max_waiting": 8} for name in MODELS},
            "routing": {"threshold": 0.5},
            "cache": {"max_entries": 100},
        }
        turnout = Turnout(config, clock=clock, provider=provider, scorer=FixedScorer(0.1, scores={"7": 0.9}))
        half = 0
        states: set[str] = set()
        for number in range(0, requests, CROWD):
            crowd = [asyncio.ensure_future(one(turnout, chance, number + index)) for index in range(CROWD)]
            await clock.advance(chance.uniform(0, 0.5))
            for asked in crowd:
                if chance.random() < 0.15:
                    asked.cancel()
            states |= {turnout.bulkhead.guard.state(turnout.bulkhead.circuit(name)).phase for name in MODELS}
            await clock.run(asyncio.gather(*crowd, return_exceptions=True))
            for asked in crowd:
                assert asked.cancelled() or asked.exception() is None
            if number == requests // 4:
                tracemalloc.start()
            elif number == requests // 2:
                half = await traced(clock)
        assert {"closed", "open"} <= states
        await turnout.aclose()
        grown = await traced(clock) - half
        tracemalloc.stop()
        assert provider.open == 0
        assert [turnout.bulkhead.busy(name) for name in MODELS] == [0, 0, 0]
        assert len(asyncio.all_tasks()) == 1

        # Whatever state the circuits were left in, a healthy provider is in use again once every time is over.
        provider.sick = False
        await clock.advance(3700)
        for name in MODELS:
            for _ in range(2):
                work = asyncio.ensure_future(turnout.complete(f"again {name} {_}", model=name))
                await clock.run(work)
                assert work.result().outcome.model == name
            assert turnout.bulkhead.look(name) is None
        return grown

    return asyncio.run(scenario())


def test_three_thousand_requests_leave_nothing_behind() -> None:
    """No circuit stuck, no task, slot or call left, and no memory that grows with the number of requests.

    In a process of its own: what other tests have left behind, or have still running, is no growth of ours.
    `nox -s hostile` makes ten thousand.
    """
    command = [sys.executable, "-m", "tests.upstream.test_soak", "3000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    logging.disable()
    asked_for = int(sys.argv[1])
    # Memory is measured from a quarter on.
    assert asked_for % (4 * CROWD) == 0
    growth = soak(asked_for)
    print(f"memory grew by {growth} bytes")
    # 100 bytes a request, of one half.
    assert growth < 50 * asked_for
