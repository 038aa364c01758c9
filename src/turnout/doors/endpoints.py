"""The app's own endpoints that the settings name: which one a path is, the text to score in its body, and the headers
that its response gains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from turnout.api.response_headers import Headers, app_seconds, cost_text, decision_headers, handler_timing
from turnout.doors.bound import BoundTurnout
from turnout.doors.route_templates import PARAMETER, normal_path, normal_template
from turnout.errors import TooLarge
from turnout.openai.json_size import check_values
from turnout.pricing import total
from turnout.records import Outcome
from turnout.settings import Endpoint

_ANY_PATH = re.compile(r"\{[^{}]+:path\}|<path:[^<>]+>")
# The methods whose bodies hold something to score.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Endpoints:
    """Finds the setting of a request: named by its path, or by its route's template. The first that fits."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        named = list(endpoints.items())
        self._exact = {normal_path(name): (name, setting) for name, setting in named if not PARAMETER.search(name)}
        self._patterns = [
            (re.compile(_pattern(name), re.DOTALL), name, setting) for name, setting in named if PARAMETER.search(name)
        ]
        self._by_template = {normal_template(name): (name, setting) for name, setting in reversed(named)}

    def find(self, path: str, template: Callable[[], str]) -> tuple[str, Endpoint] | None:
        """The name in the settings, and what stands there. template: gives that of the route which serves the path,
        "" where the framework tells none; asked only where no path fits."""
        if not self._by_template:
            return None
        path = normal_path(path)
        if (exact := self._exact.get(path)) is not None:
            return exact
        for pattern, name, setting in self._patterns:
            # A parameter that takes any path takes an empty one too.
            if pattern.fullmatch(path) or pattern.fullmatch(path + "/"):
                return name, setting
        served_by = template()
        return self._by_template.get(normal_template(served_by)) if served_by else None


def _pattern(template: str) -> str:
    template = normal_path(template)
    pattern, end = "", 0
    for match in PARAMETER.finditer(template):
        pattern += re.escape(template[end : match.start()]) + (".*" if _ANY_PATH.fullmatch(match.group()) else "[^/]+")
        end = match.end()
    return pattern + re.escape(template[end:])


def prompt_at(body: bytes, pointer: str, max_params_bytes: int) -> str | Sequence[Any] | None:
    """The text, or the message list, at this JSON pointer (RFC 6901) of the body; None where neither is there, which
    is for the app to refuse, and where decoding would take too long: beyond `max_params_bytes` of values outside
    texts."""
    try:
        check_values(body, max_params_bytes)
        value: Any = orjson.loads(body)
        for token in _tokens(pointer):
            value = value[int(token)] if isinstance(value, list) else value[token]
    except (TooLarge, ValueError, LookupError, TypeError):
        return None
    return value if isinstance(value, str | list) and value else None


def _tokens(pointer: str) -> Iterable[str]:
    return (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


class EndpointRequest:
    """One request of one of the app's own endpoints, on its way through the app."""

    def __init__(self, bound: BoundTurnout, endpoint: Endpoint) -> None:
        self._bound = bound
        self._endpoint = endpoint
        self._started = bound.turnout.clock.monotonic()
        self._limits: Headers = []

    def has_prompt(self, method: str) -> bool:
        """Whether the body of a request by this method is to be read for a text to score."""
        return bool(self._endpoint.prompt) and method in _WITH_BODY

    async def admit(self, body: bytes) -> None:
        """Counts the request, and decides where its body holds a text. Raises ServedError where it is refused."""
        prompt = prompt_at(body, self._endpoint.prompt, self._bound.turnout.settings.server.max_params_bytes)
        admission = await self._bound.turnout.admit(prompt, self._bound.find_caller())
        self._bound.decision = admission.decision
        self._limits = list(admission.headers)

    def headers(self) -> Headers:
        """The headers that the app's response gains: the decision, the limits, and the time until now by its parts."""
        turnout, decision, outcomes = self._bound.turnout, self._bound.decision, self._bound.outcomes
        total_s = turnout.clock.monotonic() - self._started
        turnout.observe_app(self._bound.find_caller().endpoint, app_seconds(total_s, outcomes))
        return [
            *(decision_headers(decision) if decision is not None else ()),
            *([_cost_header(outcomes)] if turnout.settings.server.cost_header else ()),
            *self._limits,
            *handler_timing(total_s, outcomes),
        ]


def _cost_header(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    return "x-turnout-cost-usd", cost_text(total(outcome.cost_usd for outcome in outcomes))
