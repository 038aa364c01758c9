"""Turns of the event loop: of many tasks that come at once, two take their next step in each."""

from __future__ import annotations

import asyncio
from collections import deque

# One would hold others up for less, and cost a submission a fifth more: each turn asks the system what has come.
AT_ONCE = 2


class LoopTurns:
    """In the order in which they came. What else the loop has to do goes between, so that a request of another kind
    waits for two of these, and not for all."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._taken = 0

    async def take(self) -> None:
        """Returns at once where this turn of the loop has room."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # The turns of a loop that was closed have ended with it.
            self._loop, self._taken = loop, 0
            self._waiting.clear()
        if self._taken < AT_ONCE:
            self._taken += 1
            if self._taken == 1:
                loop.call_soon(self._pass_on)
            return
        mine = loop.create_future()
        self._waiting.append(mine)
        await mine

    def _pass_on(self) -> None:
        assert self._loop is not None
        self._taken = 0
        while self._waiting and self._taken < AT_ONCE:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(None)
                self._taken += 1
        if self._taken:
            self._loop.call_soon(self._pass_on)
