"""Work in the background of an event loop: one task at most (probing, reporting, ticking), or any number; and what such
work waits by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class LoopTask:
    """Runs `work` in the background of the loop that starts it, at most once at a time."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """The task on this loop, begun unless it runs already."""
        if (running := self._running()) is not None:
            return running
        task = self._task = asyncio.get_running_loop().create_task(self._work(), name=self._name)
        return task

    async def stop(self, *, patience_s: float = 0.0) -> None:
        """Cancels this loop's task and waits for its end. patience_s: how long it may end by itself first."""
        if (running := self._running()) is None:
            return
        if patience_s:
            await asyncio.wait({running}, timeout=patience_s)
        running.cancel()
        await asyncio.wait({running})

    def _running(self) -> asyncio.Task[None] | None:
        # A task of a loop that is gone, or from before a fork, never ends.
        task = self._task
        here = task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
        return task if here else None


class BackgroundTasks:
    """Work that nobody waits for, kept until it ends."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Begins this work on the running loop."""
        task = asyncio.get_running_loop().create_task(work, name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Returns when what this loop began has ended, and what that began too."""
        loop = asyncio.get_running_loop()
        while here := [task for task in self._tasks if task.get_loop() is loop]:
            await asyncio.wait(here)


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Returns when the event is set, or after so many seconds."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiting}, timeout=seconds)
    finally:
        waiting.cancel()
