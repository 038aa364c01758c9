"""The paths that are Turnout's own, and what each answers."""

from __future__ import annotations

from dataclasses import replace

from turnout.api.exchange import Answer, Answers, ApiReply, ApiRequest, EventStream, replied
from turnout.api.response_headers import outcome_headers
from turnout.context import RequestContext, parse_directives
from turnout.errors import MethodNotAllowed, ModelNotFound, UnsupportedMediaType
from turnout.openai.answers import Body
from turnout.openai.requests import parse


class Routes:
    """Finds the answer to a path: `own.find("/v1/chat/completions")`. Answers raise ServedError."""

    def __init__(self, turnout: Answers) -> None:
        self._turnout = turnout
        self._exact: dict[str, Answer] = {}
        self._below: tuple[tuple[str, Answer], ...] = ()
        server = turnout.settings.server
        if server.chat_path:
            self._exact = {server.chat_path: self.chat, server.models_path: self.models}
            self._below = ((f"{server.models_path}/", self.model),)
        self._prefixes = tuple(prefix for prefix, _ in self._below)

    def find(self, path: str) -> Answer | None:
        """What answers this path (below where the app is mounted); None: it is the app's own."""
        found = self._exact.get(path)
        if found is None and path.startswith(self._prefixes):
            return next(answer for prefix, answer in self._below if path.startswith(prefix))
        return found

    def find_below(self, path: str) -> Answer | None:
        """What answers this path below any base URL, the endpoint switched off or not."""
        if path.endswith("/chat/completions"):
            return self.chat
        if path.endswith("/models"):
            return self.models
        return self.model if "/models/" in path else None

    async def chat(self, asked: ApiRequest) -> ApiReply | EventStream:
        """A chat completion, whole or as events."""
        if asked.method != "POST":
            raise MethodNotAllowed("chat completions are asked for by POST", headers=(("allow", "POST"),))
        _check_type(asked)
        context = RequestContext(
            request_id=asked.request_id,
            started=asked.started,
            caller=asked.caller,
            directives=parse_directives(asked.header("cache-control"), asked.header("x-turnout-deadline-ms")),
            waits=asked.waits,
        )
        request = parse(asked.body)
        if asked.named is not None:
            request = replace(request, model=asked.named(request.model))
        if request.stream:
            return EventStream(await self._turnout.streamed(request, context))
        completion = await self._turnout.completed(request, context)
        return ApiReply(status=200, headers=outcome_headers(completion.outcome), body=completion.body_bytes)

    async def models(self, asked: ApiRequest) -> ApiReply:
        """Every name that `model` may be."""
        _check_reading(asked)
        listed = {"object": "list", "data": [_listed(name) for name in self._turnout.model_names]}
        return replied(200, listed, [("x-request-id", asked.request_id)])

    async def model(self, asked: ApiRequest) -> ApiReply:
        """One of those names."""
        _check_reading(asked)
        name = asked.path.partition("/models/")[2]
        if name not in self._turnout.model_names:
            raise ModelNotFound(f"the model {name[:80]!r} does not exist here", param="model")
        return replied(200, _listed(name), [("x-request-id", asked.request_id)])


def _listed(name: str) -> Body:
    return {"id": name, "object": "model", "created": 0, "owned_by": "turnout"}


def _check_reading(asked: ApiRequest) -> None:
    if asked.method not in ("GET", "HEAD"):
        raise MethodNotAllowed("models are listed by GET", headers=(("allow", "GET, HEAD"),))


def _check_type(asked: ApiRequest) -> None:
    kind = asked.header("content-type").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType(f"content-type must be application/json, not {kind}")
