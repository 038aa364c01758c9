"""Worker processes that share a Redis: one call for all of them, whoever dies, whoever starts them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from tests.support.apps import settings
from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from tests.support.workers import free_port, gunicorn, servers, uvicorn

WITHIN_S = 40.0


def _config(provider: LoopbackProvider, server: RedisServer) -> dict[str, Any]:
    # Patient: a busy machine is no outage.
    redis = {"url": server.url, "prefix": f"test-{secrets.token_hex(6)}", "timeout_s": 5.0}
    return settings(provider.base_url, redis=redis)


async def _ask(client: httpx.AsyncClient, url: str) -> httpx.Response:
    body = {"model": "cheap", "messages": [{"role": "user", "content": "What is two and two?"}]}
    return await client.post(f"{url}/v1/chat/completions", json=body, headers={"x-user-id": "ann"})


async def _together(urls: Sequence[str], count: int, meanwhile: Callable[[], None] = lambda: None) -> list[Any]:
    """The answers, or what came instead, to this many equal requests at once, spread over the servers."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=WITHIN_S, limits=limits) as client:
        asked = [asyncio.create_task(_ask(client, urls[number % len(urls)])) for number in range(count)]
        await asyncio.to_thread(meanwhile)
        return await asyncio.gather(*asked, return_exceptions=True)


def _until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.01)


def test_four_workers_make_one_call_for_two_hundred_requests(
    provider: LoopbackProvider, redis_server: RedisServer
) -> None:
    """Equal ones, all at once: one miss, the others share it or find it."""
    provider.modes["small"] = "slow:2"
    ports = [free_port() for _ in range(4)]
    with servers({port: uvicorn(port) for port in ports}, _config(provider, redis_server), provider.base_url) as run:
        answers = asyncio.run(_together([server.url for server in run], 200))
    assert [answer.status_code for answer in answers] == [200] * 200
    assert {answer.json()["choices"][0]["message"]["content"] for answer in answers} == {"It is four."}
    statuses = sorted(answer.headers["cache-status"] for answer in answers)
    assert statuses.count("turnout; fwd=miss; stored") == 1
    assert provider.calls.total() == 1


def test_killing_the_worker_that_makes_the_call_costs_the_others_one_more(
    provider: LoopbackProvider, redis_server: RedisServer
) -> None:
    """kill -9 while the call is in flight: everybody at the other workers is answered."""
    provider.modes["small"] = "slow:30"
    ports = [free_port() for _ in range(4)]
    with servers({port: uvicorn(port) for port in ports}, _config(provider, redis_server), provider.base_url) as run:

        def kill() -> None:
            _until(lambda: bool(provider.bodies))
            time.sleep(0.5)
            provider.modes["small"] = "ok"
            os.kill(int(provider.bodies[0]["_headers"]["x-worker-pid"]), signal.SIGKILL)

        answers = asyncio.run(_together([server.url for server in run], 200, kill))
    lost = [answer for answer in answers if isinstance(answer, httpx.HTTPError)]
    answered = [answer for answer in answers if isinstance(answer, httpx.Response)]
    assert len(lost) == 50, "those of the killed worker itself"
    assert [answer.status_code for answer in answered] == [200] * 150
    assert provider.calls.total() == 2


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
def test_workers_of_one_server_share_too(kind: str, provider: LoopbackProvider, redis_server: RedisServer) -> None:
    """uvicorn's own workers, and gunicorn's, forked after the app was loaded."""
    provider.modes["small"] = "slow:2"
    port = free_port()
    command = uvicorn(port, "--workers", "3") if kind == "uvicorn" else gunicorn(port, "--preload", "--workers", "3")
    with servers({port: command}, _config(provider, redis_server), provider.base_url) as run:
        answers = asyncio.run(_together([run[0].url], 60))
    assert [answer.status_code for answer in answers] == [200] * 60
    assert provider.calls.total() == 1
