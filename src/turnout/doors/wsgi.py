"""The WSGI door: the same contract as the ASGI one, over the same asynchronous core.

A request for our own paths is answered here. Everything else passes on with the very same `environ` and
`start_response`; the environ gains `environ["turnout"]`, and a contextvar says whose request is being handled
until the response is closed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import Token
from functools import partial

from turnout import portal
from turnout.api.exchange import ApiReply, ApiRequest, EventStream, Reply, Responder, error_reply, note_refused
from turnout.context import HandledRequest, current_request, new_request_id
from turnout.doors.base import WITH_BODY, Door, check_size
from turnout.doors.bound import BlockingTurnout, BoundTurnout
from turnout.doors.endpoints import EndpointRequest
from turnout.doors.failures import is_around, note_uncaught, passes_on_purpose, served_in
from turnout.doors.heavy import LIGHT_METHODS
from turnout.doors.route_templates import wsgi_template
from turnout.doors.wsgi_client import Client
from turnout.doors.wsgi_endpoint import (
    Environ,
    StartResponse,
    body_size,
    headed_start,
    read_ahead,
    read_body,
)
from turnout.doors.wsgi_failures import ReplacedStart, status_line
from turnout.doors.wsgi_replay import in_thread_of_its_own, play
from turnout.errors import CallerGone
from turnout.ports.jobs import Job, JobEnd
from turnout.settings import Endpoint

App = Callable[[Environ, StartResponse], Iterable[bytes]]


class TurnoutMiddleware(Door[App, Environ]):
    """`app.wsgi_app = TurnoutMiddleware(app.wsgi_app, config="turnout.toml")`, for Flask, Django or any WSGI app.

    config: a path, a mapping or Settings; or `turnout`, one that is already built. user: a callable of the
    environ that gives the user's id or None. Raises SettingsError at once where the settings are wrong, UsageError
    under gevent and eventlet.
    """

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._entry(environ, start_response)

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = self._path(environ)
        route = self._find_route(environ, path)
        if route is not None:
            return self._answer(route, path, environ, start_response)
        found = self._endpoints.find(path, partial(wsgi_template, self._app, environ, path))
        if found is not None:
            return self._admit(*found, path, environ, start_response)
        return self._pass_on(self._bind(environ, path, None), environ, start_response)

    def _answer(
        self,
        route: Responder,
        path: str,
        environ: Environ,
        start_response: StartResponse,
        *,
        any_body: bool = False,
    ) -> Iterable[bytes]:
        """A request for one of our own paths, answered on the portal. any_body: read whatever the method."""
        request_id, started = new_request_id(), self.turnout.clock.monotonic()
        method, client = environ["REQUEST_METHOD"], Client(environ)
        reply: Reply
        try:
            body = self._read_body(environ) if any_body or method in WITH_BODY else b""
            if client.is_gone:
                # It may have waited for a thread for longer than it cared to.
                raise CallerGone
            request = self._api_request(
                environ,
                method=method,
                path=path,
                body=body,
                request_id=request_id,
                started=started,
                waits=client.unless_gone,
            )
            events: portal.Pumped[Reply, bytes] = portal.Pumped(portal.portal_loop(), partial(_open, route, request))
            reply = events.head
        except CallerGone:
            # Nobody reads it; a server wants a response all the same.
            start_response("499 Client Closed Request", [("Content-Length", "0")])
            return []
        except Exception as error:
            # The outermost code of the door: what is no ServedError is a defect of ours.
            reply = self._refusal(error, request_id)
        if isinstance(reply, ApiReply):
            return _send_reply(reply, environ, start_response)
        start_response(status_line(reply.status), reply.all_headers)
        return events

    def _refusal(self, error: Exception, request_id: str) -> ApiReply:
        # Counted on the loop, as all else is.
        portal.portal_loop().call_soon_threadsafe(note_refused, self.turnout.api.observer, error)
        return error_reply(error, request_id)

    def _read_body(self, environ: Environ) -> bytes:
        limit = self._body_limit(environ)
        body = read_body(environ, body_size(environ, limit + 1))
        check_size(len(body), limit)
        return body

    def _admit(
        self, name: str, endpoint: Endpoint, path: str, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """A request of one of the app's own endpoints: counted and decided before its handler runs; a heavy one becomes
        a job."""
        if endpoint.heavy and environ["REQUEST_METHOD"] not in LIGHT_METHODS:
            submit = partial(self._submit_heavy, raw=environ, name=name)
            return self._answer(submit, path, environ, start_response, any_body=True)
        bound = self._bind(environ, path, None, name)
        request = EndpointRequest(bound, endpoint)
        try:
            has_prompt = request.has_prompt(environ["REQUEST_METHOD"])
            body = read_ahead(environ, self._settings.server.max_body_bytes) if has_prompt else b""
            # The caller is found here: the app's own callable may block, and belongs to this thread.
            bound.find_caller()
            portal.run(portal.portal_loop(), partial(request.admit, body))
        except Exception as error:
            return _send_reply(self._refusal(error, new_request_id()), environ, start_response)
        return self._pass_on(bound, environ, headed_start(request, start_response))

    def _pass_on(self, bound: BoundTurnout, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["turnout"] = BlockingTurnout(bound)
        replaced = None
        if self._catches_all and self._failures is not None:
            replaced = ReplacedStart(self._failures, bound, environ, start_response)
        token = current_request.set(bound)
        try:
            body = self._app(environ, replaced or start_response)
        except BaseException as error:
            current_request.reset(token)
            served = served_in(error) if self._failures is not None and not passes_on_purpose(error) else None
            if self._failures is None or served is None:
                raise
            try:
                return _send_reply(self._failures.reply(bound, served), environ, start_response)
            except AssertionError:
                # Servers take one start of a response: this one had begun.
                raise error from None
        if replaced is not None and replaced.body is not None:
            current_request.reset(token)
            return replaced.instead(body)
        if _is_complete(body, environ):
            # None of the app's code runs any more, and servers look at this object's type.
            current_request.reset(token)
            return body
        return _AppResponse(body, token)

    async def _replay(self, job: Job) -> JobEnd:
        heavy, bound = await self._admit_replay(job, None)
        return await in_thread_of_its_own(partial(play, partial(self._pass_on, bound), heavy, bound, job))

    def _explain(self, app: App) -> None:
        # They make a 500 of every error themselves.
        around = [framework for framework in ("flask", "django") if is_around(app, framework)]
        self._catches_all = bool(around)
        for framework in around:
            note_uncaught(framework)

    def _check_threads(self) -> None:
        portal.refuse_greenlets()

    def _working(self, app: App) -> App:
        def entry(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            self.start_worker()
            return app(environ, start_response)

        return entry

    def start_worker(self) -> None:
        """Begins to work on jobs in this process, where it does and has not begun: before its first request, which else
        does. For a server's hook that runs in each worker process, behind its fork (gunicorn's `post_worker_init`)."""
        if self.turnout.lacks_worker:
            portal.portal_loop().call_soon_threadsafe(self.turnout.start_worker)

    def _spanned(self, app: App) -> App:
        from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

        spanned: App = OpenTelemetryMiddleware(app)
        return spanned

    def _path(self, environ: Environ) -> str:
        path: str = environ.get("PATH_INFO", "")
        # PEP 3333: the bytes of the path, decoded as latin-1.
        return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")

    def _template(self, environ: Environ, path: str) -> str:
        return wsgi_template(self._app, environ, path)

    def _query(self, environ: Environ) -> str:
        return str(environ.get("QUERY_STRING", ""))

    def _client(self, environ: Environ) -> str:
        return str(environ.get("REMOTE_ADDR", ""))

    def _scheme(self, environ: Environ) -> str:
        return str(environ.get("wsgi.url_scheme", "http"))

    def _mount_point(self, environ: Environ) -> dict[str, str]:
        return {"root_path": str(environ.get("SCRIPT_NAME", ""))}

    def _header(self, environ: Environ, name: str) -> str:
        key = name.upper().replace("-", "_")
        text: str = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", "")
        return text


def _is_complete(body: Iterable[bytes], environ: Environ) -> bool:
    """Whether the app's response is a list, a tuple or a file: nothing of the app's makes it while it is sent."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(body, list | tuple) or (isinstance(wrapper, type) and isinstance(body, wrapper))


class _AppResponse:
    """The app's own response, passed on; its `close` ends the handling too."""

    __slots__ = ("_body", "_token")

    def __init__(self, body: Iterable[bytes], token: Token[HandledRequest | None]) -> None:
        self._body = body
        self._token = token

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            # A server may close in another thread than the one that called the app: nothing is set there.
            with contextlib.suppress(ValueError):
                current_request.reset(self._token)


def _send_reply(reply: ApiReply, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response(status_line(reply.status), reply.all_headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else reply.body]


async def _open(route: Responder, request: ApiRequest) -> tuple[Reply, EventStream | None]:
    reply = await route(request)
    return reply, reply if isinstance(reply, EventStream) else None
