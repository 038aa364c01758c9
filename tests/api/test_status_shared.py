"""Two workers on one Redis show the same figures, and know each other's answers."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.support.redis_server import RedisServer
from tests.support.status_doors import BEARER, CONFIG, TOKEN
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.testing import FixedScorer, ScriptedProvider


async def _app(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nothing is the app's here")


def test_two_workers_count_together(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status, metrics and ratings; the money is of both."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    redis = {"url": redis_server.url, "prefix": "together", "timeout_s": 2.0}

    async def scenario() -> None:
        workers = [
            Turnout({**CONFIG, "redis": redis}, provider=ScriptedProvider(), scorer=FixedScorer(0.1)) for _ in range(2)
        ]
        https = [
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=TurnoutMiddleware(_app, turnout=worker)),
                base_url="http://app",
                headers={"x-user-id": "ann"},
            )
            for worker in workers
        ]
        replies = []
        for number in range(6):
            body = {"model": "auto", "messages": [{"role": "user", "content": f"question {number % 4}"}]}
            replies.append(await https[number % 2].post("/v1/chat/completions", json=body))
        # Each hands on what it counted when it is asked.
        for http in https:
            await http.get("/turnout/status.json", headers=BEARER)
        for worker in workers:
            worker.api.routes.find("/turnout/status.json").answer.__self__._snapshots.forget()
        figures = [(await http.get("/turnout/status.json?range=1h", headers=BEARER)).json() for http in https]
        for name in ("requests", "cost_usd", "saving_usd", "cache", "tiers", "decisions", "top_users", "since"):
            assert figures[0][name] == figures[1][name]
        assert figures[0]["requests"] == 6
        assert figures[0]["cost_usd"] == pytest.approx(4 * 12e-6, abs=1e-9)
        assert figures[0]["cache"]["hits"] == 2
        assert figures[0]["scope"] == "all workers"
        metrics = [(await http.get("/turnout/metrics", headers=BEARER)).text for http in https]
        lines = [[line for line in text.splitlines() if line.startswith("turnout_requests_total")] for text in metrics]
        assert lines[0] == lines[1] != []
        rating = {"request_id": replies[0].headers["x-request-id"], "quality": 1}
        assert (await https[1].post("/turnout/feedback", json=rating)).status_code == 204
        assert await workers[0].purge(user="ann") == 4
        assert (await https[1].post("/turnout/feedback", json=rating)).status_code == 404
        for http, worker in zip(https, workers, strict=True):
            await http.aclose()
            await worker.aclose()

    asyncio.run(scenario())


def test_readiness_warns_of_a_redis_that_cannot_be_reached(redis_server: RedisServer) -> None:
    """Before any request came, too; the process serves all the same, so it is ready."""

    async def ready(url: str) -> dict[str, str]:
        redis = {"url": url, "timeout_s": 2.0}
        worker = Turnout({**CONFIG, "status": {}, "redis": redis}, provider=ScriptedProvider(), scorer=FixedScorer(0.1))
        transport = httpx.ASGITransport(app=TurnoutMiddleware(_app, turnout=worker))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
            reply = await http.get("/turnout/health/ready")
        await worker.aclose()
        assert reply.status_code == 200
        body: dict[str, str] = reply.json()
        return body

    assert asyncio.run(ready(redis_server.url)) == {"status": "up"}
    assert asyncio.run(ready("redis://127.0.0.1:9/0"))["warning"].startswith("Redis cannot be reached")
