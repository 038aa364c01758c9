"""A handler on the OpenAI SDK, unchanged but for how its client is made.

Before:

    client = openai.AsyncOpenAI()

After: the client's requests never leave the process. They are routed, cached, limited and billed to the user whose
request the handler serves, and `model="gpt-4o"` means `auto`. The sync client takes the very same transport.

    uvicorn examples.openai_handler:app
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

import openai
import turnout
from turnout.asgi import TurnoutMiddleware

app = FastAPI()
app.add_middleware(TurnoutMiddleware, config=os.environ.get("TURNOUT_CONFIG", "turnout.toml"))

# The SDK's version 3 names the type of httpx2 and takes this client as well.
http_client: Any = httpx.AsyncClient(transport=turnout.transport())
client = openai.AsyncOpenAI(api_key="-", base_url="http://turnout/v1", http_client=http_client)


@app.get("/ask")
async def ask(question: str) -> dict[str, str | None]:
    """A whole answer."""
    answer = await client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": question}],
    )
    return {"answer": answer.choices[0].message.content, "model": answer.model}


@app.get("/tell")
async def tell(question: str) -> StreamingResponse:
    """The answer word by word."""
    chunks = await client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": question}],
        stream=True,
    )

    async def words() -> AsyncIterator[str]:
        async for chunk in chunks:
            if chunk.choices:
                yield chunk.choices[0].delta.content or ""

    return StreamingResponse(words(), media_type="text/plain")
