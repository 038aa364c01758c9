"""What do the other protocols cost beside chat completions, on a miss and on a hit?

One uvicorn worker that mounts Turnout on the first core, a provider that answers at once and the load on the second
(overhead.py's servers). The same question goes over each protocol at 16 connections, in rounds of so many requests
that take turns: on a miss each question is another, on a hit it is one. The figure is the server process' own CPU a
request, the median of the rounds, and its ratio to that of chat completions.

    flock /tmp/bench.lock python benchmarks/wire_costs.py [--rounds 7] [--requests 600] [--json] [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from overhead import LOAD_CPU, PROMPT, SERVER_CPU, served

RESULTS = Path(__file__).parent / "results" / "wire_costs.json"
CONNECTIONS = 16
BODIES: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "chat": ("/v1/chat/completions", lambda text: {"messages": [{"role": "user", "content": text}]}),
    "messages": ("/v1/messages", lambda text: {"max_tokens": 500, "messages": [{"role": "user", "content": text}]}),
    "responses": ("/v1/responses", lambda text: {"input": text}),
    "responses, not stored": ("/v1/responses", lambda text: {"input": text, "store": False}),
    "completions": ("/v1/completions", lambda text: {"prompt": text}),
}
# What the other protocols may cost beside chat completions.
MOST = {"miss": 1.15, "hit": 1.40}


async def ask(port: int, requests: list[bytes]) -> None:
    """Sends these one after another on one connection; raises where one is not answered 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


def request(path: str, body: dict[str, Any]) -> bytes:
    sent = json.dumps({"model": "auto", **body}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
    return head.encode() + sent


async def round_of(port: int, process: psutil.Process, wire: str, count: int, salt: str) -> float:
    """The server's CPU a request, in microseconds. salt: "" asks one question all the time."""
    path, body = BODIES[wire]
    texts = [f"{PROMPT} {salt}-{at}" if salt else PROMPT for at in range(count)]
    sent = [request(path, body(text)) for text in texts]
    before = process.cpu_times()
    await asyncio.gather(*(ask(port, sent[at::CONNECTIONS]) for at in range(CONNECTIONS)))
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / count * 1e6


async def measured(port: int, process: psutil.Process, rounds: int, count: int) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, list[float]]] = {wire: {"miss": [], "hit": []} for wire in BODIES}
    for number in range(-1, rounds):
        for wire, found in figures.items():
            for kind in ("miss", "hit"):
                salt = f"{wire}-{number}" if kind == "miss" else ""
                spent = await round_of(port, process, wire, count, salt)
                # The first round warms up.
                if number >= 0:
                    found[kind].append(spent)
    return {wire: {kind: statistics.median(spent) for kind, spent in found.items()} for wire, found in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    parser.add_argument("--write", action="store_true", help=f"write them to {RESULTS.name}")
    args = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CPU})
    with ExitStack() as stack:
        provider, _ = stack.enter_context(served("provider", cpu=LOAD_CPU))
        url, process = stack.enter_context(served("turnout", "--provider", f"{provider}/v1", cpu=SERVER_CPU))
        port = int(url.rpartition(":")[2])
        figures = asyncio.run(measured(port, process, args.rounds, args.requests))
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "rounds": args.rounds,
        "requests": args.requests,
        "cpu_us": {wire: {kind: round(us, 1) for kind, us in found.items()} for wire, found in figures.items()},
        "ratio": {
            wire: {kind: round(us / figures["chat"][kind], 3) for kind, us in found.items()}
            for wire, found in figures.items()
        },
        "most": MOST,
    }
    if args.write:
        RESULTS.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    if args.json:
        print(json.dumps(report))
        return
    for wire, found in report["cpu_us"].items():
        ratio = report["ratio"][wire]
        print(
            f"{wire:22} miss {found['miss']:7.1f} us (x{ratio['miss']:.2f})"
            f"  hit {found['hit']:7.1f} us (x{ratio['hit']:.2f})"
        )


if __name__ == "__main__":
    main()
