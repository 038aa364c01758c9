"""The ASGI door: pure ASGI, nothing buffered, nothing of the app's touched.

A request for our own paths is answered here. Everything else passes on with the very same `receive` and
`send`; its scope gains `state["turnout"]`, and a contextvar says whose request is being handled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any

from turnout.api.exchange import Reply, Responder
from turnout.context import current_request, new_request_id
from turnout.doors.asgi_body import Message
from turnout.doors.asgi_connection import Connection
from turnout.doors.asgi_endpoint import ReadAhead, Receive, Send, headed_send
from turnout.doors.asgi_failures import handle_in_starlette, is_replaceable, replacing
from turnout.doors.asgi_replay import ReplayedExchange
from turnout.doors.base import WITH_BODY, Door
from turnout.doors.bound import BoundTurnout
from turnout.doors.endpoints import EndpointRequest
from turnout.doors.failures import is_around, note_uncaught, served_in
from turnout.doors.heavy import LIGHT_METHODS
from turnout.doors.route_templates import asgi_template
from turnout.errors import CallerGone, ServedError, SettingsError
from turnout.portal import running_loop
from turnout.ports.jobs import Job, JobEnd
from turnout.settings import Endpoint

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TurnoutMiddleware(Door[App, Scope]):
    """`app.add_middleware(TurnoutMiddleware, config="turnout.toml")`, under FastAPI, Starlette or any ASGI app.

    config: a path, a mapping or Settings; or `turnout`, one that is already built. user: a callable of the
    scope that gives the user's id or None. Raises SettingsError at once where the settings are wrong; built by a
    server that runs already, as Starlette does at the first message, it fails the server's start-up with it.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._entry(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        path = self._path(scope)
        if kind == "http":
            route = self._find_route(scope, path)
            if route is not None:
                await self._answer(route, path, scope, receive, send)
                return
            found = self._endpoints.find(path, partial(asgi_template, self._app, scope, path))
            if found is not None:
                await self._admit(*found, path, scope, receive, send)
                return
        await self._pass_on(self._bind(scope, path, asyncio.get_running_loop()), scope, receive, send)

    async def _answer(
        self, route: Responder, path: str, scope: Scope, receive: Receive, send: Send, *, any_body: bool = False
    ) -> None:
        """A request for one of our own paths. any_body: read whatever the method."""
        request_id, started = new_request_id(), self.turnout.clock.monotonic()
        method = scope["method"]
        connection = Connection(receive, send)
        reads = any_body or method in WITH_BODY
        try:
            body = await connection.read_body(self._body_limit(scope)) if reads else b""
        except CallerGone:
            return
        except ServedError as error:
            # Anything else is what a middleware outside raises from its `receive`, and goes back to it.
            await connection.reply(self.turnout.api.refusal(error, request_id), head_only=False)
            return
        reply: Reply
        try:
            request = self._api_request(
                scope,
                method=method,
                path=path,
                body=body,
                request_id=request_id,
                started=started,
                waits=connection.unless_gone,
                long_lived=True,
            )
            reply = await route(request)
        except CallerGone:
            return
        except Exception as error:
            # The outermost code of the door: what is no ServedError is a defect of ours.
            reply = self.turnout.api.refusal(error, request_id)
        await connection.reply(reply, head_only=method == "HEAD")

    async def _admit(
        self, name: str, endpoint: Endpoint, path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """A request of one of the app's own endpoints: counted and decided before its handler runs; a heavy one becomes
        a job."""
        if endpoint.heavy and scope["method"] not in LIGHT_METHODS:
            submit = partial(self._submit_heavy, raw=scope, name=name)
            await self._answer(submit, path, scope, receive, send, any_body=True)
            return
        bound = self._bind(scope, path, asyncio.get_running_loop(), name)
        request = EndpointRequest(bound, endpoint)
        ahead = ReadAhead(receive, self._settings.server.max_body_bytes)
        method = scope["method"]
        body = await ahead.body() if request.has_prompt(method) else b""
        try:
            await request.admit(body)
        except Exception as error:
            reply = self.turnout.api.refusal(error, new_request_id())
            await Connection(receive, send).reply(reply, head_only=method == "HEAD")
            return
        await self._pass_on(bound, scope, ahead.receive, headed_send(request, send))

    async def _pass_on(self, bound: BoundTurnout, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        state["turnout"] = bound
        home = self.turnout.home
        if home.loop is None:
            home.loop = bound.loop
        token = current_request.set(bound)
        if self._failures is not None and self._is_django:
            send = replacing(self._failures, bound, scope, send)
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            # Whatever it is: an SDK's own error may tell of ours.
            served = served_in(error)
            if served is not None and bound.unhandled is served:
                # A Starlette app has answered with it, and raised it on for a server's log.
                return
            if self._failures is None or served is None or not is_replaceable(scope, send):
                raise
            reply = self._failures.reply(bound, served)
            await Connection(receive, send).reply(reply, head_only=scope["method"] == "HEAD")
        finally:
            current_request.reset(token)

    def _explain(self, app: App) -> None:
        # It makes a 500 of every error itself.
        self._is_django = is_around(app, "django")
        if self._is_django:
            note_uncaught("django")
        if self._failures is not None:
            handle_in_starlette(app, self._failures)

    async def _replay(self, job: Job) -> JobEnd:
        heavy, bound = await self._admit_replay(job, asyncio.get_running_loop())
        exchange = ReplayedExchange(heavy, self._lifespan_state, self._apps_in_scope)
        try:
            await self._pass_on(bound, exchange.scope, exchange.receive, exchange.send)
        except Exception as error:
            # The app's, whatever it is.
            return exchange.recorder.end_by(error, job)
        if bound.unhandled is not None:
            # The job may run again, as one of ours would.
            raise bound.unhandled
        return exchange.recorder.end()

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start-up is over when litellm is loaded; shutdown when our calls are settled."""

        async def send_when_ready(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self.turnout.start()
            elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self.turnout.aclose()
            await send(message)

        # What was mounted in the app since.
        self._explain(self._app)
        # What the app keeps there, replayed requests have too.
        self._lifespan_state.append(scope.get("state") or {})
        await self._app(scope, receive, send_when_ready)

    def _refuse(self, error: SettingsError) -> App:
        if running_loop() is None:
            raise error
        # A server takes an error of the constructor for an app without lifespan, and serves on.
        return partial(_fail_startup, error)

    def _working(self, app: App) -> App:
        async def entry(scope: Scope, receive: Receive, send: Send) -> None:
            if not self._apps_in_scope and "app" in scope:
                # The Starlette app around the door: the same for every request, and not to be found otherwise.
                self._apps_in_scope.append(scope["app"])
            if scope["type"] != "lifespan":
                self.turnout.start_worker()
            await app(scope, receive, send)

        return entry

    def _spanned(self, app: App) -> App:
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        return OpenTelemetryMiddleware(app, exclude_spans=["receive", "send"])

    def _path(self, scope: Scope) -> str:
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
            return path[len(root) :]
        return path

    def _template(self, scope: Scope, path: str) -> str:
        # FastAPI leaves the route in the scope: below a mount it is the mounted app's alone.
        template = getattr(scope.get("route"), "path", "")
        if isinstance(template, str) and template and self._path(scope) == path:
            return template
        return asgi_template(self._app, scope, path)

    def _query(self, scope: Scope) -> str:
        query: bytes = scope.get("query_string", b"")
        return query.decode("latin-1")

    def _client(self, scope: Scope) -> str:
        client = scope.get("client")
        return str(client[0]) if client else ""

    def _scheme(self, scope: Scope) -> str:
        return str(scope.get("scheme", "http"))

    def _mount_point(self, scope: Scope) -> dict[str, str]:
        return {"root_path": scope.get("root_path", ""), "path": scope["path"]}

    def _header_reader(self, scope: Scope) -> Callable[[str], str]:
        texts = joined(scope["headers"])

        def read(name: str) -> str:
            return texts.get(name.encode("latin-1"), b"").decode("latin-1")

        return read

    def _header(self, scope: Scope, name: str) -> str:
        wanted = name.encode("latin-1")
        return joined([pair for pair in scope["headers"] if pair[0] == wanted]).get(wanted, b"").decode("latin-1")


def joined(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """The headers by name, the texts of one that was sent more than once joined as WSGI servers do."""
    texts: dict[bytes, bytes] = {}
    for name, text in headers:
        known = texts.get(name)
        texts[name] = text if known is None else (b"; " if name == b"cookie" else b",").join((known, text))
    return texts


async def _fail_startup(error: SettingsError, scope: Scope, receive: Receive, send: Send) -> None:
    """In place of an app whose settings are wrong: tells the server not to start."""
    if scope["type"] != "lifespan":
        raise error
    await receive()
    await send({"type": "lifespan.startup.failed", "message": f"turnout: {error}"})
    # A server has stopped by now; a test client waits for the app to end, and raises what it ended with.
    raise error
