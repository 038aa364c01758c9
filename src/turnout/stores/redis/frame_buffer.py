"""What a follower hears of another process' flight: frames as they come, in order, none missing."""

from __future__ import annotations

import asyncio
from collections import deque

from turnout.ports.sharing import FlightLost

# What a follower may have unread before it is cut off.
INBOX_BYTES = 1_048_576


class FrameBuffer:
    """The frames of one flight, followed by the key and lease of its holder."""

    def __init__(self, key: bytes, lease: str) -> None:
        self.key = key
        self.lease = lease
        self.over = False
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._expected = 0
        self._lost: str | None = None
        self._news = asyncio.Event()

    def put(self, number: int, frame: bytes | None) -> None:
        """The frame of this number, counted from 0; None: there is no more."""
        if number != self._expected:
            return self.lose("a part of it was lost")
        self._expected += 1
        if frame is None:
            self.over = True
        else:
            self._frames.append(frame)
            self._bytes += len(frame)
        if self._bytes > INBOX_BYTES:
            self.lose("this reader fell too far behind")
        self._news.set()
        return None

    def lose(self, why: str) -> None:
        """Nothing can be read any more, unless the last frame is here already."""
        if not self.over:
            self._lost = why
            self._frames.clear()
            self._news.set()

    async def next(self) -> bytes | None:
        """The next frame; None at the end. Raises FlightLost."""
        while True:
            if self._lost is not None:
                raise FlightLost(self._lost)
            if self._frames:
                frame = self._frames.popleft()
                self._bytes -= len(frame)
                return frame
            if self.over:
                return None
            self._news.clear()
            await self._news.wait()
