"""What a type checker makes of the public API: mypy reads this file, and nothing runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type

import flask
import httpx
import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request

import openai
from turnout import Chunk, Completion, Decision, Outcome, Settings, Turnout, transport
from turnout.asgi import TurnoutMiddleware
from turnout.wsgi import TurnoutMiddleware as WsgiMiddleware


def mounted(settings: Settings, tables: Mapping[str, Any]) -> None:
    """By a path, a mapping or settings; with a function of the scope or the environ that names the user."""
    app = Starlette(middleware=[Middleware(TurnoutMiddleware, config="turnout.toml")])
    app.add_middleware(TurnoutMiddleware, config=tables, user=lambda scope: scope.get("user"))
    TurnoutMiddleware(app, settings)
    flask_app = flask.Flask(__name__)
    flask_app.wsgi_app = WsgiMiddleware(  # type: ignore[method-assign]
        flask_app.wsgi_app, config="turnout.toml", user=lambda environ: environ.get("REMOTE_USER")
    )


async def handled(request: Request) -> str:
    """Inside a handler the state is Any to any checker; its verbs are those of a Turnout."""
    completion: Completion = await request.state.turnout.complete("Why?")
    return completion.text


async def by_itself() -> None:
    """The verbs of a Turnout, and what they return."""
    async with Turnout.from_toml("turnout.toml") as turnout:
        completion = await turnout.complete([{"role": "user", "content": "Why?"}], temperature=0.0)
        assert_type(completion, Completion)
        assert_type(completion.text, str)
        assert_type(completion.outcome, Outcome)
        assert_type(completion.outcome.decision, Decision | None)
        assert_type(completion.to_openai(), dict[str, Any])
        async for chunk in turnout.stream("Why?"):
            assert_type(chunk, Chunk)
            assert_type(chunk.text, str)
        assert_type(await turnout.decide("Why?"), Decision)
        assert_type(await turnout.purge(user="ann"), int)


def existing_clients(turnout: Turnout) -> None:
    """One transport serves blocking and async clients, of httpx and of httpx2."""
    httpx.Client(transport=transport("turnout.toml"))
    openai.AsyncOpenAI(api_key="-", http_client=httpx2.AsyncClient(transport=turnout.transport(model=None)))
