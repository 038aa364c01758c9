"""What a handler of the app's that lets an error of ours pass is answered with: the error's own status in OpenAI's
shape, instead of a bare 500; and the line in the log that says cause and remedy, once a minute. It may be a
ServedError, or what an SDK raised for one.

An app that handles the error itself is left its answer. Nothing here imports a framework or an SDK.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CellType, TracebackType
from typing import Any

from turnout.api.exchange import ERROR_EXTENSION, ApiReply, json_reply
from turnout.context import current_request
from turnout.doors.bound import BoundTurnout
from turnout.errors import ServedError
from turnout.ports.runtime import Clock
from turnout.telemetry.remedies import REMEDIES, OnceAMinute

log = logging.getLogger("turnout")

NO_REMEDY = "an exception handler for turnout.errors.ServedError words the answer your way"
# Where each framework tells of what no code of the app's has caught, while it handles it.
_SIGNALS = {"flask": "flask.signals", "django": "django.core.signals"}
# What frameworks let pass although they catch all else, they let pass on purpose: in debug mode, in tests.
_FRAMEWORKS = ("flask.", "django.")
# Where a middleware keeps the app that it is around, and how far that is followed.
_INNER = ("__self__", "app", "application", "wsgi_app", "__wrapped__", "middleware_stack")
_MOST_LAYERS = 200
# How far the causes of an exception are followed.
_MOST_CAUSES = 10
# Whose code lies below these is a library's.
_LIBRARIES = re.compile(r"[/\\](?:site|dist)-packages[/\\](\w+)")
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


def served_in(error: BaseException | None) -> ServedError | None:
    """The error of ours that an exception is, or was raised for: by an SDK for a response of our transport, by a
    library for what its SDK raised, by the app's code `from` either. None for any other."""
    for _ in range(_MOST_CAUSES):
        if error is None or isinstance(error, ServedError):
            return error
        extensions = getattr(getattr(error, "response", None), "extensions", None)
        known = extensions.get(ERROR_EXTENSION) if isinstance(extensions, Mapping) else None
        if isinstance(known, ServedError):
            return known
        error = error.__cause__ or _translated(error)
    return None


def _translated(error: BaseException) -> BaseException | None:
    """What a library caught, and raised this for. None where the app's own code, or what it called, failed while it
    handled an error: that is a defect, and no outage."""
    if error.__suppress_context__ or error.__context__ is None:
        return None
    raised_in = [_library(place) for place in _places(error.__traceback__)][-1:]
    passed = {_library(place) for place in _places(error.__context__.__traceback__)}
    return error.__context__ if raised_in and raised_in[0] and raised_in[0] in passed else None


def _library(place: TracebackType) -> str:
    found = _LIBRARIES.search(place.tb_frame.f_code.co_filename)
    return found[1] if found is not None else ""


def note_uncaught(framework: str) -> None:
    """Has Flask or Django tell of what no code of the app's has caught: the request that ended by it keeps it."""
    signals = sys.modules.get(_SIGNALS[framework])
    # Flask before its version 2.3 has signals only where blinker is installed.
    with contextlib.suppress(RuntimeError):
        if signals is not None:
            signals.got_request_exception.connect(_note)


def _note(*_: Any, **__: Any) -> None:
    bound = current_request.get()
    if isinstance(bound, BoundTurnout):
        bound.ended_by = sys.exception()


def uncaught(bound: BoundTurnout) -> ServedError | None:
    """The error of ours that Flask or Django makes a 500 of, because no code of the app's has caught it; None in
    Django's debug mode. Flask raises it there."""
    error = bound.ended_by
    if error is None or (
        _django_debug() and any(_module(each).startswith("django.") for each in _places(error.__traceback__))
    ):
        return None
    return served_in(error)


def passes_on_purpose(error: BaseException) -> bool:
    """Whether a framework that catches all else has let this error pass."""
    return any(_module(place).startswith(_FRAMEWORKS) for place in _places(error.__traceback__))


def kept(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those headers of the framework's own 500 that stay: who may read the answer (CORS), cookies."""
    return [(name, value) for name, value in headers if name.lower() not in _OF_THE_BODY]


def _places(traceback: TracebackType | None) -> Iterator[TracebackType]:
    """The places that an exception has come through, the outermost first."""
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _module(place: TracebackType) -> str:
    return str(place.tb_frame.f_globals.get("__name__", ""))


def _django_debug() -> bool:
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    return bool(settings is not None and settings.configured and settings.DEBUG)
