"""`turnout worker --app main:app`: works on jobs with the app at hand, so that requests of its own paths are too."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
from typing import Any

from turnout import portal
from turnout.assembly.queue import WORKS_VARIABLE
from turnout.cli.stopping import (
    let_the_next_signal_end,
    say_stopping,
    say_working,
    stop_event_of_loop,
    stop_event_of_process,
)
from turnout.errors import UsageError
from turnout.turnout import Turnout, running_turnouts


def load_app(name: str) -> Any:
    """The app that `module:attribute` names. Raises UsageError."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise UsageError(f"--app {name}: must be module:attribute, such as main:app")
    # Before the app builds its Turnout: this process works, whatever the settings say of the app's own.
    os.environ[WORKS_VARIABLE] = "1"
    sys.path.insert(0, os.getcwd())
    try:
        app: Any = importlib.import_module(module)
        for part in attribute.split("."):
            app = getattr(app, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--app {name}: {error}") from error
    return app


def work_with(app: Any, *, drain_s: float, at_once: int, as_json: bool) -> None:
    """Works until SIGTERM or SIGINT. Raises UsageError where the app has no Turnout with a queue."""
    call = app if inspect.isfunction(app) else type(app).__call__
    if inspect.iscoroutinefunction(call):
        asyncio.run(_work_asgi(app, drain_s, at_once, as_json))
    else:
        _work_wsgi(drain_s, at_once, as_json)


def _turnouts() -> list[Turnout]:
    found = [turnout for turnout in running_turnouts() if turnout.settings.queue is not None]
    if not found:
        raise UsageError("the app has no Turnout with a [queue] mounted")
    return found


async def _work_asgi(app: Any, drain_s: float, at_once: int, as_json: bool) -> None:
    stopping = stop_event_of_loop()
    received: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: asyncio.Queue[str] = asyncio.Queue()

    async def send(message: dict[str, Any]) -> None:
        await sent.put(message["type"])

    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    await received.put({"type": "lifespan.startup"})
    lifespan = asyncio.create_task(app(scope, received.get, send))
    answered = asyncio.create_task(sent.get())
    await asyncio.wait({lifespan, answered}, return_when=asyncio.FIRST_COMPLETED)
    if answered.done() and answered.result() == "lifespan.startup.failed":
        raise UsageError("the app's start-up failed")
    turnouts = _turnouts()
    for turnout in turnouts:
        # Of an app without lifespan nobody has started it.
        await turnout.start()
        turnout.limit_worker(at_once)
    say_working(as_json=as_json)
    await stopping.wait()
    let_the_next_signal_end()
    say_stopping(drain_s)
    await asyncio.gather(*(turnout.stop_worker(drain_s) for turnout in turnouts))
    if lifespan.done():
        await asyncio.gather(*(turnout.aclose() for turnout in turnouts))
    else:
        await received.put({"type": "lifespan.shutdown"})
        await lifespan
    answered.cancel()


def _work_wsgi(drain_s: float, at_once: int, as_json: bool) -> None:
    stopping = stop_event_of_process()
    turnouts = _turnouts()
    for turnout in turnouts:
        portal.run(portal.portal_loop(), turnout.start)
        turnout.limit_worker(at_once)
    say_working(as_json=as_json)
    while not stopping.wait(1.0):
        pass
    say_stopping(drain_s)
    for turnout in turnouts:
        portal.run(portal.portal_loop(), lambda turnout=turnout: turnout.stop_worker(drain_s))  # type: ignore[misc]
        portal.run(portal.portal_loop(), turnout.aclose)
