"""Which Turnout a call that names none belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from turnout import portal
from turnout.api.exchange import Answers
from turnout.context import current_request
from turnout.errors import UsageError

T = TypeVar("T")


class Running(Answers, Protocol):
    """A Turnout that is mounted, or entered by `async with`."""

    @property
    def home(self) -> asyncio.AbstractEventLoop | None:
        """The loop of the server that it is mounted in; None: it has none, and lives on the portal's."""
        ...

    async def aclose(self) -> None: ...


# Weak: an app that is gone takes its Turnout along.
_running: WeakSet[Running] = WeakSet()


def begin(turnout: Running) -> None:
    """From now on it may be the one that is meant."""
    _running.add(turnout)


def end(turnout: Running) -> None:
    _running.discard(turnout)


def current_turnout(given: Callable[[], Running] | None = None) -> Running:
    """The Turnout around the request at hand, else the given one, else the only one that runs.

    Raises UsageError, which says what to do.
    """
    handled = current_request.get()
    if handled is not None:
        context: Running = handled.turnout
        return context
    if given is not None:
        return given()
    return _only(list(_running))


def _only(running: Iterable[Running]) -> Running:
    found = list(running)
    if len(found) == 1:
        return found[0]
    told = "no Turnout is mounted" if not found else f"{len(found)} Turnouts are mounted"
    raise UsageError(
        f"{told}, and this call is made outside of any request: say which is meant, "
        'as in turnout.transport("turnout.toml"), or mount one'
    )


def _home(turnout: Running) -> asyncio.AbstractEventLoop | None:
    """The loop of the request at hand, else of the server; None: it has none that runs."""
    handled = current_request.get()
    for home in (handled.loop if handled is not None else None, turnout.home):
        if home is not None and home.is_running():
            return home
    return None


def loop_of(turnout: Running) -> asyncio.AbstractEventLoop:
    """Where a thread's call is made: on the loop of the request at hand, else of the server, else on the portal."""
    return _home(turnout) or portal.portal_loop()


async def run_on_home_loop(turnout: Running, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the work gives, done on the loop where this Turnout lives, from whatever loop: a Flask view that is
    `async def` has one of its own for each request. Where it lives nowhere yet, here."""
    handled = current_request.get()
    served = handled is not None and handled.turnout is turnout
    home = _home(turnout) or (portal.portal_loop() if served else None)
    if home is None or home is asyncio.get_running_loop():
        return await work()
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), home))


async def _end_all() -> None:
    """Settles what runs on the portal."""
    async with asyncio.TaskGroup() as group:
        for turnout in list(_running):
            if turnout.home is None:
                group.create_task(turnout.aclose())


portal.at_exit(_end_all)
