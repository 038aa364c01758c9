"""A request's body at the WSGI door, read or read ahead for one of the app's own endpoints; and the headers that such
an endpoint's response gains."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from turnout.doors.endpoints import EndpointRequest
from turnout.errors import InvalidRequest, TooLarge
from turnout.numbers import parse_count

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

# Read at once from `wsgi.input`: PEP 3333 lets a server hand out less.
READ_BYTES = 65_536
# Above every limit: a longer length is read as this one.
MAX_LENGTH = 2**53


def body_size(environ: Environ, at_most: int) -> int:
    """How many bytes of body to read: CONTENT_LENGTH. Without one `at_most` where the server ends the input itself
    (gunicorn does), else 0."""
    length = parse_count(environ.get("CONTENT_LENGTH"), MAX_LENGTH)
    if length is not None:
        return length
    return at_most if environ.get("wsgi.input_terminated") else 0


def read_body(environ: Environ, size: int) -> bytes:
    """`size` bytes of the input, fewer where it ends before. Raises InvalidRequest where the server cannot read it, and
    TooLarge where the server says that it is."""
    parts: list[bytes] = []
    while size > 0 and (part := _read(environ["wsgi.input"], min(size, READ_BYTES))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _read(stream: Any, size: int) -> bytes:
    try:
        return stream.read(size)  # type: ignore[no-any-return]
    except Exception as error:
        # The server's own error, of a class that PEP 3333 leaves open: a broken chunk, a client that left.
        if getattr(error, "code", None) == TooLarge.status:
            raise TooLarge("the body is larger than the server takes") from error
        raise InvalidRequest("the body cannot be read to its end") from error


def read_ahead(environ: Environ, limit: int) -> bytes:
    """The complete body, put back for the app to read. Empty where it is larger than the limit: the input is then
    untouched where CONTENT_LENGTH says so, and put back where only reading shows it."""
    size = body_size(environ, limit + 1)
    if size == 0 or (environ.get("CONTENT_LENGTH") and size > limit):
        return b""
    body = read_body(environ, size)
    if len(body) <= limit:
        environ["wsgi.input"] = io.BytesIO(body)
        return body
    environ["wsgi.input"] = io.BufferedReader(_Replayed(body, environ["wsgi.input"]))
    return b""


class _Replayed(io.RawIOBase):
    """The bytes that were read ahead, then the rest of an input that the server ends itself."""

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


def headed_start(request: EndpointRequest, start_response: StartResponse) -> StartResponse:
    """A `start_response` that adds this request's headers to the app's response."""

    def start_with_headers(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        return start_response(status, [*headers, *request.headers()], *exc_info)

    return start_with_headers
