"""What each loop of each process has of its own: a name, a connection, a mailbox, its flights to share.

Opened when first used, never before a fork: a worker's connections are its own.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from turnout.stores.redis.connection import StoreConnection, StoreUnreachable
from turnout.stores.redis.flight_broker import FlightStation
from turnout.stores.redis.scripts import Scripts
from turnout.stores.redis.subscriber import Subscriber
from turnout.stores.redis.urls import connect_by

Restore = Callable[[StoreConnection], Awaitable[None]]

# Of `timeout_s`, what a reply is waited for: the rest is for a machine that is busy itself, so that the whole
# is what a request may lose.
PATIENCE = 0.8
# The longest that opening a connection may take, in the background.
OPEN_S = 2.0
# What a process' very first request waits for its first connection: a worker that has just begun is slow itself,
# and one that goes on alone for that would refuse budgets and double limits beside a healthy Redis.
FIRST_S = 0.5


async def _nothing(_: StoreConnection) -> None:
    return None


class RedisClient:
    """The seats of this process. Verbs raise LineDown where Redis cannot be asked within `timeout_s`,
    connecting included."""

    def __init__(self, *, url: str, prefix: str, timeout_s: float, scripts: Scripts | None = None) -> None:
        self.root = f"{{{prefix}}}"
        self.connect = connect_by(url, self.root)
        self.patience_s = PATIENCE * timeout_s
        self.scripts = scripts or Scripts()
        self.restore: Restore = _nothing
        # Which Redis was met last: it names itself when it is empty.
        self.redis_name: bytes | None = None
        self._seats: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopClient] = weakref.WeakKeyDictionary()

    def here(self) -> LoopClient:
        """The seat of the running loop."""
        loop = asyncio.get_running_loop()
        seat = self._seats.get(loop)
        if seat is None or seat.pid != os.getpid():
            seat = self._seats[loop] = LoopClient(self)
        return seat

    async def run(self, name: str, *arguments: str | bytes | int) -> Any:
        """What the script of this name returns."""
        return await self.here().run(name, *arguments)

    async def close(self) -> None:
        """Closes the running loop's seat."""
        seat = self._seats.pop(asyncio.get_running_loop(), None)
        if seat is not None and seat.pid == os.getpid():
            await seat.close()


class LoopClient:
    """One loop's. Names that it gives out are `<its own name>.<number>`, so that a lease says whose it is."""

    def __init__(self, seats: RedisClient) -> None:
        self.pid = os.getpid()
        self.name = secrets.token_hex(6)
        self.station = FlightStation(self)
        self._seats = seats
        self._numbers = itertools.count(1)
        self._line: StoreConnection | None = None
        self._mailbox: Subscriber | None = None
        self._opening: asyncio.Task[StoreConnection] | None = None
        self._first = True

    def new_name(self) -> str:
        return f"{self.name}.{next(self._numbers)}"

    def channel(self, name: str) -> str:
        """Where letters for whoever gave out this name go."""
        return f"{self._seats.root}:p:{name.partition('.')[0]}"

    async def run(self, name: str, *arguments: str | bytes | int) -> Any:
        return await self.run_on(await self.line(), name, *arguments)

    async def run_on(self, line: StoreConnection, name: str, *arguments: str | bytes | int) -> Any:
        return await line.run(self._seats.scripts[name], self._seats.root, *arguments)

    async def met(self, line: StoreConnection, name: bytes) -> None:
        """Redis told its name: another one than before is an empty one."""
        before, self._seats.redis_name = self._seats.redis_name, name
        if before not in (None, name):
            await self._seats.restore(line)

    async def line(self) -> StoreConnection:
        """The open connection, the mailbox beside it. Raises LineDown.

        Nobody waits longer than the patience for it to open (but FIRST_S for a seat's first); the opening itself
        may take longer, so that a distant Redis with a slow greeting is used from the second request on.
        """
        line = self._line
        if line is not None and line.down is None:
            return line
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open(), name="turnout.redis.open")
            self._opening.add_done_callback(_seen)
        patience_s = max(FIRST_S, self._seats.patience_s) if self._first else self._seats.patience_s
        await asyncio.wait({self._opening}, timeout=patience_s)
        self._first = False
        if not self._opening.done():
            raise StoreUnreachable("no connection within the time allowed", hung=True)
        return self._opening.result()

    async def _open(self) -> StoreConnection:
        await self._shut()
        try:
            async with asyncio.timeout(OPEN_S):
                await self.listen()
                line = StoreConnection(await self._seats.connect(), self._seats.patience_s)
                try:
                    await self.station.beat(line)
                except BaseException:
                    await line.close()
                    raise
        except TimeoutError as error:
            raise StoreUnreachable("no connection", hung=True) from error
        except (RedisError, OSError) as error:
            raise StoreUnreachable(str(error)) from error
        self._line = line
        self.station.begin()
        return line

    async def listen(self) -> None:
        """Opens the mailbox where it is not open. Raises LineDown."""
        if self._mailbox is None or not self._mailbox.open_still:
            self._mailbox = await Subscriber.open(
                self._seats.connect,
                self.channel(self.name),
                OPEN_S,
                read=self.station.read,
                cut=self.station.cut,
            )

    async def _shut(self) -> None:
        line, self._line = self._line, None
        mailbox, self._mailbox = self._mailbox, None
        if line is not None:
            await line.close()
        if mailbox is not None:
            await mailbox.close()

    async def close(self) -> None:
        await self.station.close()
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        await self._shut()


def _seen(opening: asyncio.Task[StoreConnection]) -> None:
    """An opening that nobody waited for to its end has failed all the same."""
    if not opening.cancelled():
        opening.exception()
