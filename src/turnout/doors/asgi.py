"""The ASGI door: pure ASGI, nothing buffered, nothing of the app's touched.

A request for our own paths is answered here. Everything else passes on with the very same `receive` and
`send`; its scope gains `state["turnout"]`, and a contextvar says whose request is being handled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, TypeVar

from turnout.api.exchange import Answer, ApiReply, ApiRequest, EventStream, refusal
from turnout.api.routes import Routes
from turnout.assembly import Turnout
from turnout.context import Caller, current_request, new_request_id
from turnout.doors.asgi_endpoint import ReadAhead, adding
from turnout.doors.bound import BoundTurnout
from turnout.doors.endpoints import Admitted, Endpoints, is_read, prompt_at
from turnout.doors.identity import UserOf, user_id
from turnout.doors.mounting import Config, mounted
from turnout.errors import CallerGone, SettingsError, TooLarge
from turnout.settings import Endpoint

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TurnoutMiddleware:
    """`app.add_middleware(TurnoutMiddleware, config="turnout.toml")`, under FastAPI, Starlette or any ASGI app.

    config: a path, a mapping or Settings; or `turnout`, one that is already built. user: a callable of the
    scope that gives the user's id or None. Raises SettingsError at once where the settings are wrong; built by a
    server that runs already, as Starlette does at the first message, it fails the server's start-up with it.
    """

    def __init__(
        self,
        app: App,
        config: Config | None = None,
        *,
        user: UserOf | None = None,
        turnout: Turnout | None = None,
    ) -> None:
        try:
            turnout = turnout or mounted(config)
        except SettingsError as error:
            if not _in_loop():
                raise
            # A server takes an error of this constructor for an app without lifespan, and serves on.
            self._entry: App = partial(_refused, error)
            return
        self.turnout = turnout
        self._app = app
        self._user_of = user
        self._own = Routes(turnout)
        self._endpoints = Endpoints(turnout.settings.endpoints)
        self._entry = _with_server_span(self._serve) if turnout.settings.telemetry.server_span else self._serve
        turnout.mount()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._entry(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            path = _path(scope)
            answer = self._own.find(path)
            if answer is not None:
                await _Responder(self.turnout, self._user_of, scope, receive, send).serve(answer, path)
                return
            if (found := self._endpoints.find(path)) is not None:
                await self._admit(*found, scope, receive, send)
                return
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        find = partial(_caller, self.turnout, self._user_of, scope)
        await self._pass_on(BoundTurnout(self.turnout, find, asyncio.get_running_loop()), scope, receive, send)

    async def _admit(self, name: str, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        """A request of one of the app's own endpoints: counted and decided before its handler runs."""
        started = self.turnout.clock.monotonic()
        find = partial(_caller, self.turnout, self._user_of, scope, endpoint=name)
        bound = BoundTurnout(self.turnout, find, asyncio.get_running_loop())
        ahead = ReadAhead(receive, self.turnout.settings.server.max_body_bytes)
        try:
            body = await ahead.body() if is_read(endpoint, scope["method"]) else b""
            admission = await self.turnout.admitted(prompt_at(body, endpoint.prompt), bound.find_caller())
        except Exception as error:
            await _send_reply(refusal(error, new_request_id()), scope, send)
            return
        admitted = Admitted(bound, admission, started)
        await self._pass_on(bound, scope, ahead.receive, adding(admitted, send))

    async def _pass_on(self, bound: BoundTurnout, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        state["turnout"] = bound
        if self.turnout.home is None:
            self.turnout.home = bound.loop
        token = current_request.set(bound)
        try:
            await self._app(scope, receive, send)
        finally:
            current_request.reset(token)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start-up is over when litellm is loaded; shutdown when our calls are settled."""

        async def told(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self.turnout.start()
            elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self.turnout.aclose()
            await send(message)

        await self._app(scope, receive, told)


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _refused(error: SettingsError, scope: Scope, receive: Receive, send: Send) -> None:
    """In place of an app whose settings are wrong: the server is told not to start."""
    if scope["type"] != "lifespan":
        raise error
    await receive()
    await send({"type": "lifespan.startup.failed", "message": f"turnout: {error}"})


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


def _caller(turnout: Turnout, user_of: UserOf | None, scope: Scope, endpoint: str = "") -> Caller:
    """endpoint: one of the settings', whose requests the door has counted."""
    user = user_id(turnout.settings.identity, user_of, scope, lambda name: _header(scope, name))
    if endpoint:
        return Caller(user=user, endpoint=endpoint, admitted=True)
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


def _start(reply: ApiReply | EventStream) -> Message:
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in reply.all_headers]
    return {"type": "http.response.start", "status": reply.status, "headers": raw}


async def _send_reply(reply: ApiReply, scope: Scope, send: Send) -> None:
    await send(_start(reply))
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})


class _Responder:
    """Answers one request for our own paths. Made for it, and gone with it."""

    def __init__(self, turnout: Turnout, user_of: UserOf | None, scope: Scope, receive: Receive, send: Send) -> None:
        self._turnout = turnout
        self._scope = scope
        self._receive = receive
        self._send = send
        self._user_of = user_of
        self._request_id = new_request_id()
        self._started = turnout.clock.monotonic()

    async def serve(self, answer: Answer, path: str) -> None:
        """Reads the request, has it answered, sends what came of it."""
        try:
            reply = await self._replied(answer, path)
        except CallerGone:
            return
        except Exception as error:
            # The last line of the door: what is no ServedError is a defect of ours.
            reply = refusal(error, self._request_id)
        if isinstance(reply, ApiReply):
            await _send_reply(reply, self._scope, self._send)
        else:
            await self._stream(reply)

    async def _replied(self, answer: Answer, path: str) -> ApiReply | EventStream:
        method = self._scope["method"]
        asked = ApiRequest(
            method=method,
            path=path,
            header=lambda name: _header(self._scope, name),
            body=await self._body() if method == "POST" else b"",
            caller=_caller(self._turnout, self._user_of, self._scope),
            request_id=self._request_id,
            started=self._started,
            waits=self._unless_gone,
        )
        return await answer(asked)

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
                raise CallerGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge(f"the body is larger than {limit} bytes")
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _unless_gone(self, work: Awaitable[T]) -> T:
        """What the work gives; CallerGone, with the work cancelled, where the client hangs up first."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._left())
        both: set[asyncio.Future[Any]] = {working, leaving}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise CallerGone
        finally:
            for task in both:
                if not task.done():
                    task.cancel()
            await asyncio.wait(both)

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _stream(self, events: EventStream) -> None:
        leaving = asyncio.ensure_future(self._left())
        try:
            await self._send(_start(events))
            await self._send_events(events, leaving)
        except CallerGone:
            return
        finally:
            leaving.cancel()
            try:
                await asyncio.wait({leaving})
            finally:
                await events.aclose()

    async def _send_events(self, events: EventStream, leaving: asyncio.Future[None]) -> None:
        while not events.over:
            following = asyncio.ensure_future(anext(events))
            try:
                either: set[asyncio.Future[Any]] = {following, leaving}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                # Looked at first: of a stream that never pauses, the next event is always there.
                if leaving.done() or not following.done():
                    raise CallerGone
            finally:
                if not following.done():
                    following.cancel()
                    await asyncio.wait({following})
            await self._send_body(following.result(), more=not events.over)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
