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
from http import HTTPStatus
from typing import Any

from turnout import portal
from turnout.api.exchange import Answer, ApiReply, ApiRequest, EventStream, refusal
from turnout.api.routes import Routes
from turnout.assembly import Turnout
from turnout.context import Caller, HandledRequest, current_request, new_request_id
from turnout.doors.bound import BlockingTurnout, BoundTurnout
from turnout.doors.endpoints import Admitted, Endpoints, is_read, prompt_at
from turnout.doors.identity import UserOf, user_id
from turnout.doors.mounting import Config, mounted
from turnout.doors.wsgi_endpoint import adding, expected, read, read_ahead
from turnout.errors import InvalidRequest, TooLarge
from turnout.settings import Endpoint

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


class TurnoutMiddleware:
    """`app.wsgi_app = TurnoutMiddleware(app.wsgi_app, config="turnout.toml")`, for Flask, Django or any WSGI app.

    config: a path, a mapping or Settings; or `turnout`, one that is already built. user: a callable of the
    environ that gives the user's id or None. Raises SettingsError at once where the settings are wrong, UsageError
    under gevent and eventlet.
    """

    def __init__(
        self,
        app: App,
        config: Config | None = None,
        *,
        user: UserOf | None = None,
        turnout: Turnout | None = None,
    ) -> None:
        portal.refuse_greenlets()
        self.turnout = turnout = turnout or mounted(config)
        self._app = app
        self._user_of = user
        self._own = Routes(turnout)
        self._endpoints = Endpoints(turnout.settings.endpoints)
        self._entry: App = _with_server_span(self._serve) if turnout.settings.telemetry.server_span else self._serve
        turnout.mount()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._entry(environ, start_response)

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = _path(environ)
        answer = self._own.find(path)
        if answer is not None:
            return _Responder(self.turnout, self._user_of, environ).serve(answer, path, start_response)
        if (found := self._endpoints.find(path)) is not None:
            return self._admit(*found, environ, start_response)
        bound = BoundTurnout(self.turnout, partial(_caller, self.turnout, self._user_of, environ), None)
        return self._pass_on(bound, environ, start_response)

    def _admit(self, name: str, endpoint: Endpoint, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """A request of one of the app's own endpoints: counted and decided before its handler runs."""
        started = self.turnout.clock.monotonic()
        find = partial(_caller, self.turnout, self._user_of, environ, endpoint=name)
        bound = BoundTurnout(self.turnout, find, None)
        try:
            reads = is_read(endpoint, environ["REQUEST_METHOD"])
            body = read_ahead(environ, self.turnout.settings.server.max_body_bytes) if reads else b""
            admitted = partial(self.turnout.admitted, prompt_at(body, endpoint.prompt), bound.find_caller())
            admission = portal.run(portal.portal_loop(), admitted)
        except Exception as error:
            return _reply(refusal(error, new_request_id()), environ, start_response)
        return self._pass_on(bound, environ, adding(Admitted(bound, admission, started), start_response))

    def _pass_on(self, bound: BoundTurnout, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["turnout"] = BlockingTurnout(bound)
        token = current_request.set(bound)
        try:
            body = self._app(environ, start_response)
        except BaseException:
            current_request.reset(token)
            raise
        if _is_ready(body, environ):
            # Nothing of the app's runs any more, and servers look at what kind of thing this is.
            current_request.reset(token)
            return body
        return _Passing(body, token)


def _is_ready(body: Iterable[bytes], environ: Environ) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(body, list | tuple) or (isinstance(wrapper, type) and isinstance(body, wrapper))


class _Passing:
    """The app's own response, handed on; its `close` ends the handling too."""

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


def _with_server_span(app: App) -> App:
    """The app below a server span, unless the request already has one: never a second."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    spanned: App = OpenTelemetryMiddleware(app)

    def entry(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        has_one = trace.get_current_span().get_span_context().is_valid
        return (app if has_one else spanned)(environ, start_response)

    return entry


def _path(environ: Environ) -> str:
    """The path below where the app is mounted."""
    path: str = environ.get("PATH_INFO", "")
    # PEP 3333: bytes in the clothes of latin-1.
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")


def _caller(turnout: Turnout, user_of: UserOf | None, environ: Environ, endpoint: str = "") -> Caller:
    """endpoint: one of the settings', whose requests the door has counted."""
    user = user_id(turnout.settings.identity, user_of, environ, partial(_header, environ))
    if endpoint:
        return Caller(user=user, endpoint=endpoint, admitted=True)
    return Caller(user=user, endpoint=_route(environ) or _path(environ))


def _route(environ: Environ) -> str:
    """The route's template where the framework leaves it: Flask does, on its request."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    template = getattr(rule, "rule", "")
    return template if isinstance(template, str) else ""


def _header(environ: Environ, name: str) -> str:
    key = name.upper().replace("-", "_")
    text: str = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", "")
    return text


def _status(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _reply(reply: ApiReply, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response(_status(reply.status), reply.all_headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else reply.body]


class _Responder:
    """Answers one request for our own paths. Made for it, and gone with it."""

    def __init__(self, turnout: Turnout, user_of: UserOf | None, environ: Environ) -> None:
        self._turnout = turnout
        self._user_of = user_of
        self._environ = environ
        self._request_id = new_request_id()
        self._started = turnout.clock.monotonic()

    def serve(self, answer: Answer, path: str, start_response: StartResponse) -> Iterable[bytes]:
        """Reads the request, has it answered on the portal, gives what came of it."""
        events: portal.Pumped[ApiReply | EventStream, bytes] | None = None
        reply: ApiReply | EventStream
        try:
            opening = partial(_opened, answer, self._asked(path))
            events = portal.Pumped(portal.portal_loop(), opening)
            reply = events.head
        except Exception as error:
            # The last line of the door: what is no ServedError is a defect of ours.
            reply = refusal(error, self._request_id)
        if isinstance(reply, ApiReply):
            return _reply(reply, self._environ, start_response)
        assert events is not None
        start_response(_status(reply.status), reply.all_headers)
        return events

    def _asked(self, path: str) -> ApiRequest:
        method = self._environ["REQUEST_METHOD"]
        return ApiRequest(
            method=method,
            path=path,
            header=partial(_header, self._environ),
            body=self._body() if method == "POST" else b"",
            caller=_caller(self._turnout, self._user_of, self._environ),
            request_id=self._request_id,
            started=self._started,
        )

    def _body(self) -> bytes:
        limit = self._turnout.settings.server.max_body_bytes
        told = _header(self._environ, "content-length")
        if told and not told.isdigit():
            raise InvalidRequest("content-length must be a number")
        if told and int(told) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes")
        body = read(self._environ, expected(self._environ, limit + 1))
        if len(body) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes")
        return body


async def _opened(answer: Answer, asked: ApiRequest) -> tuple[ApiReply | EventStream, EventStream | None]:
    reply = await answer(asked)
    return reply, reply if isinstance(reply, EventStream) else None
