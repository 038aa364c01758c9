"""A request's body put together from the messages that `receive` gives."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

Message = MutableMapping[str, Any]

# Messages that are taken in one after the other: a middleware outside may have millions of single bytes at hand, and
# never wait.
MOST_AT_ONCE = 100


class BodyNotBytes(TypeError):
    """A middleware outside gives something else in the place of a piece of the body."""


class RequestBody:
    """What has come so far. size: in bytes. over: its end has come."""

    def __init__(self) -> None:
        self._whole = bytearray()
        self._only: bytes | None = None
        self._messages = 0
        self.over = False

    @property
    def size(self) -> int:
        return len(self._whole) if self._only is None else len(self._only)

    def whole(self) -> bytes:
        return bytes(self._whole) if self._only is None else self._only

    async def add(self, message: Message) -> bool:
        """Takes in a message, and lets others have their turn from time to time. A message of another type than the
        protocol's for a body holds nothing of it. Returns whether it did. Raises BodyNotBytes."""
        part = self._part(message)
        if self._messages == 0 and self.over and isinstance(part, bytes):
            # Almost every body: not copied.
            self._only = part
        elif part:
            self._whole += part
        self._messages += 1
        if not self.over and (not part or self._messages % MOST_AT_ONCE == 0):
            # A middleware outside may give empty ones without end.
            await asyncio.sleep(0)
        return bool(part)

    def _part(self, message: Message) -> bytes | bytearray | memoryview:
        if message["type"] != "http.request":
            return b""
        part = message.get("body") or b""
        if not isinstance(part, bytes | bytearray | memoryview):
            raise BodyNotBytes(f"a middleware outside gives the request's body as {type(part).__name__}, not as bytes")
        self.over = not message.get("more_body", False)
        return part
