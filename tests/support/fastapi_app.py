"""The ASGI app of the doors' tests: routes of its own, and Turnout in one line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from tests.support.scorers import hard_or_easy
from turnout.asgi import TurnoutMiddleware
from turnout.assembly import Turnout


def mounted(config: dict[str, Any]) -> FastAPI:
    """The app, Turnout around it."""
    app = FastAPI()
    app.add_middleware(TurnoutMiddleware, turnout=Turnout(config, scorer=hard_or_easy()))

    @app.get("/ask/{topic}")
    async def ask(topic: str, request: Request) -> dict[str, Any]:
        answer = await request.state.turnout.complete(topic)
        return {"text": answer.text, "user": answer.outcome.user, "endpoint": answer.outcome.endpoint}

    @app.get("/decide")
    async def decide(request: Request) -> dict[str, Any]:
        decision = await request.state.turnout.decide("a hard one")
        return {"tier": decision.tier}

    @app.get("/words")
    async def words(request: Request) -> StreamingResponse:
        async def told() -> AsyncIterator[str]:
            async for chunk in request.state.turnout.stream("x"):
                yield chunk.text

        return StreamingResponse(told(), media_type="text/plain")

    return app
