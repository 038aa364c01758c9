"""What a handler of the app's that lets a ServedError pass is answered with: the error's own status in OpenAI's shape,
instead of a bare 500; and the line in the log that says cause and remedy, once a minute.

An app that handles the error itself is left its answer. Nothing here imports a framework.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Iterable, Iterator
from types import CellType, TracebackType
from typing import Any

from turnout.api.exchange import ApiReply, json_reply
from turnout.doors.bound import BoundTurnout
from turnout.errors import ServedError
from turnout.ports.runtime import Clock
from turnout.telemetry.remedies import REMEDIES, OnceAMinute

log = logging.getLogger("turnout")

NO_REMEDY = "an exception handler for turnout.errors.ServedError words the answer your way"
# Where each framework catches what no code of the app's has caught: the function that the error has then come up to.
_CATCHERS = {("flask.app", "wsgi_app"), ("django.core.handlers.exception", "inner")}
# What frameworks let pass although they catch all else, they let pass on purpose: in debug mode, in tests.
_FRAMEWORKS = ("flask.", "django.")
# Where a middleware keeps the app that it is around, and how far that is followed.
_INNER = ("__self__", "app", "application", "wsgi_app", "__wrapped__", "middleware_stack")
_MOST_LAYERS = 200
# Of the framework's own 500: about a body that is not sent.
_OF_THE_BODY = frozenset(
    {"content-type", "content-length", "content-encoding", "transfer-encoding", "etag", "last-modified"}
)


class HandlerFailures:
    """Answers for handlers that let a ServedError pass. For any thread."""

    def __init__(self, clock: Clock) -> None:
        self._once = OnceAMinute(clock)

    def reply(self, bound: BoundTurnout, error: ServedError) -> ApiReply:
        """The reply to the request whose handler let this error pass."""
        bound.unhandled = error
        if self._once.is_due(error.told_code):
            caller = bound.find_caller()
            remedy = REMEDIES.get(error.told_code, NO_REMEDY)
            log.warning(
                "turnout: %s answered %d %s for its handler: %s. What to do: %s",
                *(caller.endpoint, error.told_status, error.told_code, error.message.rstrip("."), remedy),
            )
        return json_reply(error.told_status, error.to_openai(), list(error.told_headers))


def is_around(app: Any, framework: str) -> bool:
    """Whether an app, or one inside of it, is of this framework: through other middlewares, classes or closures."""
    return any(type(layer).__module__.startswith(f"{framework}.") for layer in layers(app))


def layers(app: Any) -> Iterator[Any]:
    """The app, and what is inside of it: through other middlewares, classes, closures and mounts."""
    waiting, seen = [app], set[int]()
    while waiting and len(seen) < _MOST_LAYERS:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        inner = [getattr(layer, name, None) for name in _INNER]
        if inspect.isfunction(layer):
            inner += [cell.cell_contents for cell in layer.__closure__ or () if _is_filled(cell)]
        routes = getattr(layer, "routes", None)
        if isinstance(routes, list | tuple):
            # Of Starlette's routes only those that mount another app have routes of their own.
            inner += [getattr(route, "app", None) for route in routes if hasattr(route, "routes")]
        waiting += [each for each in inner if callable(each)]


def _is_filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def uncaught(error: ServedError | None) -> ServedError | None:
    """The error, where Flask or Django has caught it because no code of the app's did, and is not in debug mode. The
    outermost frame that an exception has come up to is where it was caught."""
    if error is None or error.__traceback__ is None:
        return None
    # Django's own threads raise it once more, to have it at hand while they write the response.
    place = next((place for place in _places(error.__traceback__) if not place[0].startswith("asgiref.")), ("", ""))
    if place not in _CATCHERS or (place[0].startswith("django.") and _django_debug()):
        return None
    return error


def passes_on_purpose(error: ServedError) -> bool:
    """Whether a framework that catches all else has let this error pass."""
    return any(place[0].startswith(_FRAMEWORKS) for place in _places(error.__traceback__))


def kept(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those headers of the framework's own 500 that stay: who may read the answer (CORS), cookies."""
    return [(name, value) for name, value in headers if name.lower() not in _OF_THE_BODY]


def _places(traceback: TracebackType | None) -> Iterator[tuple[str, str]]:
    while traceback is not None:
        yield _place(traceback)
        traceback = traceback.tb_next


def _place(traceback: TracebackType) -> tuple[str, str]:
    """The module and the function of the outermost frame."""
    frame = traceback.tb_frame
    return str(frame.f_globals.get("__name__", "")), frame.f_code.co_name


def _django_debug() -> bool:
    return bool(getattr(sys.modules["django.conf"].settings, "DEBUG", False))
