"""`turnout worker --config turnout.toml`: works on the queue's jobs, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading

from turnout.cli.arguments import add_config, seconds, whole_number
from turnout.cli.stopping import (
    let_the_next_signal_end,
    say_stopping,
    say_working,
    stop_event_of_loop,
    stop_event_of_process,
)
from turnout.cli.stores import queue_settings
from turnout.turnout import Turnout

# How long the jobs that run are waited for after SIGTERM; the rest is put back for others.
DRAIN_S = 30.0
# Between a stopped process's drain and the kill.
KILL_AFTER_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--app", default="", metavar="MODULE:APP", help="the app, for requests of its own heavy paths")
    parser.add_argument("--processes", type=whole_number(1), default=1, metavar="N", help="worker processes (1)")
    parser.add_argument(
        "--threads",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="jobs at once in one process (queue.concurrency)",
    )
    parser.add_argument(
        "--drain-s", type=seconds, default=DRAIN_S, metavar="S", help=f"how long a stop waits for jobs ({DRAIN_S:g})"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, once it works")
    # Set for those that the first process starts: it holds the other end of their standard input.
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Exit code 2 where the settings have no queue."""
    settings, _ = queue_settings(args)
    if args.processes > 1:
        return _supervise(args)
    if args.child:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if args.app:
        # Imported here: the plain worker needs no app.
        from turnout.cli.worker_app import load_app, work_with

        work_with(load_app(args.app), drain_s=args.drain_s, at_once=args.threads, as_json=args.json)
        return 0
    ours = settings.server.chat_paths
    if any(endpoint.heavy for path, endpoint in settings.endpoints.items() if path not in ours):
        print("turnout: without --app the requests of the app's own heavy paths are left alone", file=sys.stderr)
    turnout = Turnout(settings, works=True)
    asyncio.run(work(turnout, drain_s=args.drain_s, at_once=args.threads, as_json=args.json))
    return 0


async def work(turnout: Turnout, *, drain_s: float, at_once: int = 0, as_json: bool = False) -> None:
    """Works until SIGTERM or SIGINT; then claims no more, and waits so long for what runs."""
    stopping = stop_event_of_loop()
    turnout.limit_worker(at_once)
    async with turnout:
        say_working(as_json=as_json)
        await stopping.wait()
        let_the_next_signal_end()
        say_stopping(drain_s)
        await turnout.stop_worker(drain_s)


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, however it went."""
    while os.read(0, 1024):
        pass
    os._exit(1)


def _supervise(args: argparse.Namespace) -> int:
    """Runs the worker processes; one that ends by itself is started again."""
    command = [sys.executable, "-m", "turnout", "worker", "--config", args.config, "--child"]
    command += ["--app", args.app] if args.app else []
    command += ["--threads", str(args.threads), "--drain-s", str(args.drain_s)]
    stopping = stop_event_of_process()
    children = [_child(command) for _ in range(args.processes)]
    if args.json:
        say_working(as_json=True, processes=args.processes)
    while not stopping.wait(0.5):
        children = [child if child.poll() is None else _child(command) for child in children]
    for child in children:
        child.send_signal(signal.SIGTERM)
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(args.drain_s + KILL_AFTER_S)
        child.kill()
        child.wait()
    return 0


def _child(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE)
