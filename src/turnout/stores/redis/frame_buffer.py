"""The frames that a follower has received of another process's flight: in order, none missing."""

from __future__ import annotations

import asyncio
from collections import deque

from turnout.ports.sharing import FlightLost

# What a follower may have unread before it is cut off.
MAX_BYTES = 1_048_576


class FrameBuffer:
    """The frames of one flight, with the flight's key and lease."""

    def __init__(self, key: bytes, lease: str) -> None:
        self.key = key
        self.lease = lease
        self.is_complete = False
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._expected = 0
        self._failure: str | None = None
        self._changed = asyncio.Event()

    def put(self, number: int, frame: bytes | None) -> None:
        """Adds the frame of this number, counted from 0; None: the flight ended before it."""
        if number != self._expected:
            return self.fail("a part of it was lost")
        self._expected += 1
        if frame is None:
            self.is_complete = True
        else:
            self._frames.append(frame)
            self._bytes += len(frame)
        if self._bytes > MAX_BYTES:
            self.fail("this reader fell too far behind")
        self._changed.set()
        return None

    def fail(self, reason: str) -> None:
        """Makes reading raise FlightLost, unless the last frame has been received."""
        if not self.is_complete:
            self._failure = reason
            self._frames.clear()
            self._changed.set()

    async def next(self) -> bytes | None:
        """Returns the next frame; None at the end. Raises FlightLost."""
        while True:
            if self._failure is not None:
                raise FlightLost(self._failure)
            if self._frames:
                frame = self._frames.popleft()
                self._bytes -= len(frame)
                return frame
            if self.is_complete:
                return None
            self._changed.clear()
            await self._changed.wait()
