"""What does Turnout add to a request, on a hit and on a miss?

Four apps side by side, each one uvicorn worker in a process of its own, against one loopback provider that
answers at once: a bare Starlette endpoint with a constant body, a bare `litellm.acompletion` handler, Turnout
on a cache hit, Turnout on a miss. Rounds are interleaved; the figure is the server process's own CPU time per
request (the median of the rounds), with the throughput of a closed loop of 16 connections beside it. The load
comes from this process by httpx, which is slower than the fastest of the servers: read throughput as a floor,
CPU as the figure.

    python benchmarks/overhead.py [--rounds 7] [--requests 300]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import platform
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

RESULTS = Path(__file__).parent / "results"
BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "small",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 60}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80},
}
PROMPT = (
    "A question of about two hundred characters, as they come from people: " + "why is it so, and what follows? " * 4
)
CONNECTIONS = 16
KINDS = ("bare starlette", "bare acompletion", "turnout hit", "turnout miss")


def serve(kind: str, provider: str, listening: socket.socket) -> None:
    """One app, served for ever."""
    import uvicorn

    config = uvicorn.Config(_app(kind, provider), log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


def _app(kind: str, provider: str) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    constant = json.dumps(BODY).encode()

    async def plain(request: Request) -> Response:
        await request.body()
        return Response(constant, media_type="application/json")

    async def bare(request: Request) -> Response:
        import litellm

        asked = await request.json()
        answer = await litellm.acompletion(
            model="openai/small", messages=asked["messages"], api_base=provider, api_key="-", max_retries=0
        )
        return JSONResponse(answer.model_dump())

    path = "/v1/chat/completions"
    if kind in ("provider", "bare starlette"):
        return Starlette(routes=[Route(path, plain, methods=["POST"])])
    if kind == "bare acompletion":
        from turnout.upstream import litellm_import

        litellm_import.load()
        return Starlette(routes=[Route(path, bare, methods=["POST"])])
    from turnout.asgi import TurnoutMiddleware

    called = {"params": {"api_base": provider}, "input_usd_per_million": 1, "output_usd_per_million": 2}
    config = {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {"openai/small": called, "openai/large": called},
        "routing": {"threshold": 0.9},
        "cache": {"scope": "app"},
    }
    return TurnoutMiddleware(Starlette(), config)


class Served:
    """One app in a process of its own."""

    def __init__(self, kind: str, provider: str = "") -> None:
        self.kind = kind
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=serve, args=(kind, provider, listening), daemon=True)
        self.process.start()
        listening.close()

    def cpu(self) -> float:
        """Seconds of CPU that the server's process has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def ready(self) -> None:
        for _ in range(600):
            try:
                httpx.post(f"{self.url}/v1/chat/completions", json=_body(self.kind, "warm up"), timeout=30)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        raise SystemExit(f"{self.kind} did not start")


def _body(kind: str, unique: str) -> dict[str, Any]:
    text = f"{PROMPT} {unique}" if kind == "turnout miss" else PROMPT
    return {"model": "auto", "messages": [{"role": "user", "content": text}]}


async def _load(served: Served, requests: int, tag: str) -> float:
    """Seconds that this many requests took over 16 connections."""
    limits = httpx.Limits(max_connections=CONNECTIONS)
    numbers = iter(range(requests))
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def connection() -> None:
            for number in numbers:
                answer = await client.post(
                    f"{served.url}/v1/chat/completions", json=_body(served.kind, f"{tag} {number}")
                )
                assert answer.status_code == 200, answer.text

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(connection())
        return time.perf_counter() - began


def run(rounds: int, requests: int) -> dict[str, Any]:
    provider = Served("provider")
    apps = [Served(kind, f"{provider.url}/v1") for kind in KINDS]
    for app in [provider, *apps]:
        app.ready()
    cpu: dict[str, list[float]] = {kind: [] for kind in KINDS}
    rate: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        for app in apps:
            before = app.cpu()
            took = asyncio.run(_load(app, requests, f"round {number}"))
            cpu[app.kind].append((app.cpu() - before) / requests * 1e6)
            rate[app.kind].append(requests / took)
    for app in [*apps, provider]:
        app.process.terminate()
        app.process.join()
    return {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {psutil.cpu_count()} cores",
        "rounds": rounds,
        "requests": requests,
        "cpu_us": {kind: round(statistics.median(values), 1) for kind, values in cpu.items()},
        "requests_per_s": {kind: round(statistics.median(values), 1) for kind, values in rate.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=300)
    args = parser.parse_args()
    told = run(args.rounds, args.requests)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "overhead.json").write_text(json.dumps(told, indent=1) + "\n")
    print(f"{'':<20}{'CPU us/request':>16}{'requests/s':>12}")
    for kind in KINDS:
        print(f"{kind:<20}{told['cpu_us'][kind]:>16}{told['requests_per_s'][kind]:>12}")
    cpu = told["cpu_us"]
    print(f"\na hit costs {cpu['turnout hit'] / cpu['bare starlette']:.2f} x a bare Starlette reply,")
    print(f"a miss {cpu['turnout miss'] / cpu['bare acompletion']:.2f} x a bare acompletion handler's")


if __name__ == "__main__":
    sys.exit(main())
