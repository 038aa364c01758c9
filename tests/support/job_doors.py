"""An app with a queue behind both doors, in this process: uvicorn for ASGI, wsgiref for WSGI, a scripted provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from flask import Flask, request

from tests.support.apps import served, settings
from tests.support.wsgi_servers import validated
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware as AsgiMiddleware
from turnout.clock import SystemClock
from turnout.testing import FixedScorer, ScriptedProvider
from turnout.wsgi import TurnoutMiddleware as WsgiMiddleware


def turnout_with(provider: ScriptedProvider, folder: Any, *, works: bool | None = None, **sections: Any) -> Turnout:
    """A Turnout whose queue lies in this folder."""
    queue = {"path": str(folder / "jobs.sqlite"), **sections.pop("queue", {})}
    config = settings("http://127.0.0.1:1/v1", queue=queue, **sections)
    return Turnout(config, provider=provider, scorer=FixedScorer(0.1), works=works)


def scripted(script: Mapping[str, Any] | None = None) -> ScriptedProvider:
    """A provider by the system's clock."""
    return ScriptedProvider(script, clock=SystemClock())


@contextmanager
def asgi_app(turnout: Turnout) -> Iterator[str]:
    """The base URL of a FastAPI app that also submits by itself."""
    app = FastAPI()
    app.add_middleware(AsgiMiddleware, turnout=turnout)

    @app.post("/report/{topic}")
    async def report(topic: str, request: Request) -> dict[str, Any]:
        body = (await request.body()).decode()
        answer = await request.state.turnout.complete(topic)
        cookie = request.headers.get("cookie", "")
        return {"text": answer.text, "body": body, "user": answer.outcome.user, "cookie": cookie}

    @app.get("/later")
    async def later(request: Request) -> dict[str, Any]:
        submitted = await request.state.turnout.submit("by the verb", priority=7)
        return {**submitted.to_dict(), "location": submitted.location}

    with served(app) as url:
        yield url


@contextmanager
def wsgi_app(turnout: Turnout) -> Iterator[str]:
    """The base URL of a Flask app that does the same, under wsgiref's validator."""
    app = Flask("jobs")
    app.wsgi_app = WsgiMiddleware(app.wsgi_app, turnout=turnout)  # type: ignore[method-assign]

    @app.post("/report/<topic>")
    def report(topic: str) -> dict[str, Any]:
        body = request.get_data(as_text=True)
        answer = request.environ["turnout"].complete(topic)
        cookie = request.headers.get("cookie", "")
        return {"text": answer.text, "body": body, "user": answer.outcome.user, "cookie": cookie}

    @app.get("/later")
    def later() -> dict[str, Any]:
        submitted = request.environ["turnout"].submit("by the verb", priority=7)
        return {**submitted.to_dict(), "location": submitted.location}

    with validated(app) as url:
        yield url


DOORS = {"asgi": asgi_app, "wsgi": wsgi_app}
