"""How a command that works until it is stopped learns of SIGTERM and SIGINT, and says that it works."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading

_STOPS = (signal.SIGTERM, signal.SIGINT)


def stop_event_of_loop() -> asyncio.Event:
    """An event of the running loop, set at the first signal to stop."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _STOPS:
        loop.add_signal_handler(number, stopping.set)
    return stopping


def let_the_next_signal_end() -> None:
    """From here on a signal ends the process at once."""
    for number in _STOPS:
        asyncio.get_running_loop().remove_signal_handler(number)


def stop_event_of_process() -> threading.Event:
    """An event for the main thread of a process without a loop, set at a signal to stop."""
    stopping = threading.Event()
    for number in _STOPS:
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def say_stopping(drain_s: float) -> None:
    """Tells that from here on no job is begun."""
    print(
        f"turnout worker {os.getpid()}: stopping; waits at most {drain_s:g} s for the jobs that run",
        file=sys.stderr,
        flush=True,
    )


def say_working(*, as_json: bool, processes: int = 1) -> None:
    """Tells that from here on jobs are worked on."""
    if as_json:
        print(json.dumps({"pid": os.getpid(), "processes": processes}), flush=True)
    else:
        print(f"turnout worker {os.getpid()}: working", file=sys.stderr, flush=True)
