"""What the ASGI and the WSGI door share: how a door is made, who asks, how large a body may be."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from turnout.api.exchange import ApiRequest, Reply
from turnout.api.routes import Route
from turnout.context import Caller
from turnout.doors.bound import BoundTurnout
from turnout.doors.endpoints import EndpointRequest, Endpoints
from turnout.doors.failures import HandlerFailures
from turnout.doors.heavy import HeavyRequest, submit_heavy
from turnout.doors.identity import UserOf, user_id
from turnout.doors.route_templates import normal_path
from turnout.errors import InvalidRequest, SettingsError, TooLarge
from turnout.numbers import parse_count
from turnout.ports.jobs import Job, JobEnd
from turnout.turnout import Config, Turnout

log = logging.getLogger("turnout")

# The methods whose bodies are read.
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})

App = TypeVar("App", bound=Callable[..., Any])
# What the server hands in for a request: an ASGI scope, a WSGI environ.
Raw = TypeVar("Raw")


class Door(ABC, Generic[App, Raw]):
    """A middleware around `app`. A subclass answers in `_serve`, which is an app itself, and says where the protocol
    keeps a request's path, route and headers. After its construction it learns of the app alone, never of a request."""

    def __init__(
        self,
        app: App,
        config: Config | None = None,
        *,
        user: UserOf | None = None,
        turnout: Turnout | None = None,
    ) -> None:
        self._check_threads()
        try:
            turnout = turnout or _built(config)
        except SettingsError as error:
            self._entry: App = self._refuse(error)
            return
        self.turnout = turnout
        self._app = app
        self._user_of = user
        self._settings = settings = turnout.settings
        self._routes = turnout.api.routes
        self._endpoints = Endpoints(settings.endpoints)
        # None: what a handler lets pass is the app's own.
        self._failures = HandlerFailures(turnout.clock) if settings.server.explain_failures else None
        self._explain(app)
        # Paths that the app serves itself, for which it was said.
        self._left_to_app: set[str] = set()
        serve: Any = self._serve
        self._entry = below_server_span(serve, self._spanned(serve)) if settings.telemetry.server_span else serve
        # What replayed requests of an ASGI app have in their scope.
        self._lifespan_state: list[Any] = []
        self._apps_in_scope: list[Any] = []
        if settings.queue is not None:
            self._entry = self._working(self._entry)
            if any(endpoint.heavy for endpoint in settings.endpoints.values()):
                turnout.replay_with(self._replay)
        turnout.mount()

    @abstractmethod
    def _working(self, app: App) -> App:
        """The app, before whose first request this process begins to work on jobs."""

    def _check_threads(self) -> None:
        """Raises UsageError where the door cannot run on this process's kind of threads."""

    def _explain(self, app: App) -> None:
        """Prepares for handlers that let a ServedError pass."""
        return

    def _refuse(self, error: SettingsError) -> App:
        """The app to be in place of one whose settings are wrong, or the error raised."""
        raise error

    @abstractmethod
    def _serve(self, *args: Any) -> Any:
        """Answers a request for one of our own paths; passes every other on to the app."""

    @abstractmethod
    def _spanned(self, app: App) -> App:
        """The app below OpenTelemetry's middleware for this protocol."""

    @abstractmethod
    def _path(self, raw: Raw) -> str:
        """The path below where the app is mounted."""

    @abstractmethod
    def _template(self, raw: Raw, path: str) -> str:
        """The template of the route that serves the request; "" where the framework tells none."""

    @abstractmethod
    def _header(self, raw: Raw, name: str) -> str:
        """A header's text by its lower-case name; "" where absent. Of one sent more than once all texts with commas
        between them, as WSGI servers give them and RFC 9110 allows."""

    def _header_reader(self, raw: Raw) -> Callable[[str], str]:
        """What gives a header's text by its lower-case name, "" where absent."""
        return partial(self._header, raw)

    @abstractmethod
    def _query(self, raw: Raw) -> str:
        """What stands behind the path's "?"."""

    @abstractmethod
    def _client(self, raw: Raw) -> str:
        """The address that the request came from; "" where the server tells none."""

    @abstractmethod
    def _scheme(self, raw: Raw) -> str:
        """`http` or `https`."""

    @abstractmethod
    def _mount_point(self, raw: Raw) -> dict[str, str]:
        """Where the app is mounted, as a replay needs it: `root_path`, and where the protocol's own path holds that,
        the `path`."""

    @abstractmethod
    async def _replay(self, job: Job) -> JobEnd:
        """Plays a heavy request through the app again. Raises ServedError where it is refused."""

    async def _submit_heavy(self, request: ApiRequest, *, raw: Raw, name: str) -> Reply:
        """The reply to a heavy request of the app's own path. name: of the endpoint in the settings."""
        caller = self._caller(raw, request.path, name)
        origin = {"scheme": self._scheme(raw), "client": self._client(raw), **self._mount_point(raw)}
        return await submit_heavy(self.turnout.submissions, request, caller, self.turnout.clock.time(), origin)

    async def _admit_replay(
        self, job: Job, loop: asyncio.AbstractEventLoop | None
    ) -> tuple[HeavyRequest, BoundTurnout]:
        """The request of this job, counted and decided as at the door, and the Turnout for its handler. Raises
        ServedError where it is refused."""
        heavy = HeavyRequest.of(job)
        bound = BoundTurnout(self.turnout, lambda: heavy.caller, loop)
        request = EndpointRequest(bound, self._settings.endpoints[job.endpoint])
        await request.admit(heavy.body if request.has_prompt(heavy.method) else b"")
        return heavy, bound

    def _one_header(self, raw: Raw, name: str) -> str:
        """The text of a header that says who asks. Raises InvalidRequest where it was sent twice and differs: a proxy
        and the app would each believe another. A comma in a single one cannot be told from that."""
        text = self._header(raw, name)
        if "," not in text or (name == "authorization" and "bearer " not in text.lower()):
            return text
        values = {value for part in text.split(",") if (value := part.strip())}
        if len(values) > 1:
            raise InvalidRequest(
                f"the header {name} was sent more than once, with different values, or holds a comma: "
                "read such a value in a callable given as user="
            )
        return values.pop() if values else ""

    def _caller(self, raw: Raw, path: str, endpoint: str = "") -> Caller:
        """Who asks, and from where. path: below where the door stands. endpoint: one of the settings', at which the
        door has counted the request."""
        user = self._user(raw)
        if endpoint:
            return Caller(user=user, endpoint=endpoint, admitted=True)
        return Caller(user=user, endpoint=self._template(raw, path) or normal_path(path))

    def _user(self, raw: Raw) -> str:
        return user_id(self._settings.identity, self._user_of, raw, partial(self._one_header, raw))

    def _bind(self, raw: Raw, path: str, loop: asyncio.AbstractEventLoop | None, endpoint: str = "") -> BoundTurnout:
        """The Turnout for the handler of this request. loop: the server's; None under WSGI."""
        return BoundTurnout(self.turnout, partial(self._caller, raw, path, endpoint), loop)

    def _find_route(self, raw: Raw, path: str) -> Route | None:
        """The route of ours that answers; None where the request is the app's. At the paths of the other protocols a
        route of the app's own that names just this path goes first, which is said once."""
        route = self._routes.find(path)
        if route is None or not route.yields or self._template(raw, path) != path:
            return route
        if path not in self._left_to_app:
            self._left_to_app.add(path)
            log.warning(
                'turnout leaves %s to a route of the app\'s own; [server] names another path for it, or "" for none',
                route.path,
            )
        return None

    def _api_request(self, raw: Raw, *, method: str, path: str, body: bytes, **more: Any) -> ApiRequest:
        """A request for one of our own paths. more: the fields that are left, `request_id` and `started` among them."""
        return ApiRequest(
            method=method,
            path=path,
            header=self._header_reader(raw),
            body=body,
            # No route of the app's serves it, so none is looked for.
            caller=Caller(user=self._user(raw), endpoint=normal_path(path)),
            query=self._query(raw),
            client=self._client(raw),
            secure=self._scheme(raw) == "https",
            root=self._mount_point(raw)["root_path"],
            **more,
        )

    def _body_limit(self, raw: Raw) -> int:
        """The most bytes that the request's body may have. Raises InvalidRequest for a `content-length` that is no
        number, TooLarge for one above the limit."""
        limit = self._settings.server.max_body_bytes
        length = self._header(raw, "content-length")
        if length:
            size = parse_count(length, limit + 1)
            if size is None:
                raise InvalidRequest("content-length must be a number")
            check_size(size, limit)
        return limit


def _built(config: Config | None) -> Turnout:
    if config is None:
        raise SettingsError('TurnoutMiddleware needs config="turnout.toml": a path, a mapping or Settings')
    return Turnout(config)


def check_size(size: int, limit: int) -> None:
    """Raises TooLarge for a body of more than `limit` bytes."""
    if size > limit:
        raise TooLarge(f"the body is larger than {limit} bytes")


def below_server_span(app: App, spanned: App) -> App:
    """The app below a server span, unless the request already has one: never a second."""
    from opentelemetry import trace

    def entry(*args: Any) -> Any:
        has_span = trace.get_current_span().get_span_context().is_valid
        return (app if has_span else spanned)(*args)

    return entry  # type: ignore[return-value]
