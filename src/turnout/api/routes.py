"""The route table: which paths are Turnout's own, by which methods they are asked, and what answers each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial

from turnout.api.chat import Chat
from turnout.api.completions import Completions
from turnout.api.embeddings import EmbeddingsApi
from turnout.api.exchange import ApiReply, ApiRequest, Reply, Responder, error_reply, note_refused
from turnout.api.feedback import Feedback
from turnout.api.health import Health
from turnout.api.messages import AnthropicMessages
from turnout.api.models import ModelList
from turnout.api.responses import ResponsesApi
from turnout.api.status import StatusApi
from turnout.errors import MethodNotAllowed, NotFound, ServedError, UnsupportedMediaType
from turnout.home_loop import HomeLoop
from turnout.ports.runtime import Clock, Observer
from turnout.settings import Server, Settings
from turnout.telemetry.counters import Counters

READ = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Route:
    """One row. path: below where the app is mounted; with a "/" at its end it stands for every path below it; "": the
    settings switch it off. methods: as `Allow` names them. relative: the path below an SDK's base URL;
    "": no SDK asks for it. yields: whether a route of the app's own that names this very path goes before it.
    takes_json: whether a body of another content-type is refused. to_reply: gives an error its reply in the shape of
    this path's protocol; None: the door gives it OpenAI's."""

    path: str
    methods: tuple[str, ...]
    answer: Responder
    relative: str
    yields: bool = False
    takes_json: bool = False
    to_reply: Callable[[ServedError, ApiRequest], ApiReply] | None = None

    async def __call__(self, request: ApiRequest) -> Reply:
        """The reply. Raises ServedError, but where the row gives errors their reply; MethodNotAllowed for another
        method than the row's, UnsupportedMediaType for a body that is compressed, or says that it is no JSON."""
        try:
            if request.method not in self.methods:
                allow = ", ".join(self.methods)
                raise MethodNotAllowed(f"this path takes {allow}, not {request.method}", headers=(("allow", allow),))
            encoding = request.header("content-encoding").strip().lower()
            if request.body and encoding not in ("", "identity"):
                raise UnsupportedMediaType("content-encoding must be absent: a compressed body is not read")
            if self.takes_json:
                check_content_type(request)
            return await self.answer(request)
        except ServedError as error:
            if self.to_reply is None:
                raise
            return self.to_reply(error, request)


def check_content_type(request: ApiRequest) -> None:
    """Raises UnsupportedMediaType for a body that says it is no JSON."""
    content_type = request.header("content-type").partition(";")[0].strip().lower()
    if content_type and content_type != "application/json" and not content_type.endswith("+json"):
        raise UnsupportedMediaType(f"content-type must be application/json, not {content_type}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPages:
    """What answers below `/turnout`."""

    status: StatusApi
    feedback: Feedback
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """What answers chat completions in other protocols, and embeddings."""

    messages: AnthropicMessages
    responses: ResponsesApi
    embeddings: EmbeddingsApi
    completions: Completions


def route_table(server: Server, chat: Chat, models: ModelList, pages: OwnPages, wires: Wires) -> tuple[Route, ...]:
    """Every route, a row each. Without a chat path the other protocols' and the models' paths are the app's own too."""
    base = server.models_path if server.chat_path else ""
    messages = server.messages_path if server.chat_path else ""
    responses = server.responses_path if server.chat_path else ""
    embeddings = server.embeddings_path if server.chat_path else ""
    completions = server.completions_path if server.chat_path else ""
    to_json = partial(Route, methods=("POST",), takes_json=True)
    to_message = partial(to_json, yields=True, to_reply=wires.messages.error_reply)
    return (
        to_json(server.chat_path, answer=chat.answer, relative="/chat/completions"),
        Route(base, READ, models.list_all, "/models"),
        Route(base and f"{base}/", READ, models.retrieve, "/models/"),
        to_message(
            messages and f"{messages}/count_tokens", answer=wires.messages.count, relative="/messages/count_tokens"
        ),
        to_message(messages, answer=wires.messages.answer, relative="/messages"),
        to_json(responses, answer=wires.responses.answer, relative="/responses", yields=True),
        Route(responses and f"{responses}/", ("GET", "DELETE", "POST"), wires.responses.one, "/responses/", True),
        to_json(embeddings, answer=wires.embeddings.answer, relative="/embeddings", yields=True),
        # Behind the chat's: a path that ends with that one's name ends with this one's too.
        to_json(completions, answer=wires.completions.answer, relative="/completions", yields=True),
        *own_routes(pages),
    )


def own_routes(pages: OwnPages) -> tuple[Route, ...]:
    """The routes below `/turnout`."""
    rows = (
        ("/turnout/status", READ, pages.status.page),
        ("/turnout/status/events", ("GET",), pages.status.events),
        ("/turnout/status.json", READ, pages.status.figures),
        ("/turnout/metrics", READ, pages.status.metrics),
        ("/turnout/feedback", ("POST",), pages.feedback.answer),
        ("/turnout/health/live", READ, pages.health.live),
        ("/turnout/health/ready", READ, pages.health.ready),
    )
    return tuple(Route(path, methods, answer, "") for path, methods, answer in rows)


class Routes:
    """Finds the route of a path."""

    def __init__(self, table: Iterable[Route]) -> None:
        self._table = tuple(table)
        served = [route for route in self._table if route.path]
        self._exact = {route.path: route for route in served if not route.path.endswith("/")}
        self._below = [route for route in served if route.path.endswith("/")]
        self._prefixes = tuple(route.path for route in self._below)

    def find(self, path: str) -> Route | None:
        """The route of this path, below where the app is mounted; None: the path is the app's own."""
        route = self._exact.get(path)
        if route is None and path.startswith(self._prefixes):
            return next(route for route in self._below if path.startswith(route.path))
        return route

    def find_relative(self, path: str) -> Route:
        """The route of a path below any base URL, switched off at the doors or not. Raises NotFound."""
        for route in self._table:
            if not route.relative:
                continue
            if path.endswith(route.relative) or (route.relative.endswith("/") and route.relative in path):
                return route
        known = ", ".join(dict.fromkeys(route.relative.rstrip("/") for route in self._table if route.relative))
        raise NotFound(f"{path} is not served in-process: {known} are")


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One Turnout's API: all that a door, the in-process transport and litellm's provider need of it."""

    settings: Settings
    clock: Clock
    home: HomeLoop
    chat: Chat
    embeddings: EmbeddingsApi
    responses: ResponsesApi
    routes: Routes
    counters: Counters
    observer: Observer
    # Forgets a user (its key, and its name among the spenders) in what was counted.
    forget: Callable[[str, str], Awaitable[None]]

    def refusal(self, error: Exception, request_id: str) -> ApiReply:
        """The reply for an error; counted, where no outcome tells of it."""
        note_refused(self.observer, error)
        return error_reply(error, request_id)
