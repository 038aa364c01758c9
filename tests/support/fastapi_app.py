"""The ASGI app of the doors' tests: routes of its own, and Turnout in one line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

import openai
import turnout
from tests.support.scorers import hard_or_easy
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware

ASK: Any = [{"role": "user", "content": "by the sdk"}]
TOOLS: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]


def mounted(config: dict[str, Any]) -> FastAPI:
    """The app, Turnout around it."""
    app = FastAPI()
    transport = turnout.transport()
    client = openai.AsyncOpenAI(
        api_key="-", base_url="http://turnout/v1", http_client=httpx.AsyncClient(transport=transport)
    )
    blocking = openai.OpenAI(api_key="-", base_url="http://turnout/v1", http_client=httpx.Client(transport=transport))
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
        async def pieces() -> AsyncIterator[str]:
            async for chunk in request.state.turnout.stream("x"):
                yield chunk.text

        return StreamingResponse(pieces(), media_type="text/plain")

    @app.post("/own/{topic}")
    async def own(topic: str, request: Request) -> dict[str, Any]:
        decision = request.state.turnout.decision
        if request.query_params.get("call"):
            await request.state.turnout.complete(topic)
        return {"tier": decision.tier if decision else None, "body": (await request.body()).decode()}

    @app.get("/sdk")
    async def sdk() -> dict[str, Any]:
        chunks = await client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
        streamed = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])
        raw = await client.chat.completions.with_raw_response.create(model="gpt-4o", messages=ASK, tools=TOOLS)
        called = raw.parse().choices[0].message.tool_calls
        return {"streamed": streamed.strip(), "called": called[0].function.name if called else None}

    @app.get("/sdk-thread")
    def sdk_in_a_thread(request: Request) -> dict[str, Any]:
        answer = blocking.chat.completions.create(model="gpt-4o", messages=ASK)
        direct = request.state.turnout.blocking.complete("by the verb")
        actual = (answer.choices[0].message.content or "", direct.text)
        return {"sdk": actual[0].strip(), "verb": actual[1].strip(), "user": direct.outcome.user}

    return app
