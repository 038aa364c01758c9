"""Responses that several processes share over Redis: two Turnouts stand for two workers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx

from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.testing import ScriptedProvider


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("no path here is the app's own")


def test_any_worker_continues_shows_and_deletes_a_response(redis_server: RedisServer) -> None:
    """What one process answered, whole or streamed, another continues, for the same user alone."""
    config = {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "routing": {"threshold": 1.0},
        "identity": {"user_header": "x-user-id"},
        "redis": {"url": redis_server.url, "prefix": "shared-responses", "timeout_s": 2.0},
    }

    async def main() -> None:
        providers = [ScriptedProvider({"openai/small": ["first"]}), ScriptedProvider({"openai/small": ["second"]})]
        async with AsyncExitStack() as stack:
            clients = []
            for provider in providers:
                turnout = await stack.enter_async_context(Turnout(config, provider=provider))
                transport = httpx.ASGITransport(TurnoutMiddleware(nobody, turnout=turnout))
                client = httpx.AsyncClient(transport=transport, base_url="http://app", headers={"x-user-id": "ann"})
                clients.append(await stack.enter_async_context(client))
            one, other = clients
            streamed = await one.post("/v1/responses", json={"model": "auto", "input": "hello", "stream": True})
            assert "response.completed" in streamed.text
            whole = (await one.post("/v1/responses", json={"model": "auto", "input": "hello"})).json()
            more = {"model": "auto", "input": "and then?", "previous_response_id": whole["id"]}
            assert (await other.post("/v1/responses", json=more)).status_code == 200
            said = [message["content"] for message in providers[1].seen[-1].messages]
            assert said == ["hello", "first", "and then?"]
            assert (await other.get(f"/v1/responses/{whole['id']}")).json() == whole
            bob = {"x-user-id": "bob"}
            assert (await other.get(f"/v1/responses/{whole['id']}", headers=bob)).status_code == 404
            assert (await other.post("/v1/responses", json=more, headers=bob)).status_code == 404
            assert (await other.delete(f"/v1/responses/{whole['id']}")).json()["deleted"] is True
            assert (await one.get(f"/v1/responses/{whole['id']}")).status_code == 404

    asyncio.run(main())
