"""What does one honest user feel of a hostile neighbour?

An honest user asks 20 times a second, in an open loop, for answers that the loopback provider gives after 300 ms;
beside it each of the hostile callers of `hostile/callers.py` in turn keeps two connections for 4 s. Four
configurations: ASGI (uvicorn) and WSGI (gunicorn, one worker of 24 threads), without Redis and with it; the app is
started once for each (anew only where it stands still for 15 s), and an open circuit of one cell is waited for before
the next, for 2 s at most.

Wanted in each cell: no error and no wrong answer of the honest user's, its p95 at most three times the quiet one's,
and its ledger moved by exactly what its own answers cost. Over all cells: its p99 at most five times the quiet one's,
and no stop of the loop above 0.5 s. A latency counts from when the request was due.

Caveats: provider, app and both callers share this machine: on two cores a part of every figure is the waiting for a
core, which the quiet run does not have. Time: 48 cells of about 4.2 s, 6 s of quiet and the start, four times: 14
to 16 minutes where nothing stands still.

    python benchmarks/neighbour.py [--only TEXT ...] [--on asgi-memory ...] [--seconds 4] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hostile import callers, honest, provider, server
from hostile.report import draw, table

RESULTS = Path(__file__).parent / "results"
QUIET_S = 6.0
RECOVERY_S = 2.0
P95_RATIO, P99_RATIO, STOP_S = 3.0, 5.0, 0.5


def process(work: Any, stack: ExitStack) -> Connection:
    """Runs work(pipe) in a process of its own; ended by what is sent at the end."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=work, args=(theirs,), daemon=True)
    child.start()
    theirs.close()

    @stack.callback
    def end() -> None:
        ours.send(None)
        child.join(10)
        if child.is_alive():
            child.kill()

    return ours


@contextmanager
def running(configuration: str, provider_url: str) -> Iterator[server.App]:
    with server.redis() if configuration.endswith("redis") else server.no_redis() as redis_url:
        config = server.settings(provider_url, redis_url)
        with server.asgi(config) if configuration.startswith("asgi") else server.wsgi(config) as app:
            yield app


def cell(app: server.App, name: str, seconds: float, neighbour: Connection | None) -> dict[str, Any]:
    """The honest user's figures beside this neighbour (None: a quiet run)."""
    before = settled(app)
    app.loop_stop_s()
    if neighbour is not None:
        neighbour.send((name, app.port, seconds))
    label = "".join(letter if letter.isalnum() else "-" for letter in name) + f"-{time.monotonic_ns()}"
    seen = asyncio.run(honest.ask_for(seconds, app.url, label))
    statuses = neighbour.recv() if neighbour is not None else {}
    try:
        stop_s, after = app.loop_stop_s(), settled(app)
    except OSError:
        # It stands still for longer than it was waited for: to be started anew.
        stop_s, after = server.ANSWERS_WITHIN_S, None
    return {
        "stands_still": after is None,
        "asked": seen.asked,
        "answered": seen.answered,
        "errors": len(seen.errors),
        "wrong": len(seen.wrong),
        "p50_ms": round(seen.quantile_s(0.5) * 1000, 1),
        "p95_ms": round(seen.quantile_s(0.95) * 1000, 1),
        "p99_ms": round(seen.quantile_s(0.99) * 1000, 1),
        "loop_stop_s": round(stop_s, 3),
        "unowed_nano_usd": after and held(after) - held(before) - seen.answered * honest.NANO_USD_A_CALL,
        "reserved_nano_usd": after and after["reserved"],
        "hostile": statuses,
        "examples": (seen.wrong + seen.errors)[:2],
        "latencies_s": seen.latencies_s,
    }


def settled(app: server.App) -> dict[str, int]:
    """The honest user's ledger once nothing of it is reserved, at the latest after RECOVERY_S."""
    until = time.monotonic() + RECOVERY_S
    while (entry := app.ledger(honest.USER)[honest.USER])["reserved"] and time.monotonic() < until:
        time.sleep(0.05)
    return entry


def held(entry: dict[str, int]) -> int:
    """What the budget is short of: spent, or reserved."""
    return entry["spent"] + entry["reserved"]


def misses(run: dict[str, Any]) -> Iterator[str]:
    """What a configuration's run shows that is not wanted."""
    quiet = run["quiet"]
    for name, one in run["cells"].items():
        for key in ("errors", "wrong", "unowed_nano_usd", "reserved_nano_usd"):
            if one[key]:
                yield f"{name}: {key} {one[key]}"
        if one["p95_ms"] > P95_RATIO * quiet["p95_ms"]:
            yield f"{name}: p95 {one['p95_ms']:.0f} ms, {one['p95_ms'] / quiet['p95_ms']:.1f} times the quiet one's"
        if one["loop_stop_s"] > STOP_S:
            yield f"{name}: the loop stood still for {one['loop_stop_s']:.2f} s"
    if run["p99_ms"] > P99_RATIO * quiet["p99_ms"]:
        yield f"over all cells: p99 {run['p99_ms']:.0f} ms, {run['p99_ms'] / quiet['p99_ms']:.1f} times the quiet one's"


def measure(configuration: str, names: list[str], seconds: float, pipes: tuple[str, Connection]) -> dict[str, Any]:
    provider_url, neighbour = pipes
    with ExitStack() as stack:
        app = stack.enter_context(running(configuration, provider_url))
        cell(app, "warm", 1.0, None)
        # On a laden machine litellm's import outlasts the first requests.
        asyncio.run(recovered(app))
        run: dict[str, Any] = {"quiet": cell(app, "quiet", QUIET_S, None), "cells": {}}
        for name in names:
            run["cells"][name] = one = cell(app, name, seconds, neighbour)
            figures = {key: value for key, value in one.items() if key not in ("latencies_s", "asked")}
            print(f"{configuration} {name}: {figures}", file=sys.stderr, flush=True)
            if one["stands_still"]:
                stack.close()
                app = stack.enter_context(running(configuration, provider_url))
            elif one["errors"]:
                asyncio.run(recovered(app))
    latencies = [latency for one in run["cells"].values() for latency in one.pop("latencies_s")]
    run["quiet"].pop("latencies_s")
    run["p99_ms"] = round(honest.quantile(latencies, 0.99) * 1000, 1)
    return {**run, "misses": list(misses(run))}


async def recovered(app: server.App) -> None:
    """Waits until each model answers again, so that a cell is not charged for the one before it."""
    for _ in range(10):
        seen = await honest.ask_for(0.2, app.url, f"recovery-{time.monotonic_ns()}")
        if seen.answered == seen.asked:
            return
        await asyncio.sleep(RECOVERY_S / 10)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="the callers whose names hold one of these")
    parser.add_argument("--on", nargs="+", choices=server.CONFIGURATIONS, default=server.CONFIGURATIONS)
    parser.add_argument("--seconds", type=float, default=4.0, help="a cell (4)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")
    options = parser.parse_args()
    names = [name for name in callers.ATTACKS if any(text in name for text in options.only or ("",))]
    begun, runs, load_before = time.monotonic(), {}, os.getloadavg()
    with ExitStack() as stack:
        provider_pipe, neighbour = process(provider.serve, stack), process(callers.serve, stack)
        pipes = (provider_pipe.recv(), neighbour)
        for configuration in options.on:
            runs[configuration] = measure(configuration, names, options.seconds, pipes)
    results = {
        "question": __doc__.partition("\n")[0],
        "machine": f"{platform.machine()}, {multiprocessing.cpu_count()} cores, Python {platform.python_version()}",
        "load_before": [round(load, 1) for load in load_before],
        "seconds_a_cell": options.seconds,
        "took_s": round(time.monotonic() - begun, 1),
        "wanted": {"p95_ratio": P95_RATIO, "p99_ratio": P99_RATIO, "loop_stop_s": STOP_S},
        "runs": runs,
    }
    if not options.only and len(options.on) == len(server.CONFIGURATIONS):
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "neighbour.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        (RESULTS / "neighbour.md").write_text(table(results), "utf-8")
        draw(results, RESULTS / "neighbour.png")
    print(json.dumps(results, indent=1) if options.json else table(results))
    return 1 if any(run["misses"] for run in runs.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
