"""Hands the counts on once a second, off every request's path, for as long as there is something to hand on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from turnout.loop_task import LoopTask
from turnout.ports.runtime import Clock

log = logging.getLogger("turnout")

EVERY_S = 1.0


class Ticker:
    """Calls `tick` each second from the first `start` on, until it returns False: there is nothing more to do. Runs on
    the loop that starts it; a loop that is gone took it along, and the next `start` begins another."""

    def __init__(self, tick: Callable[[], Awaitable[bool]], clock: Clock) -> None:
        self._tick = tick
        self._clock = clock
        self._ticking = LoopTask(self._run, "turnout.status")

    def start(self) -> None:
        """Starts ticking, unless it ticks on this loop."""
        self._ticking.start()

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
        await self._ticking.stop()
        await self._tick()
