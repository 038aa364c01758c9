"""The app's own endpoints that the settings name: which one a path is, the text in its body, and what
its response gains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from turnout.api.response_headers import Pairs, decision_headers, handling_timing
from turnout.doors.bound import BoundTurnout
from turnout.pipeline.call import EndpointAdmission
from turnout.settings import Endpoint

# A path parameter as FastAPI, Starlette, Flask and Django write it, its converter in either place.
_PARAMETER = re.compile(r"\{[^{}/]+\}|<[^<>/]+>")
_ANY_PATH = re.compile(r"\{[^{}]+:path\}|<path:[^<>]+>")
# Their bodies hold something to score.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Endpoints:
    """Finds the setting of a path: named as it is, or by its route's template. The first that fits."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._exact = {name: endpoint for name, endpoint in endpoints.items() if not _PARAMETER.search(name)}
        self._templates = [
            (re.compile(_pattern(name)), name, endpoint)
            for name, endpoint in endpoints.items()
            if name not in self._exact
        ]

    def find(self, path: str) -> tuple[str, Endpoint] | None:
        """The name in the settings, and what stands there."""
        endpoint = self._exact.get(path)
        if endpoint is not None:
            return path, endpoint
        for pattern, name, templated in self._templates:
            if pattern.fullmatch(path):
                return name, templated
        return None


def _pattern(template: str) -> str:
    made, at = "", 0
    for match in _PARAMETER.finditer(template):
        made += re.escape(template[at : match.start()]) + (".+" if _ANY_PATH.fullmatch(match.group()) else "[^/]+")
        at = match.end()
    return made + re.escape(template[at:])


def is_read(endpoint: Endpoint, method: str) -> bool:
    """Whether the body of such a request is looked into."""
    return bool(endpoint.prompt) and method in _WITH_BODY


def prompt_at(body: bytes, pointer: str) -> str | Sequence[Any] | None:
    """The text, or the message list, that the JSON pointer (RFC 6901) leads to in this body; None where it leads
    to neither: the app's own to say so."""
    try:
        value: Any = json.loads(body)
        for token in _tokens(pointer):
            value = value[int(token)] if isinstance(value, list) else value[token]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return value if isinstance(value, str | list) and value else None


def _tokens(pointer: str) -> Iterable[str]:
    return (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


class Admitted:
    """One request of an app's endpoint that was let in, on its way through the app."""

    def __init__(self, bound: BoundTurnout, admission: EndpointAdmission, started: float) -> None:
        bound.decision = admission.decision
        self._bound = bound
        self._admission = admission
        self._started = started

    def headers(self) -> Pairs:
        """What the app's own response gains: the decision, the limits, and where the time went until now."""
        decision = self._admission.decision
        return [
            *(decision_headers(decision) if decision is not None else ()),
            *self._admission.headers,
            *handling_timing(self._bound.turnout.clock.monotonic() - self._started, self._bound.outcomes),
        ]
