"""Turns of the event loop: of many tasks that come at once, one takes its next step in each."""

from __future__ import annotations

import asyncio
from collections import deque


class LoopTurns:
    """In the order in which they came. What else the loop has to do goes between two of them, so that a request of
    another kind waits for one of these, and not for all."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_taken = False

    async def take(self) -> None:
        """Returns at once where none has taken this turn of the loop."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # The turns of a loop that was closed have ended with it.
            self._loop, self._is_taken = loop, False
            self._waiting.clear()
        if not self._is_taken:
            self._is_taken = True
            loop.call_soon(self._pass_on)
            return
        mine = loop.create_future()
        self._waiting.append(mine)
        await mine

    def _pass_on(self) -> None:
        assert self._loop is not None
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(None)
                self._loop.call_soon(self._pass_on)
                return
        self._is_taken = False
