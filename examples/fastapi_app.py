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
from fastapi.responses import JSONResponse, StreamingResponse

from turnout.asgi import TurnoutMiddleware
from turnout.errors import ServedError

app = FastAPI()
app.add_middleware(TurnoutMiddleware, config=os.environ.get("TURNOUT_CONFIG", "turnout.toml"))


@app.get("/ask")
async def ask(question: str, request: Request) -> dict[str, str]:
    """A whole answer, and who gave it."""
    answer = await request.state.turnout.complete(question)
    return {"answer": answer.text, "tier": answer.outcome.tier, "cost_usd": str(answer.outcome.cost_usd)}


@app.get("/tell")
async def tell(question: str, request: Request) -> StreamingResponse:
    """The answer word by word. Begun before the response is, so that an outage still gets its own status."""
    stream = request.state.turnout.stream(question)
    await stream.begin()

    async def words() -> AsyncIterator[str]:
        try:
            async for chunk in stream:
                yield chunk.text
        finally:
            await stream.aclose()

    return StreamingResponse(words(), media_type="text/plain")


@app.exception_handler(ServedError)
async def served_error(request: Request, error: ServedError) -> JSONResponse:
    """What could not be answered, with its status and when to come back."""
    return JSONResponse(error.to_openai(), error.told_status, dict(error.told_headers))
