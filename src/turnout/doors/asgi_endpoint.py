"""A request of one of the app's own endpoints at the ASGI door: its body read ahead and replayed, its response's
headers added to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from turnout.doors.endpoints import Admitted

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ReadAhead:
    """The messages of a request's body, read up to `limit` bytes; the app then receives the very same messages in
    the same pieces, and after them whatever else comes."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._messages: list[Message] = []
        self._next = 0

    async def body(self) -> bytes:
        """The whole body; empty where it is larger than the limit, or where the client left before its end."""
        parts: list[bytes] = []
        size = 0
        while size <= self._limit:
            message = await self._receive()
            self._messages.append(message)
            if message["type"] != "http.request":
                return b""
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if not message.get("more_body", False):
                return b"".join(parts) if size <= self._limit else b""
        return b""

    async def receive(self) -> Message:
        """What the app is handed for `receive`."""
        if self._next < len(self._messages):
            message = self._messages[self._next]
            self._next += 1
            return message
        return await self._receive()


def adding(admitted: Admitted, send: Send) -> Send:
    """`send`, which adds our headers to the app's response."""

    async def added(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in admitted.headers()]
            message = {**message, "headers": [*message.get("headers", ()), *ours]}
        await send(message)

    return added
