"""Where does the time of a miss, of a chunk and of a hit go, door and all?

The ASGI door is called in this process, without a server around it; the provider answers at once in a process of its
own (transport_cpu.py's). CPU is this process's alone. Beside a stream stands what nobody can save: reading the
same 200 chunks by aiohttp and parsing them.

    python benchmarks/miss_profile.py [--profile miss|stream|hit] [--transport direct|litellm]

--profile prints the files that the time goes to: each millisecond of CPU is booked to the innermost frame that is
Turnout's, with what it calls outside Turnout, so that the parts add up to the whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import signal
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import transport_cpu

PATH = "/v1/chat/completions"
CALLS = {"hit": 3000, "miss": 400, "stream": 20}
ROUNDS = 5
TICK_S = 0.001
PROMPT = "A question of about two hundred characters, as they come from people: " + "why so, and what follows? " * 5


def settings(base: str, transport: str) -> dict[str, Any]:
    called = {"params": {"api_base": base}, "input_usd_per_million": 1, "output_usd_per_million": 2}
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {"openai/small": called, "openai/large": called},
        "routing": {"max_expensive_share": 0.3},
        "cache": {"scope": "app"},
        "upstream": {"transport": transport},
    }


class Client:
    """Calls an ASGI app as a server would: one request after the other. `last`: the headers of the last response."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._number = 0
        self.last: dict[bytes, bytes] = {}
        self.sends = 0

    async def ask(self, kind: str) -> None:
        self._number += 1
        salt = "" if kind == "hit" else f" {self._number}"
        body = json.dumps({
            "model": "auto", "messages": [{"role": "user", "content": PROMPT + salt}], "stream": kind == "stream",
        }).encode()  # fmt: skip
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            self.sends += 1
            if message["type"] == "http.response.start":
                self.last = dict(message["headers"])
                assert message["status"] == 200, message

        scope = {
            "type": "http", "method": "POST", "path": PATH, "root_path": "", "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        }  # fmt: skip
        await self._app(scope, receive, send)


async def parsed(base: str) -> Callable[[], Awaitable[None]]:
    """Reading one stream by aiohttp, line by line, and parsing each chunk."""
    import aiohttp

    session = aiohttp.ClientSession()
    body = json.dumps({**transport_cpu.ASKED, "stream": True}).encode()

    async def run() -> None:
        async with session.post(f"{base}/chat/completions", data=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    json.loads(line[6:])

    return run


async def cost(call: Callable[[], Awaitable[None]], calls: int) -> tuple[float, float]:
    """CPU and wall-clock time of one call in us."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        await call()
    return (time.process_time() - cpu) / calls * 1e6, (time.perf_counter() - wall) / calls * 1e6


async def parts(call: Callable[[], Awaitable[None]], calls: int) -> dict[str, float]:
    """CPU of one call in us, by file: "room/file.py", or "outside" for what runs below no frame of Turnout's."""
    seen: Counter[str] = Counter()

    def tick(_: int, frame: FrameType | None) -> None:
        while frame is not None and "/src/turnout/" not in frame.f_code.co_filename:
            frame = frame.f_back
        seen["outside" if frame is None else frame.f_code.co_filename.rpartition("/turnout/")[2]] += 1

    before = signal.signal(signal.SIGPROF, tick)
    signal.setitimer(signal.ITIMER_PROF, TICK_S, TICK_S)
    try:
        cpu, _ = await cost(call, calls)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return {name: cpu * number / seen.total() for name, number in seen.most_common()}


async def run(base: str, transport: str, profiled: str) -> None:
    from turnout.asgi import TurnoutMiddleware

    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(scope["path"])

    middleware = TurnoutMiddleware(nothing, settings(base, transport))
    await middleware.turnout.start()
    client = Client(middleware)
    for kind in ("hit", "miss", "stream"):
        for _ in range(10):
            await client.ask(kind)
    if profiled:
        found = await parts(lambda: client.ask(profiled), ROUNDS * CALLS[profiled])
        whole = sum(found.values())
        print(f"{whole:9.1f} us CPU  100.0 %  {profiled}")
        for name, us in found.items():
            print(f"{us:9.1f} us     {us / whole:9.1%}  {name}")
        return
    calls: dict[str, Callable[[], Awaitable[None]]] = {
        kind: lambda kind=kind: client.ask(kind)
        for kind in ("hit", "miss", "stream")  # type: ignore[misc]
    }
    calls["reading and parsing a stream"] = await parsed(base)
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    own: list[float] = []
    for _ in range(ROUNDS):
        for name, call in calls.items():
            figures[name].append(await cost(call, CALLS.get(name, CALLS["stream"])))
        for _ in range(200):
            await client.ask("miss")
            own.append(float(client.last[b"server-timing"].split(b"dur=")[1].split(b",")[0]))
    client.sends = 0
    await client.ask("stream")
    chunks = transport_cpu.WORDS
    for name, pairs in figures.items():
        cpu = min(cpu for cpu, _ in pairs)
        each = f"  {cpu / chunks:6.1f} us a chunk" if "stream" in name else ""
        print(f"{name:<30}{cpu:9.0f} us CPU, {min(wall for _, wall in pairs):9.0f} us in all{each}")
    ratio = min(cpu for cpu, _ in figures["stream"]) / min(c for c, _ in figures["reading and parsing a stream"])
    print(f"a stream costs {ratio:.2f} times reading and parsing it; sent in {client.sends} messages")
    print(f"own time on a miss (Server-Timing): p50 {statistics.median(own):.3f} ms, "
          f"p99 {sorted(own)[int(len(own) * 0.99)]:.3f} ms")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=tuple(CALLS), default="")
    parser.add_argument("--transport", choices=("direct", "litellm"), default="direct")
    args = parser.parse_args()
    logging.getLogger("turnout").setLevel(logging.ERROR)
    here, there = multiprocessing.get_context("spawn").Pipe()
    provider = multiprocessing.get_context("spawn").Process(target=transport_cpu.serve, args=(there,), daemon=True)
    provider.start()
    try:
        asyncio.run(run(here.recv(), args.transport, args.profile))
    finally:
        provider.terminate()


if __name__ == "__main__":
    main()
