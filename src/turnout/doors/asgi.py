"""The ASGI door: pure ASGI, nothing buffered, nothing of the app's touched.

A request for our own paths is answered here. Everything else passes on with the very same `receive` and
`send`; its scope gains `state["turnout"]`, and a contextvar says whose request is being handled.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from turnout.assembly import TextStream, Turnout
from turnout.caller import Caller, Circumstances, current_caller, parse_directives
from turnout.completion import Completion
from turnout.doors.headers import Pairs, error_headers, outcome_headers
from turnout.doors.identity import UserOf, user_id
from turnout.errors import (
    InternalError,
    MethodNotAllowed,
    ServedError,
    TooLarge,
    UnsupportedMediaType,
)
from turnout.outcome import Decision
from turnout.replies import DONE, dumps, event
from turnout.settings import Settings
from turnout.wire import ChatRequest, parse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("turnout")


class ClientGone(Exception):
    """The client hung up; nobody is left to be told anything."""


class TurnoutMiddleware:
    """`app.add_middleware(TurnoutMiddleware, config="turnout.toml")`, under FastAPI, Starlette or any ASGI app.

    config: a path, a mapping or Settings; or `turnout`, one that is already built. user: a callable of the
    scope that gives the user's id or None. Raises SettingsError at once where the settings are wrong.
    """

    def __init__(
        self,
        app: App,
        config: str | os.PathLike[str] | Mapping[str, Any] | Settings | None = None,
        *,
        user: UserOf | None = None,
        turnout: Turnout | None = None,
    ) -> None:
        if turnout is None:
            if config is None:
                raise TypeError('TurnoutMiddleware needs config="turnout.toml" (a path, a mapping or Settings)')
            turnout = Turnout(config)
        self.turnout = turnout
        self._app = app
        self._user_of = user
        self._chat_path = turnout.settings.server.chat_path
        self._models_path = turnout.settings.server.models_path if self._chat_path else ""
        self._entry: App = _with_server_span(self._serve) if turnout.settings.telemetry.server_span else self._serve
        turnout.begin_loading()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._entry(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            path = _path(scope)
            if path == self._chat_path and path:
                await _Responder(self.turnout, self._user_of, scope, receive, send).chat()
                return
            if path == self._models_path and path:
                await _Responder(self.turnout, self._user_of, scope, receive, send).models()
                return
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        bound = state["turnout"] = BoundTurnout(self.turnout, self._user_of, scope)
        token = current_caller.set(bound.find_caller)
        try:
            await self._app(scope, receive, send)
        finally:
            current_caller.reset(token)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start-up is over when litellm is loaded; shutdown when our calls are settled."""

        async def told(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self.turnout.start()
            elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self.turnout.aclose()
            await send(message)

        await self._app(scope, receive, told)


def _path(scope: Scope) -> str:
    """The path below where the app is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path


def _with_server_span(app: App) -> App:
    """The app below a server span, unless the request already has one: never a second."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    spanned = OpenTelemetryMiddleware(app, exclude_spans=["receive", "send"])

    async def entry(scope: Scope, receive: Receive, send: Send) -> None:
        has_one = trace.get_current_span().get_span_context().is_valid
        await (app if has_one else spanned)(scope, receive, send)

    return entry


class BoundTurnout:
    """Turnout bound to the request that a handler serves: `request.state.turnout`."""

    def __init__(self, turnout: Turnout, user_of: UserOf | None, scope: Scope) -> None:
        self._turnout = turnout
        self._user_of = user_of
        self._scope = scope
        self._caller: Caller | None = None

    def find_caller(self) -> Caller:
        """Who asks and from which endpoint; found out when first needed."""
        if self._caller is None:
            self._caller = _caller(self._turnout, self._user_of, self._scope)
        return self._caller

    async def complete(self, prompt: Any, **params: Any) -> Completion:
        """The answer to a text or to messages, for this request's caller. Raises ServedError."""
        return await self._turnout.complete(prompt, caller=self.find_caller(), **params)

    def stream(self, prompt: Any, **params: Any) -> TextStream:
        """The answer chunk by chunk, for this request's caller. Raises ServedError."""
        return self._turnout.stream(prompt, caller=self.find_caller(), **params)

    async def decide(self, prompt: Any, **params: Any) -> Decision:
        """Where the request would go, and why. Nothing is called, counted or stored."""
        return await self._turnout.decide(prompt, caller=self.find_caller(), **params)


def _caller(turnout: Turnout, user_of: UserOf | None, scope: Scope) -> Caller:
    user = user_id(turnout.settings.identity, user_of, scope, lambda name: _header(scope, name))
    route = scope.get("route")
    template = getattr(route, "path", None)
    return Caller(user=user, endpoint=template if isinstance(template, str) else _path(scope))


def _header(scope: Scope, name: str) -> str:
    wanted = name.encode("latin-1")
    for key, value in scope["headers"]:
        if key == wanted:
            text: str = value.decode("latin-1")
            return text
    return ""


class _Responder:
    """Answers one request for our own paths. Made for it, and gone with it."""

    def __init__(self, turnout: Turnout, user_of: UserOf | None, scope: Scope, receive: Receive, send: Send) -> None:
        self._turnout = turnout
        self._scope = scope
        self._receive = receive
        self._send = send
        self._user_of = user_of
        self._around: Circumstances = turnout.around(Caller())

    async def chat(self) -> None:
        try:
            await self._chat()
        except ClientGone:
            return
        except ServedError as error:
            await self._refuse(error)
        except Exception:
            # The last line of the door: a defect of ours is told without a traceback, and logged with one.
            log.exception("turnout: request %s failed in a way that it should not", self._around.request_id)
            await self._refuse(InternalError(f"internal error; request {self._around.request_id}"))

    async def models(self) -> None:
        if self._scope["method"] not in ("GET", "HEAD"):
            await self._refuse(MethodNotAllowed("list models by GET", headers=(("allow", "GET, HEAD"),)))
            return
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "turnout"} for name in self._turnout.catalog.names
        ]
        body = dumps({"object": "list", "data": data})
        await self._answer(200, body, [("x-request-id", self._around.request_id)])

    # ------------------------------------------------------------------------------------------- a request

    async def _chat(self) -> None:
        if self._scope["method"] != "POST":
            raise MethodNotAllowed("chat completions are asked for by POST", headers=(("allow", "POST"),))
        caller = _caller(self._turnout, self._user_of, self._scope)
        directives = parse_directives(
            _header(self._scope, "cache-control"), _header(self._scope, "x-turnout-deadline-ms")
        )
        self._around = Circumstances(
            request_id=self._around.request_id,
            started=self._around.started,
            caller=caller,
            directives=directives,
        )
        self._check_type()
        request = parse(await self._body())
        if request.stream:
            await self._stream(request)
        else:
            completion = await self._unless_gone(self._turnout.completed(request, self._around))
            await self._answer(200, completion.body_bytes, outcome_headers(completion.outcome))

    def _check_type(self) -> None:
        kind = _header(self._scope, "content-type").partition(";")[0].strip().lower()
        if kind and kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType(f"content-type must be application/json, not {kind}")

    async def _body(self) -> bytes:
        limit = self._turnout.settings.server.max_body_bytes
        told = _header(self._scope, "content-length")
        if told.isdigit() and int(told) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes")
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge(f"the body is larger than {limit} bytes")
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _unless_gone(self, work: Any) -> Any:
        """What the work gives; ClientGone, with the work cancelled, where the client hangs up first."""
        working = asyncio.ensure_future(work)
        # A hit and a refusal are there after one turn of the loop: no need to watch the client meanwhile.
        await asyncio.sleep(0)
        if working.done():
            return working.result()
        leaving = asyncio.ensure_future(self._left())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise ClientGone
        finally:
            for task in (working, leaving):
                if not task.done():
                    task.cancel()
            await asyncio.wait({working, leaving})

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    # ------------------------------------------------------------------------------------------- an answer

    async def _stream(self, request: ChatRequest) -> None:
        stream = await self._unless_gone(self._turnout.streamed(request, self._around))
        leaving = asyncio.ensure_future(self._left())
        try:
            headers = [
                ("content-type", "text/event-stream; charset=utf-8"),
                ("cache-control", "no-cache"),
                # nginx buffers event streams otherwise.
                ("x-accel-buffering", "no"),
                *outcome_headers(stream.head),
            ]
            await self._start(200, headers)
            await self._events(stream, leaving)
        finally:
            leaving.cancel()
            await asyncio.wait({leaving})
            await stream.aclose()

    async def _events(self, stream: Any, leaving: asyncio.Future[None]) -> None:
        while True:
            following = asyncio.ensure_future(anext(stream, None))
            try:
                await asyncio.wait({following, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    raise ClientGone
                chunk = following.result()
            except ServedError as error:
                # The status line is gone: one error event, and no [DONE].
                await self._send_body(event(error.to_openai()), more=False)
                return
            finally:
                if not following.done():
                    following.cancel()
                    await asyncio.wait({following})
            if chunk is None:
                await self._send_body(DONE, more=False)
                return
            await self._send_body(event(chunk), more=True)

    async def _refuse(self, error: ServedError) -> None:
        await self._answer(error.told_status, dumps(error.to_openai()), error_headers(error, self._around.request_id))

    async def _answer(self, status: int, body: bytes, headers: Pairs) -> None:
        await self._start(status, [("content-type", "application/json"), ("content-length", str(len(body))), *headers])
        await self._send_body(b"" if self._scope["method"] == "HEAD" else body, more=False)

    async def _start(self, status: int, headers: Pairs) -> None:
        raw = [(name.encode("latin-1"), _latin(value)) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _latin(value: str) -> bytes:
    return value.encode("latin-1", "replace")
