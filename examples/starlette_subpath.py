"""Turnout around one part of a Starlette app, under a sub-path.

Before:

    app = Starlette(routes=[Route("/", home), Mount("/assistant", app=assistant)])

After: only the assistant's calls are routed; the endpoint for SDKs is at /assistant/v1/chat/completions.

    uvicorn examples.starlette_subpath:app
"""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from turnout.asgi import TurnoutMiddleware


async def home(request: Request) -> JSONResponse:
    """Outside: nothing of Turnout's here."""
    return JSONResponse({"turnout": hasattr(request.state, "turnout")})


async def ask(request: Request) -> JSONResponse:
    """Inside."""
    answer = await request.state.turnout.complete(request.query_params["question"])
    return JSONResponse({"answer": answer.text, "tier": answer.outcome.tier})


assistant = Starlette(routes=[Route("/ask", ask)])
app = Starlette(
    routes=[
        Route("/", home),
        Mount(
            "/assistant",
            app=TurnoutMiddleware(assistant, config=os.environ.get("TURNOUT_CONFIG", "turnout.toml")),
        ),
    ]
)
