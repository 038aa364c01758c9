"""An app with a heavy path of its own, for `turnout worker --app`: ASGI or WSGI, as HEAVY_KIND says."""

from __future__ import annotations

import os
from typing import Any

from turnout import Turnout
from turnout.asgi import TurnoutMiddleware as AsgiMiddleware
from turnout.testing import FixedScorer, ScriptedProvider
from turnout.wsgi import TurnoutMiddleware as WsgiMiddleware


def turnout() -> Turnout:
    return Turnout(os.environ["HEAVY_CONFIG"], provider=ScriptedProvider(), scorer=FixedScorer(0.1))


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    body = (await receive())["body"]
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"answer to " + body})


def wsgi(environ: Any, start_response: Any) -> Any:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"answer to " + body]


app: Any = (
    AsgiMiddleware(asgi, turnout=turnout())
    if os.environ["HEAVY_KIND"] == "asgi"
    else WsgiMiddleware(wsgi, turnout=turnout())
)
