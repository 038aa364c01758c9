"""Hands the counts on once a second, off every request's path, for as long as there is something to hand on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from turnout.ports.runtime import Clock

log = logging.getLogger("turnout")

EVERY_S = 1.0


class Ticker:
    """Calls `tick` each second from the first `start` on, until it returns False: there is nothing more to do. Runs on
    the loop that starts it; a loop that is gone took it along, and the next `start` begins another."""

    def __init__(self, tick: Callable[[], Awaitable[bool]], clock: Clock) -> None:
        self._tick = tick
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Starts ticking, unless it ticks on this loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._task is None or self._task.done():
            self._loop = loop
            self._task = loop.create_task(self._run(), name="turnout.status")

    async def _run(self) -> None:
        more = True
        while more:
            await self._clock.sleep(EVERY_S)
            try:
                more = await self._tick()
            except Exception:
                # A defect of ours: the app's requests must not be the worse for it, nor the next second's counts.
                log.exception("turnout: the counts of a second could not be handed on")

    async def close(self) -> None:
        """Ticks once more, then no longer."""
        task, self._task = self._task, None
        if task is not None and self._loop is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait({task})
        await self._tick()
