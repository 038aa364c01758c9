"""A ServedError that a handler of a Flask or Django app lets pass: the framework's own 500 is replaced before its first
byte."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from turnout.doors.bound import BoundTurnout
from turnout.doors.failures import HandlerFailures, kept, uncaught
from turnout.doors.wsgi_endpoint import Environ, StartResponse


class ReplacedStart:
    """A `start_response` that answers with the error that a request ended by, in place of a 500."""

    __slots__ = ("_bound", "_failures", "_head_only", "_start", "body")

    def __init__(self, failures: HandlerFailures, bound: BoundTurnout, environ: Environ, start: StartResponse) -> None:
        self._failures = failures
        self._bound = bound
        self._head_only = environ["REQUEST_METHOD"] == "HEAD"
        self._start = start
        # What is sent in place of the app's own body; None: that one.
        self.body: bytes | None = None

    def __call__(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        if status.startswith("500") and (error := uncaught(self._bound)) is not None:
            reply = self._failures.reply(self._bound, error)
            self.body = b"" if self._head_only else reply.body
            status, headers = status_line(reply.status), [*kept(headers), *reply.all_headers]
        return self._start(status, headers, *exc_info)

    def instead(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """What is sent in place of the app's body, which is closed."""
        close = getattr(body, "close", None)
        if close is not None:
            close()
        return [self.body or b""]


def status_line(status: int) -> str:
    """As WSGI wants it: `503 Service Unavailable`."""
    return f"{status} {HTTPStatus(status).phrase}"
