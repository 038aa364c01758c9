"""The event loop that a running Turnout lives on, and how a call from any thread or loop gets there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from turnout import portal
from turnout.context import current_request

T = TypeVar("T")


class HomeLoop:
    """One Turnout's loop. loop: its server's, once start-up or the first request has reported it; else None."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None

    def for_thread(self) -> asyncio.AbstractEventLoop:
        """Where a thread's call runs: on the loop of the request at hand, else the server's, else the portal's."""
        return self._running() or portal.portal_loop()

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the coroutine, run on the home loop from whatever loop: a Flask view that is `async def`
        has one of its own for each request. Runs here where there is no home loop yet."""
        handled = current_request.get()
        is_ours = handled is not None and handled.turnout.home is self
        loop = self._running() or (portal.portal_loop() if is_ours else None)
        if loop is None or loop is portal.running_loop():
            return await work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), loop))

    def _running(self) -> asyncio.AbstractEventLoop | None:
        """The loop of the request at hand, else the server's; None where neither runs."""
        handled = current_request.get()
        for loop in (handled.loop if handled is not None else None, self.loop):
            if loop is not None and loop.is_running():
                return loop
        return None
