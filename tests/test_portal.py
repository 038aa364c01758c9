"""Threads and loops: crossing, streams, forks, the interpreter's exit."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar

import pytest

from turnout import portal
from turnout.errors import UsageError

WHO: ContextVar[str] = ContextVar("who", default="nobody")


class Ticks:
    """A stream that counts what it has given, and says when it is closed."""

    def __init__(self, end: int | None = None, breaks: Exception | None = None) -> None:
        self.given = 0
        self.end = end
        self.breaks = breaks
        self.closed = threading.Event()
        self.closed_by: asyncio.Task[object] | None = None
        self.opened_by: asyncio.Task[object] | None = None

    async def open(self) -> tuple[str, AsyncIterator[int]]:
        self.opened_by = asyncio.current_task()
        return "head", self

    def __aiter__(self) -> Ticks:
        return self

    async def __anext__(self) -> int:
        await asyncio.sleep(0)
        if self.given == self.end:
            if self.breaks is not None:
                raise self.breaks
            raise StopAsyncIteration
        self.given += 1
        return self.given

    async def aclose(self) -> None:
        self.closed_by = asyncio.current_task()
        self.closed.set()


def test_a_call_crosses_with_its_context_and_its_error() -> None:
    """The value, the caller's contextvars, the very error; one loop for every call."""
    loops = set()

    async def answer() -> str:
        loops.add(asyncio.get_running_loop())
        return WHO.get()

    async def broken() -> None:
        raise LookupError("as it was")

    WHO.set("ann")
    assert [portal.run(portal.portal_loop(), answer) for _ in range(3)] == ["ann"] * 3
    assert len(loops) == 1
    with pytest.raises(LookupError, match="as it was"):
        portal.run(portal.portal_loop(), broken)


def test_a_stream_is_opened_pumped_and_closed_by_one_task() -> None:
    """Every item, in order, then the end; a break comes after what came before it."""
    ticks = Ticks(end=100)
    pumped = portal.Pumped(portal.portal_loop(), ticks.open)
    assert pumped.head == "head"
    assert list(pumped) == list(range(1, 101))
    assert ticks.closed.wait(5)
    assert ticks.opened_by is ticks.closed_by
    assert next(pumped, "over") == "over"
    broken = portal.Pumped(portal.portal_loop(), Ticks(end=3, breaks=LookupError("half-way")).open)
    assert [next(broken) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(LookupError, match="half-way"):
        next(broken)


def test_what_a_stream_reads_ahead_is_bounded() -> None:
    """A thread that takes nothing holds the stream back."""
    ticks = Ticks()
    pumped = portal.Pumped(portal.portal_loop(), ticks.open)
    for _ in range(50):
        portal.run(portal.portal_loop(), lambda: asyncio.sleep(0))
    assert ticks.given <= portal.AHEAD + 1
    taken = [next(pumped) for _ in range(100)]
    assert taken == list(range(1, 101))
    assert ticks.given <= 100 + portal.AHEAD + 1
    pumped.close()


def test_closing_early_cancels_the_task() -> None:
    """Where the stream is closed, by the task that owns it; closing twice is fine."""
    ticks = Ticks()
    pumped = portal.Pumped(portal.portal_loop(), ticks.open)
    assert next(pumped) == 1
    pumped.close()
    pumped.close()
    assert ticks.closed.wait(5)
    assert ticks.closed_by is ticks.opened_by
    assert list(pumped) == []


def test_a_blocking_call_on_the_loops_own_thread_is_refused_at_once() -> None:
    """It says what to do instead of waiting for itself; on another loop's thread it is a call as any other."""

    async def inner() -> str:
        return "answer"

    async def on_its_own() -> None:
        here = asyncio.get_running_loop()
        with pytest.raises(UsageError, match=r"AsyncOpenAI"):
            portal.run(here, inner)
        with pytest.raises(UsageError, match=r"await"):
            portal.Pumped(here, Ticks().open)
        assert portal.run(portal.portal_loop(), inner) == "answer"

    asyncio.run(on_its_own())


def _child(code: str, **environ: str) -> Iterator[str]:
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **environ},
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return iter(completed.stdout.split())


def test_a_forked_child_has_a_portal_of_its_own() -> None:
    """Opened before the fork or not; the child ends as any process does."""
    code = """
import asyncio, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from turnout import portal
async def who(): return os.getpid()
assert portal.run(portal.portal_loop(), who) == os.getpid()
child = os.fork()
mine = portal.run(portal.portal_loop(), who) == os.getpid()
if child == 0:
    sys.exit(0 if mine else 3)
print(mine, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert list(_child(code)) == ["True", "0"]


def test_the_interpreter_ends_while_calls_and_streams_are_open() -> None:
    """What was to happen last happens, what is in progress is cancelled, and nothing hangs."""
    code = """
import asyncio, threading, time
from turnout import portal
cancelled = []
async def last(): print("last", flush=True)
async def hang():
    try:
        await asyncio.Event().wait()
    finally:
        print("cancelled", flush=True)
portal.at_exit(last)
threading.Thread(target=lambda: portal.run(portal.portal_loop(), hang), daemon=True).start()
while not portal._portal: time.sleep(0.01)
portal.run(portal.portal_loop(), lambda: asyncio.sleep(0.05))
"""
    began = time.monotonic()
    actual = list(_child(code))
    assert actual[:2] == ["last", "cancelled"]
    assert time.monotonic() - began < 10


def test_greenlets_are_refused_with_what_to_do() -> None:
    """When the WSGI door is mounted, not at the first request."""
    code = """
import warnings; warnings.simplefilter("ignore")
from gevent import monkey; monkey.patch_all()
from turnout.wsgi import TurnoutMiddleware
from turnout.errors import UsageError
tiers = {"cheap": {"models": ["a/b"]}, "expensive": {"models": ["a/c"]}}
try:
    TurnoutMiddleware(lambda *_: [], {"tiers": tiers})
except UsageError as error:
    print("gthread" in str(error))
else:
    print("mounted")
import os; os._exit(0)
"""
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert completed.stdout.split() == ["True"], completed.stderr


def test_a_process_whose_loop_used_threads_ends_quietly() -> None:
    """The loop's own executor (a name resolved, a file written) is over before the portal is: nothing is printed."""
    code = (
        "import asyncio\nfrom turnout import portal\n"
        "async def threaded():\n    await asyncio.to_thread(int)\n"
        "portal.run(portal.portal_loop(), threaded)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")
