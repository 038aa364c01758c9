"""An error of ours that a handler of an ASGI app lets pass, by framework: Starlette and FastAPI are given exception
handlers; Django's own 500 is replaced before its first byte; else it is caught where it passes the door."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any

from turnout.api.exchange import ApiReply
from turnout.doors.asgi_body import Message
from turnout.doors.asgi_connection import Connection
from turnout.doors.asgi_endpoint import Receive, Send
from turnout.doors.bound import BoundTurnout
from turnout.doors.failures import HandlerFailures, kept, layers, served_in, uncaught
from turnout.errors import ServedError, TurnoutError

Scope = MutableMapping[str, Any]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
# Starlette's own.
_BARE = ApiReply(status=500, headers=[], body=b"Internal Server Error", content_type="text/plain; charset=utf-8")


def handle_in_starlette(app: Any, failures: HandlerFailures) -> None:
    """Gives the Starlette app that the door is around, or in, and each one mounted in it a handler for ServedError, and
    one for what else it would answer with a 500; not where it has its own. A mounted app answers 500 for itself, before
    the error reaches the one it is mounted in."""
    for layer in layers(app):
        if hasattr(layer, "add_exception_handler"):
            # A whole app's, or those of the middleware that it calls its handlers in.
            handlers = getattr(layer, "exception_handlers", None) or getattr(layer, "_exception_handlers", {})
            if ServedError not in handlers and TurnoutError not in handlers:
                layer.add_exception_handler(ServedError, partial(_response, failures))
            if hasattr(layer, "exception_handlers") and not _handles_all(handlers):
                layer.add_exception_handler(Exception, partial(_last_response, failures))
        elif hasattr(layer, "error_response") and getattr(layer, "handler", _last_response) is None:
            # The middleware that makes the 500, of an app that was asked before.
            layer.handler = partial(_last_response, failures)


async def _response(failures: HandlerFailures, request: Any, error: ServedError) -> AsgiApp:
    """Starlette's exception handler. It is asked before the first byte alone."""
    if request.scope["type"] != "http" or is_debug(request.scope):
        raise error
    return _sent(failures.reply(request.scope["state"]["turnout"], error))


async def _last_response(failures: HandlerFailures, request: Any, error: Exception) -> AsgiApp:
    """Starlette's handler for what nothing else handles, which it then raises on. What is none of ours is answered as
    Starlette does. In debug mode it is not asked."""
    bound, served = request.scope.get("state", {}).get("turnout"), served_in(error)
    return _sent(_BARE if served is None or not isinstance(bound, BoundTurnout) else failures.reply(bound, served))


def _sent(reply: ApiReply) -> AsgiApp:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await Connection(receive, send).reply(reply, head_only=scope["method"] == "HEAD")

    return respond


def _handles_all(handlers: Mapping[Any, Any]) -> bool:
    """Whether the app has a handler of its own for every error."""
    own = [handlers[key] for key in (500, Exception) if key in handlers]
    return any(getattr(each, "func", None) is not _last_response for each in own)


def is_replaceable(scope: Scope, send: Any) -> bool:
    """Whether an error that passes the door may be answered there: before the first byte, not in debug mode, and not
    where the app itself words every error."""
    if scope["type"] != "http" or is_debug(scope) or has_started(send) is not False:
        return False
    return not _handles_all(getattr(scope.get("app"), "exception_handlers", None) or {})


def is_debug(scope: Scope) -> bool:
    """Whether the Starlette app that serves the request is in debug mode."""
    return bool(getattr(scope.get("app"), "debug", False))


def has_started(send: Any) -> bool | None:
    """Whether the response has begun; None where nothing tells. The app's `send` is the server's own, uncounted: that
    of uvicorn, Starlette, its TestClient and httpx has this beside it, by one name."""
    if inspect.isfunction(send):
        started = inspect.getclosurevars(send).nonlocals.get("response_started")
    else:
        started = getattr(getattr(send, "__self__", None), "response_started", None)
    return started if isinstance(started, bool) else None


def replacing(failures: HandlerFailures, bound: BoundTurnout, scope: Scope, send: Send) -> Send:
    """A `send` that answers with the error that a request ended by, in place of a 500."""
    replaced = False

    async def send_replaced(message: Message) -> None:
        nonlocal replaced
        if replaced:
            return
        if message["type"] != "http.response.start" or message["status"] != 500 or not (error := uncaught(bound)):
            await send(message)
            return
        replaced = True
        reply = failures.reply(bound, error)
        old = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept(old) + reply.all_headers]
        await send({**message, "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    return send_replaced
