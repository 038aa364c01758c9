"""Turns of the event loop: of many tasks that come at once, two take their next step in each."""

from __future__ import annotations

import asyncio
from collections import deque
from weakref import WeakKeyDictionary

# One would hold others up for less, and cost a submission a fifth more: each turn asks the system what has come.
AT_ONCE = 2


class LoopTurns:
    """In the order in which they came. What else the loop has to do goes between, so that a request of another kind
    waits for two of these, and not for all. Each loop has turns of its own: an app may run several."""

    def __init__(self) -> None:
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def take(self) -> None:
        """Returns at once where this turn of the loop has room."""
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line()
        if line.taken < AT_ONCE:
            line.taken += 1
            if line.taken == 1:
                loop.call_soon(line.pass_on, loop)
            return
        mine = loop.create_future()
        line.waiting.append(mine)
        await mine


class _Line:
    """Those that wait on one loop, and how many of them its turn has taken."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.taken = 0

    def pass_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self.taken = 0
        while self.waiting and self.taken < AT_ONCE:
            following = self.waiting.popleft()
            if not following.done():
                following.set_result(None)
                self.taken += 1
        if self.taken:
            loop.call_soon(self.pass_on, loop)
