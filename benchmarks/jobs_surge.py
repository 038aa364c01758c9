"""Does a surge of submissions fill the queue without felling the app?

    python -m benchmarks.jobs_surge [--submissions 5000] [--rate 250] [--store sqlite|redis|both] [--json] [--publish]

Submissions arrive at an even pace, `--rate` a second, over sixteen kept connections (0: as fast as these go), at an app
in one process of uvicorn; beside it, in the same run and at the same pace, at a bare Starlette app that answers 202.
Meanwhile a path of the app's own that returns a constant is asked every 10 ms, as it is when nothing else is, and as it
is of the bare app: what the same pace costs such a path there is the pace's own share of it. The bare app and the quiet
path are measured half before the surge and half after it. Without Redis the app's process works on
the jobs at the same time, against a provider that takes 0.1 s a call.

Held: p99 of a submission is under 20 times the bare app's; p99 of the app's own path in the surge is within twice its
quiet one; each submission is answered 202. `--publish` writes the figures to results/jobs_surge.json. Caveats: client
and server share the machine; the provider is in the app's process and calls no litellm.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.http_load import Connection, quantile, request

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "jobs_surge.json"
CONNECTIONS = 16
QUIET_S = 10.0
EVERY_S = 0.01
TIMES_BARE, TIMES_QUIET = 20.0, 2.0


def serve(kind: str, port: int, config: str) -> None:
    """One of the two apps, until it is killed."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def accepted(request: Request) -> JSONResponse:
        body = await request.json()
        return JSONResponse({"id": secrets.token_urlsafe(24), "of": len(body)}, 202)

    async def own(request: Request) -> JSONResponse:
        return JSONResponse({"up": True})

    app: Any = Starlette(routes=[Route("/bare", accepted, methods=["POST"]), Route("/own", own)])
    if kind == "turnout":
        from turnout import Turnout
        from turnout.asgi import TurnoutMiddleware
        from turnout.clock import SystemClock
        from turnout.testing import FixedScorer, Says, ScriptedProvider

        provider = ScriptedProvider({"openai/small": [Says("ok", after_s=0.1)]}, clock=SystemClock())
        app = TurnoutMiddleware(app, turnout=Turnout(config, provider=provider, scorer=FixedScorer(0.1)))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def start(kind: str, config: str) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.jobs_surge", "--serve", kind, "--port", str(port), "--config", config]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"})
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.05)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


async def paced(port: int, requests: list[bytes], rate: float) -> tuple[list[float], Counter[int], float]:
    """Times and statuses of these requests, and how long all took. A request's time begins when it is due."""
    statuses: Counter[int] = Counter()
    times: list[float] = []
    waiting = iter(list(enumerate(requests)))
    began = time.perf_counter()

    async def one_after_another() -> None:
        connection = await Connection.open(port)
        for number, each in waiting:
            due = began + number / rate if rate else time.perf_counter()
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            late = time.perf_counter() - due
            status, took = await connection.ask(each)
            statuses[status] += 1
            times.append(max(0.0, late) + took)
        connection.close()

    await asyncio.gather(*(one_after_another() for _ in range(CONNECTIONS)))
    return times, statuses, time.perf_counter() - began


async def own_path(port: int, stop: asyncio.Event) -> list[float]:
    """Times of the app's own path, asked every 10 ms."""
    connection, times, asked = await Connection.open(port), [], request("GET", "/own")
    while not stop.is_set():
        times.append((await connection.ask(asked))[1])
        await asyncio.sleep(EVERY_S)
    connection.close()
    return times


async def surge(port: int, requests: list[bytes], rate: float) -> tuple[list[float], Counter[int], float, list[float]]:
    """What `paced` returns, and the times of the app's own path meanwhile."""
    over = asyncio.Event()
    beside = asyncio.create_task(own_path(port, over))
    times, statuses, took = await paced(port, requests, rate)
    over.set()
    return times, statuses, took, await beside


async def quietly(port: int) -> list[float]:
    """Times of the app's own path while nothing else is asked."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(QUIET_S / 2, over.set)
    return await own_path(port, over)


async def measure(args: argparse.Namespace, store: str, folder: Path) -> dict[str, Any]:
    redis = None
    if store == "redis":
        from tests.support.redis_server import RedisServer

        redis = RedisServer("--appendonly", "yes", "--dir", str(folder))
    file = folder / "turnout.toml"
    shared = f'[redis]\nurl = "{redis.url}"\nprefix = "s-{secrets.token_hex(4)}"\n' if redis is not None else ""
    text = (
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        '[routing]\nthreshold = 1.0\n[identity]\nuser_header = "x-user-id"\n'
        "[queue]\nconcurrency = 8\nmax_length = 100000\n"
    )
    file.write_text(text + shared)
    (folder / "quiet.toml").write_text(text + 'path = "quiet.sqlite"\n')
    servers = {kind: start(kind, str(file)) for kind in ("bare", "turnout")}
    try:
        bodies = [
            json.dumps({"messages": [{"role": "user", "content": f"{number} " + "word " * 60}]}).encode()
            for number in range(args.submissions)
        ]
        bare = [request("POST", "/bare", body) for body in bodies]
        wanted = {"content_type": "application/json", "prefer": "respond-async"}
        submissions = [
            request("POST", "/v1/chat/completions", body, x_user_id=f"user-{number % 40}", **wanted)
            for number, body in enumerate(bodies)
        ]
        ports = {kind: port for kind, (_, port) in servers.items()}
        # Both have had their first requests.
        await paced(ports["bare"], bare[:100], args.rate)
        await paced(ports["turnout"], submissions[:100], args.rate)
        half = len(bare) // 2
        bare_times, _, _, beside_bare = await surge(ports["bare"], bare[:half], args.rate)
        quiet_times = await quietly(ports["turnout"])
        times, statuses, took, surge_times = await surge(ports["turnout"], submissions, args.rate)
        if store == "sqlite":
            # What the surge has left to do is no quiet.
            await asyncio.to_thread(stop, servers.pop("turnout")[0])
            servers["turnout"] = start("turnout", str(file).replace("turnout.toml", "quiet.toml"))
            ports["turnout"] = servers["turnout"][1]
        again = await surge(ports["bare"], bare[half:], args.rate)
        bare_times, beside_bare = bare_times + again[0], beside_bare + again[3]
        quiet_times += await quietly(ports["turnout"])
    finally:
        for process, _ in servers.values():
            stop(process)
        if redis is not None:
            redis.kill()
    p99 = {
        "bare_ms": quantile(bare_times, 0.99),
        "submission_ms": quantile(times, 0.99),
        "own_path_quiet_ms": quantile(quiet_times, 0.99),
        "own_path_in_surge_ms": quantile(surge_times, 0.99),
        "own_path_beside_bare_ms": quantile(beside_bare, 0.99),
    }
    p50 = {
        "bare_ms": quantile(bare_times, 0.5),
        "submission_ms": quantile(times, 0.5),
        "own_path_quiet_ms": quantile(quiet_times, 0.5),
        "own_path_in_surge_ms": quantile(surge_times, 0.5),
        "own_path_beside_bare_ms": quantile(beside_bare, 0.5),
    }
    times_bare = p99["submission_ms"] / p99["bare_ms"]
    times_quiet = p99["own_path_in_surge_ms"] / p99["own_path_quiet_ms"]
    return {
        "store": store,
        "submissions": args.submissions,
        "asked_a_second": args.rate or None,
        "accepted": statuses[202],
        "accepted_a_second": round(args.submissions / took),
        "p50": {name: round(value, 2) for name, value in p50.items()},
        "p99": {name: round(value, 2) for name, value in p99.items()},
        "times_bare_p99": round(times_bare, 2),
        "times_quiet_p99": round(times_quiet, 2),
        "bare_times_quiet_p99": round(p99["own_path_beside_bare_ms"] / p99["own_path_quiet_ms"], 2),
        "load_of_the_machine": round(os.getloadavg()[0], 1),
        "held": statuses[202] == args.submissions and times_bare < TIMES_BARE and times_quiet <= TIMES_QUIET,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--submissions", type=int, default=5_000)
    parser.add_argument("--rate", type=float, default=250.0, help="submissions a second; 0: as fast as they go")
    parser.add_argument("--store", choices=["sqlite", "redis", "both"], default="sqlite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--publish", action="store_true", help="write the figures to the results")
    parser.add_argument("--serve", default="", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--config", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.port, args.config)
        return 0
    runs = []
    for store in ("sqlite", "redis") if args.store == "both" else (args.store,):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(asyncio.run(measure(args, store, Path(folder))))
    figures = {
        "question": (__doc__ or "").splitlines()[0],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "runs": runs,
    }
    if args.publish:
        RESULTS.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print(json.dumps(figures, indent=None if args.json else 2))
    return 0 if all(run["held"] for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
