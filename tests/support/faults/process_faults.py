"""Faults of processes and of the disk: real servers that are killed, ended and forked, a log without room."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.faults.load import BUDGET_USD, Books, Load, reserved_usd
from tests.support.faults.redis_faults import settings as budgeted
from tests.support.faults.row import Row
from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from tests.support.workers import Server, free_port, gunicorn, servers, uvicorn
from turnout import Turnout
from turnout.testing import FixedScorer

SLOW = "slow:2"


def _config(provider: LoopbackProvider, redis: RedisServer) -> dict[str, Any]:
    price = {"input_usd_per_million": 1, "output_usd_per_million": 1, "params": {"api_base": provider.base_url}}
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {"openai/small": price, "openai/large": price},
        "routing": {"threshold": 0.5},
        "identity": {"user_header": "x-user-id"},
        "cache": {"scope": "app"},
        "redis": {"url": redis.url, "prefix": f"faults-{secrets.token_hex(4)}", "timeout_s": 2.0},
    }


async def _post(client: httpx.AsyncClient, url: str, text: str, **params: Any) -> str:
    body = {"model": "cheap", "messages": [{"role": "user", "content": text}], **params}
    try:
        response = await client.post(f"{url}/v1/chat/completions", json=body, headers={"x-user-id": "ann"})
    except httpx.TransportError:
        return "lost"
    if response.status_code in (429, 503, 504):
        return "refused"
    whole = "[DONE]" in response.text if params.get("stream") else "It is four." in response.text
    return "answered" if response.status_code == 200 and whole else f"wrong: {response.text[-200:]}"


def _row(fault: str, results: list[str], healed_s: float, **wanted: Any) -> tuple[Row, list[str]]:
    wrong = [result for result in results if result not in ("answered", "refused")]
    row = Row(
        fault=fault, asked=len(results), answered=results.count("answered"), refused=results.count("refused"),
        wrong=len(wrong), overspent_usd=0.0, reserved_usd=0.0, healed_s=healed_s, **wanted,
    )  # fmt: skip
    return row, wrong


def _within(commands: dict[int, list[str]], work: Callable[[list[Server], LoopbackProvider], Any]) -> Any:
    redis = RedisServer()
    try:
        with (
            LoopbackProvider() as provider,
            servers(commands, _config(provider, redis), provider.base_url) as running,
        ):
            return asyncio.run(work(running, provider))
    finally:
        redis.kill()


def _until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(0.02)


def killed_leader(fault: str) -> tuple[Row, list[str]]:
    """kill -9 of the worker that makes the call; twenty followers wait for it at another. The leader's own client is
    not counted: its connection is gone with its worker."""

    async def work(running: list[Server], provider: LoopbackProvider) -> tuple[Row, list[str]]:
        provider.modes["small"] = SLOW
        async with httpx.AsyncClient(timeout=40, limits=httpx.Limits(max_connections=None)) as client:
            leader = asyncio.create_task(_post(client, running[0].url, "the same"))
            await asyncio.to_thread(_until, lambda: bool(provider.bodies))
            followers = [asyncio.create_task(_post(client, running[1].url, "the same")) for _ in range(20)]
            await asyncio.sleep(0.5)
            provider.modes["small"] = "ok"
            os.kill(int(provider.bodies[0]["_headers"]["x-worker-pid"]), signal.SIGKILL)
            killed = time.monotonic()
            results = list(await asyncio.gather(*followers))
            await leader
        return _row(fault, results, time.monotonic() - killed, heals_within_s=15.0, refuses=False)

    return _within({port: uvicorn(port) for port in (free_port(), free_port())}, work)  # type: ignore[no-any-return]


def drained(fault: str) -> tuple[Row, list[str]]:
    """SIGTERM while twenty streams are under way: each is ended in good order."""

    async def work(running: list[Server], provider: LoopbackProvider) -> tuple[Row, list[str]]:
        provider.modes["small"] = "slow:1"
        async with httpx.AsyncClient(timeout=40, limits=httpx.Limits(max_connections=None)) as client:
            asked = [
                asyncio.create_task(_post(client, running[0].url, f"stream {number}", stream=True))
                for number in range(20)
            ]
            await asyncio.to_thread(_until, lambda: len(provider.bodies) == 20)
            running[0].process.send_signal(signal.SIGTERM)
            actual = time.monotonic()
            results = list(await asyncio.gather(*asked))
        return _row(fault, results, time.monotonic() - actual, heals_within_s=5.0, refuses=False)

    port = free_port()
    return _within({port: uvicorn(port)}, work)  # type: ignore[no-any-return]


def forked(fault: str) -> tuple[Row, list[str]]:
    """The app imported before the fork (gunicorn --preload): three workers serve from the first request on."""

    async def work(running: list[Server], provider: LoopbackProvider) -> tuple[Row, list[str]]:
        begun = time.monotonic()
        async with httpx.AsyncClient(timeout=40, limits=httpx.Limits(max_connections=None)) as client:
            results = await asyncio.gather(*(_post(client, running[0].url, f"question {n}") for n in range(30)))
        return _row(fault, list(results), time.monotonic() - begun, heals_within_s=10.0, refuses=False)

    port = free_port()
    return _within({port: gunicorn(port, "--preload", "--workers", "3")}, work)  # type: ignore[no-any-return]


def full_log(fault: str) -> tuple[Row, list[str]]:
    """The request log's disk is full from the first line on."""

    async def work() -> tuple[Row, list[str]]:
        config = {**budgeted(0), "log": {"path": "/dev/full"}, "budgets": {"per_user": f"{BUDGET_USD}/30d"}}
        del config["redis"]
        books = Books()
        async with Turnout(config, provider=books, scorer=FixedScorer(0.1)) as turnout:
            load = Load([turnout])
            await load.run(2.0)
            await load.finish()
            held = await reserved_usd(turnout, load.users)
        row = load.row(fault, ended=time.monotonic(), overspent_usd=books.overspent_usd, reserved_usd=held)
        return row, load.wrong

    return asyncio.run(work())


FAULTS: dict[str, Callable[[str], tuple[Row, list[str]]]] = {
    "kill -9 of a leader, followers at another worker": killed_leader,
    "SIGTERM with streams under way": drained,
    "fork after import": forked,
    "the log's disk is full": full_log,
}


def measure(fault: str) -> tuple[Row, list[str]]:
    """The row of this fault, and what was wrong in it."""
    return FAULTS[fault](fault)
