"""A FastAPI app before and after.

Before:

    client = openai.AsyncOpenAI()

    @app.get("/ask")
    async def ask(question: str) -> dict[str, str]:
        answer = await client.chat.completions.create(model="gpt-4o", messages=[...question...])
        return {"answer": answer.choices[0].message.content}

After: one line mounts Turnout; the handler asks it.

    uvicorn examples.fastapi_app:app
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from turnout.asgi import TurnoutMiddleware

app = FastAPI()
app.add_middleware(TurnoutMiddleware, config=os.environ.get("TURNOUT_CONFIG", "turnout.toml"))


@app.get("/ask")
async def ask(question: str, request: Request) -> dict[str, str]:
    """A whole answer, and who gave it."""
    answer = await request.state.turnout.complete(question)
    return {"answer": answer.text, "tier": answer.outcome.tier, "cost_usd": str(answer.outcome.cost_usd)}


@app.get("/tell")
async def tell(question: str, request: Request) -> StreamingResponse:
    """The answer word by word."""

    async def words() -> AsyncIterator[str]:
        async for chunk in request.state.turnout.stream(question):
            yield chunk.text

    return StreamingResponse(words(), media_type="text/plain")
