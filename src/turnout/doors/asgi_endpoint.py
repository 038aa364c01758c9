"""One of the app's own endpoints at the ASGI door: reading its body ahead and replaying it, adding response headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from turnout.doors.asgi_body import BodyNotBytes, Message, RequestBody
from turnout.doors.endpoints import EndpointRequest

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Messages that are kept for the app while its request is read: without a piece of the body, and all.
MOST_EMPTY = 10_000
MOST_PIECES = 100_000


class ReadAhead:
    """Reads a request's body up to `limit` bytes, then gives the app the very same messages, and after them whatever
    else the server sends."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._messages: list[Message] = []
        self._next = 0

    async def body(self) -> bytes:
        """The whole body; empty where it is larger than the limit, comes in very many pieces or as something else than
        bytes, or where the client left before its end."""
        body = RequestBody()
        empty = 0
        while body.size <= self._limit and empty <= MOST_EMPTY and len(self._messages) <= MOST_PIECES:
            message = await self._receive()
            self._messages.append(message)
            if message["type"] == "http.disconnect":
                return b""
            try:
                empty += not await body.add(message)
            except BodyNotBytes:
                return b""
            if body.over:
                return body.whole() if body.size <= self._limit else b""
        return b""

    async def receive(self) -> Message:
        """The app's `receive`."""
        if self._next < len(self._messages):
            message = self._messages[self._next]
            self._next += 1
            return message
        return await self._receive()


def headed_send(request: EndpointRequest, send: Send) -> Send:
    """A `send` that adds this request's headers to the app's response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers()]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return send_with_headers
