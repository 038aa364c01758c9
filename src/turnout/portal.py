"""From a thread onto an event loop: the portal, and how to call and to stream across.

The portal is this process's own loop in a daemon thread, opened when it is first needed. It is keyed by the
process's id: what a fork leaves of its parent's is a loop that nobody runs. anyio's `BlockingPortal` crosses
twice a call (once to start the task, once for its result); here a call crosses once.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import queue
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from turnout.errors import Overloaded, UsageError

T = TypeVar("T")

# How far a stream is read ahead of the thread that takes it.
AHEAD = 16
# At exit: for what is in progress, then for the thread. Together well under a second.
FINISH_S = 0.5
JOIN_S = 0.2


class Portal:
    """One event loop in a daemon thread."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        opened: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="turnout.portal", daemon=True)
        self._thread.start()
        self.loop = opened.result()

    def _run(self, opened: concurrent.futures.Future[asyncio.AbstractEventLoop]) -> None:
        runner = asyncio.Runner()
        try:
            runner.run(self._until_stopped(opened))
        finally:
            # Ending the loop's executor takes a thread, and from Python 3.12 on none can be started at the
            # interpreter's exit. The executor's own threads are over by then.
            with contextlib.suppress(RuntimeError):
                runner.close()

    async def _until_stopped(self, opened: concurrent.futures.Future[asyncio.AbstractEventLoop]) -> None:
        self._stopped = asyncio.Event()
        opened.set_result(asyncio.get_running_loop())
        await self._stopped.wait()

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
        """Runs `last` on the loop, cancels what is left and ends the thread; waits for neither for long."""
        if last is not None:
            finishing = asyncio.run_coroutine_threadsafe(last(), self.loop)
            concurrent.futures.wait([finishing], FINISH_S)
        self.loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(JOIN_S)


_portal: Portal | None = None
_lock = threading.Lock()
_closed = False
_last: Callable[[], Coroutine[Any, Any, None]] | None = None


def portal_loop() -> asyncio.AbstractEventLoop:
    """The portal's loop, opened where it is not yet. Raises Overloaded in a process that is ending."""
    global _portal
    portal = _portal
    if portal is None or portal.pid != os.getpid():
        refuse_greenlets()
        with _lock:
            if _closed:
                raise Overloaded("the server is stopping", retry_after_s=1.0)
            if _portal is None or _portal.pid != os.getpid():
                _portal = Portal()
            portal = _portal
    return portal.loop


def at_exit(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """What the portal does before it closes at the interpreter's exit."""
    global _last
    _last = last


def _close() -> None:
    global _closed
    with _lock:
        _closed = True
    if _portal is not None and _portal.pid == os.getpid():
        _portal.close(_last)


def _forked() -> None:
    # Another thread may have held the lock at the moment of the fork.
    global _lock
    _lock = threading.Lock()


atexit.register(_close)
os.register_at_fork(after_in_child=_forked)


def refuse_greenlets() -> None:
    """Raises UsageError where threads are greenlets: asyncio knows one running loop a real thread, so that the
    portal's would be taken for the loop of every greenlet (tried with gevent 26: the first request hangs)."""
    gevent = sys.modules.get("gevent.monkey")
    eventlet = sys.modules.get("eventlet.patcher")
    if (gevent is not None and gevent.is_module_patched("threading")) or (
        eventlet is not None and eventlet.is_monkey_patched("thread")
    ):
        raise UsageError(
            "Turnout cannot run in a process whose threads are patched to be greenlets (gevent, eventlet): its event "
            "loop needs a real thread. Use gunicorn's gthread workers (--worker-class gthread --threads 8), or an "
            "ASGI server"
        )


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs on this thread, None where none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _check(loop: asyncio.AbstractEventLoop) -> None:
    if running_loop() is loop:
        raise UsageError(
            "a blocking call on the event loop's own thread would wait for itself: await the asynchronous verb "
            "or client (openai.AsyncOpenAI, httpx.AsyncClient), or call from a thread (a plain `def` handler)"
        )


def run(loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine gives, run on that loop, in this thread's context. Left early, it is cancelled.

    Raises UsageError on the loop's own thread, at once.
    """
    _check(loop)
    future = asyncio.run_coroutine_threadsafe(work(), loop)
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        raise Overloaded("the call was cancelled: the server is stopping", retry_after_s=1.0) from None
    finally:
        future.cancel()


class _End:
    """The good end of a stream."""


class _Broken:
    """Whatever else ended it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


Head = TypeVar("Head")


class Pumped(Generic[Head, T]):
    """An asynchronous stream, read by a thread. One task opens it, pumps it and closes it.

    opening: gives what stands before the stream (`head`) and the stream, or None where there is none.
    Raises what the opening raised. To be closed: that cancels the task where it is not over.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        opening: Callable[[], Awaitable[tuple[Head, AsyncIterator[T] | None]]],
    ) -> None:
        _check(loop)
        self._loop = loop
        self._channel: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(AHEAD)
        self._taken = 0
        self._over = False
        self._task = asyncio.run_coroutine_threadsafe(self._pump(opening), loop)
        self.head: Head = self._take()

    async def _pump(self, opening: Callable[[], Awaitable[tuple[Head, AsyncIterator[T] | None]]]) -> None:
        try:
            head, stream = await opening()
            self._channel.put(head)
            if stream is not None:
                await self._pour(stream)
            self._channel.put(_End())
        except asyncio.CancelledError:
            self._channel.put(_Broken(Overloaded("the stream was cancelled: the server is stopping")))
            raise
        except BaseException as error:
            self._channel.put(_Broken(error))

    async def _pour(self, stream: AsyncIterator[T]) -> None:
        try:
            async for item in stream:
                await self._room.acquire()
                self._channel.put(item)
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    def _take(self) -> Any:
        try:
            item = self._channel.get()
        except BaseException:
            self.close()
            raise
        if isinstance(item, _Broken):
            self._over = True
            raise item.error
        return item

    def __iter__(self) -> Pumped[Head, T]:
        return self

    def __next__(self) -> T:
        if self._over:
            raise StopIteration
        item = self._take()
        if isinstance(item, _End):
            self._over = True
            raise StopIteration
        self._taken += 1
        # Waking the loop costs more than an item does: half a channel's room is given back at a time.
        if self._taken % (AHEAD // 2) == 0:
            self._loop.call_soon_threadsafe(self._make_room)
        taken: T = item
        return taken

    def _make_room(self) -> None:
        for _ in range(AHEAD // 2):
            self._room.release()

    def close(self) -> None:
        """Cancels the task where it is not over: its stream is closed, on its loop."""
        self._over = True
        self._task.cancel()


__all__ = ["Pumped", "at_exit", "portal_loop", "refuse_greenlets", "run", "running_loop"]
