"""A request of one of the app's own endpoints at the WSGI door: its body read ahead and replayed, its response's
headers added to."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from turnout.doors.endpoints import Admitted

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

# Read at once from `wsgi.input`: PEP 3333 lets a server hand out less.
READ_BYTES = 65_536


def expected(environ: Environ, at_most: int) -> int:
    """How many bytes of body there are to read. Without a length only a server that ends the input itself says
    how much there is (gunicorn does): `at_most` then, and nothing otherwise."""
    told = environ.get("CONTENT_LENGTH") or ""
    if told.isdigit():
        return int(told)
    return at_most if environ.get("wsgi.input_terminated") else 0


def read(environ: Environ, size: int) -> bytes:
    """So many bytes of the input, fewer where it ends before."""
    parts: list[bytes] = []
    while size > 0 and (part := environ["wsgi.input"].read(min(size, READ_BYTES))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_ahead(environ: Environ, limit: int) -> bytes:
    """The whole body, put back for the app to read; empty, and untouched, where it is told to be larger than the
    limit; empty, and put back, where it turns out so."""
    size = expected(environ, limit + 1)
    if size == 0 or (environ.get("CONTENT_LENGTH") and size > limit):
        return b""
    body = read(environ, size)
    if len(body) <= limit:
        environ["wsgi.input"] = io.BytesIO(body)
        return body
    environ["wsgi.input"] = io.BufferedReader(_Rest(body, environ["wsgi.input"]))
    return b""


class _Rest(io.RawIOBase):
    """What was read already, then the rest of an input that the server ends itself."""

    def __init__(self, body: bytes, rest: Any) -> None:
        self._body = body
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        if self._body:
            part, self._body = self._body[:size], self._body[size:]
        else:
            part = self._rest.read(size)
        buffer[: len(part)] = part
        return len(part)


def adding(admitted: Admitted, start_response: StartResponse) -> StartResponse:
    """`start_response`, which adds our headers to the app's response."""

    def added(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        return start_response(status, [*headers, *admitted.headers()], *exc_info)

    return added
