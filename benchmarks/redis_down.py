"""What does a request lose when Redis goes, and how soon is it used again?

One Turnout in this process (cache and limits on) and a real redis-server on loopback, which is killed, and which is
stopped (SIGSTOP: connections stay open, nothing answers). Before, from the moment of the fault on, and from the
moment of its end on, so many requests each arrive in an open loop at a steady rate; every one is new, so each needs
the store twice. The provider answers at once: what is left is this library and its waiting for Redis. A request's
latency counts from when it was due, not from when the loop came to it.

Caveats: one process on a shared machine, whose own pauses are in every figure (see `before`); loopback, so that a
refused connection is told at once, as a dead host behind a router would not: that is the stopped one.

    python benchmarks/redis_down.py [--requests 2000] [--rate 250]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.redis_server import RedisServer

from turnout import Turnout
from turnout.context import Caller
from turnout.testing import FixedScorer, ScriptedProvider

RESULTS = Path(__file__).parent / "results"
TIMEOUT_S = 0.05
PHASES = ("before", "during", "after")


def config(url: str) -> dict[str, Any]:
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {
            name: {"input_usd_per_million": 1, "output_usd_per_million": 10}
            for name in ("openai/small", "openai/large")
        },
        "routing": {"threshold": 0.5},
        "limits": {"per_user": "10000000/minute"},
        "redis": {"url": url, "prefix": "bench", "timeout_s": TIMEOUT_S},
    }


class Told(logging.Handler):
    """When Redis was lost and found again, by this library's own log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((time.perf_counter(), record.getMessage()))

    def since(self, moment: float, words: str) -> float | None:
        return next((when - moment for when, line in self.lines if when >= moment and words in line), None)


async def phase(turnout: Turnout, name: str, requests: int, rate: float) -> dict[str, float]:
    """Latencies in ms, and how many requests were lost."""
    latencies: list[float] = []
    lost = 0

    async def one(number: int, due: float) -> None:
        nonlocal lost
        try:
            await turnout.complete(f"{name} {number}", caller=Caller(user="ann", endpoint="/ask"))
        except Exception as error:
            lost += 1
            print(f"lost: {error!r}", file=sys.stderr)
        latencies.append((time.perf_counter() - due) * 1000)

    begun = time.perf_counter() + 0.01
    asked = []
    for number in range(requests):
        due = begun + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        asked.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*asked)
    ordered = sorted(latencies)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return {
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "p99.9_ms": at(0.999),
        "max_ms": round(ordered[-1], 3),
        "over_20_ms": sum(latency > 20 for latency in ordered),
        "lost": lost,
    }


async def fault(
    kind: str, requests: int, rate: float, begin: Callable[[RedisServer], None], end: Callable[[RedisServer], None]
) -> dict[str, Any]:
    server = RedisServer()
    told = Told()
    logging.getLogger("turnout").addHandler(told)
    try:
        async with Turnout(config(server.url), provider=ScriptedProvider(), scorer=FixedScorer(0.1)) as turnout:
            await phase(turnout, f"{kind} warm", 200, rate)
            found: dict[str, Any] = {"before": await phase(turnout, f"{kind} before", requests, rate)}
            moment = time.perf_counter()
            begin(server)
            found["during"] = await phase(turnout, f"{kind} during", requests, rate)
            found["given_up_after_s"] = told.since(moment, "cannot be used")
            moment = time.perf_counter()
            await asyncio.to_thread(end, server)
            found["after"] = await phase(turnout, f"{kind} after", requests, rate)
            found["used_again_after_s"] = told.since(moment, "used again")
            return found
    finally:
        logging.getLogger("turnout").removeHandler(told)
        server.kill()


def show(kind: str, found: dict[str, Any]) -> None:
    for name in PHASES:
        figures = "  ".join(f"{key} {value:>8}" for key, value in found[name].items())
        print(f"{kind:8} {name:7} {figures}")
    for key in ("given_up_after_s", "used_again_after_s"):
        print(f"{kind:8} {key} {found[key]:.3f}" if found[key] is not None else f"{kind:8} {key} never")


def draw(results: dict[str, Any], file: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    kinds = list(results["faults"])
    quantiles = ("p50_ms", "p99_ms", "p99.9_ms")
    for index, quantile in enumerate(quantiles):
        places = [k * 3.6 + p + (index - 1) * 0.27 for k in range(len(kinds)) for p in range(3)]
        axes.bar(places, [results["faults"][k][p][quantile] for k in kinds for p in PHASES], 0.25, label=quantile[:-3])
    axes.axhline(TIMEOUT_S * 1000, color="black", linewidth=0.8, linestyle="--")
    axes.set_xticks(
        [k * 3.6 + p for k in range(len(kinds)) for p in range(3)], [f"{p}\n{k}" for k in kinds for p in PHASES]
    )
    axes.set_yscale("log")
    axes.set_ylabel("latency of a request, ms")
    axes.set_title("Redis goes, and comes back", loc="left")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="a phase")
    parser.add_argument("--rate", type=float, default=250, help="requests a second")
    options = parser.parse_args()
    logging.getLogger("turnout").propagate = False
    how = {
        "killed": (RedisServer.kill, RedisServer.start),
        "stopped": (RedisServer.pause, RedisServer.resume),
    }
    faults = {}
    for kind, (begin, end) in how.items():
        faults[kind] = asyncio.run(fault(kind, options.requests, options.rate, begin, end))
        show(kind, faults[kind])
    results = {
        "question": "What does a request lose when Redis goes, and how soon is it used again?",
        "requests_a_phase": options.requests,
        "rate_per_s": options.rate,
        "timeout_s": TIMEOUT_S,
        "machine": {"system": platform.platform(), "python": platform.python_version()},
        "faults": faults,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "redis_down.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    draw(results, RESULTS / "redis_down.png")


if __name__ == "__main__":
    main()
