"""One of the app's own endpoints at the ASGI door: reading its body ahead and replaying it, adding response headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from turnout.doors.endpoints import EndpointRequest

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Pieces without a body that are kept for the app while its request is read.
MOST_EMPTY = 10_000


class ReadAhead:
    """Reads a request's body up to `limit` bytes, then gives the app the very same messages, and after them whatever
    else the server sends."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._messages: list[Message] = []
        self._next = 0

    async def body(self) -> bytes:
        """The whole body; empty where it is larger than the limit, or where the client left before its end."""
        parts: list[bytes] = []
        size = empty = 0
        while size <= self._limit and empty <= MOST_EMPTY:
            message = await self._receive()
            self._messages.append(message)
            if message["type"] != "http.request":
                return b""
            part, more = message.get("body") or b"", message.get("more_body", False)
            parts.append(part)
            size += len(part)
            if more and not part:
                # A middleware outside may give these without end, and without ever waiting.
                empty += 1
                await asyncio.sleep(0)
            if not more:
                return b"".join(parts) if size <= self._limit else b""
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
