"""A connection to Redis, shared by all requests of an event loop: commands are pipelined, replies come in order.

So a hundred requests at a time need one connection, not a pool of a hundred, and a Redis that hangs is noticed once
for all of them.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from turnout.stores.redis.scripts import Scripts

Connect = Callable[[], Awaitable[AbstractConnection]]
# How long a time-out is doubted: a loop that was busy itself has the reply in its buffer.
GRACE_S = 0.002


class StoreUnreachable(Exception):
    """Redis cannot be reached: it refuses, has closed the connection, or (`timed_out`) does not reply in time."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class RequestRejected(StoreUnreachable):
    """A script failed at what this one request names, a key of another type: no other request is the worse for it."""


# What Redis replies where one key or argument is wrong, not its own state.
REQUEST_ERRORS = ("WRONGTYPE", "not an integer", "not a valid float", "out of range", "attempt to ")


@dataclass(frozen=True, slots=True)
class RedisAccess:
    """How a process reaches Redis. root: the hash tag that every key begins with. reply_timeout_s: the longest wait
    for one reply."""

    connect: Connect
    root: str
    scripts: Scripts
    reply_timeout_s: float


@asynccontextmanager
async def opening_within(seconds: float) -> AsyncIterator[None]:
    """Limits the time of its block, and turns every failure of it into StoreUnreachable."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise StoreUnreachable("no connection within the time allowed", timed_out=True) from error
    except (RedisError, OSError) as error:
        raise StoreUnreachable(str(error)) from error


class StoreConnection:
    """An open connection. A reply that comes later than allowed fails every request of the connection, because Redis
    replies in order. failure: why it can be used no longer."""

    def __init__(self, connection: AbstractConnection, access: RedisAccess) -> None:
        self._connection = connection
        self._access = access
        self._timeout_s = access.reply_timeout_s
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.failure: StoreUnreachable | None = None
        self._reader = asyncio.create_task(self._read(), name="turnout.redis.read")

    async def run(self, script: str, *arguments: str | bytes | int) -> Any:
        """Returns what the script of this name returns. Raises StoreUnreachable."""
        text, digest = self._access.scripts[script]
        try:
            return await self._send("EVALSHA", digest, 1, self._access.root, *arguments)
        except NoScriptError:
            return await self.execute("EVAL", text, 1, self._access.root, *arguments)
        except ResponseError as error:
            raise self._from_error(error) from error

    async def execute(self, *command: str | bytes | int) -> Any:
        """Returns the reply to one command. Raises StoreUnreachable."""
        try:
            return await self._send(*command)
        except ResponseError as error:
            raise self._from_error(error) from error

    def _from_error(self, error: ResponseError) -> StoreUnreachable:
        """Translates an error reply: full, loading, a replica, another node's keys. Fails the connection where a new
        one may find a better server."""
        if isinstance(error, ReadOnlyError | MovedError | ClusterDownError | MasterDownError | AuthenticationError):
            self._fail(StoreUnreachable(str(error)))
        if any(text in str(error) for text in REQUEST_ERRORS):
            return RequestRejected(str(error))
        return StoreUnreachable(str(error))

    async def _send(self, *command: str | bytes | int) -> Any:
        if self.failure is not None:
            raise StoreUnreachable(str(self.failure), timed_out=self.failure.timed_out)
        reply = self._loop.create_future()
        self._waiting.append((reply, self._loop.time() + self._timeout_s))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._check_timeout)
        try:
            await self._connection.send_packed_command(self._connection.pack_command(*command), check_health=False)
        except (RedisError, OSError) as error:
            self._fail(StoreUnreachable(str(error)))
        return await reply

    async def _read(self) -> None:
        try:
            while True:
                try:
                    value = await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
                except ResponseError as error:
                    value = error
                self._resolve(value)
        except (RedisError, OSError) as error:
            self._fail(StoreUnreachable(str(error)))
        finally:
            await self._connection.disconnect(nowait=True)

    def _resolve(self, value: Any) -> None:
        future, _ = self._waiting.popleft()
        if future.done():
            return
        if isinstance(value, ResponseError):
            future.set_exception(value)
        else:
            future.set_result(value)

    def _check_timeout(self) -> None:
        """Suspects the oldest request of a time-out, to be confirmed after GRACE_S: time that the loop itself was busy
        is not Redis' fault, and replies that came meanwhile are read first."""
        self._timer = None
        if not self._waiting:
            return
        remaining_s = self._waiting[0][1] - self._loop.time()
        if remaining_s > 0:
            self._timer = self._loop.call_later(remaining_s, self._check_timeout)
        else:
            self._timer = self._loop.call_later(GRACE_S, self._confirm_timeout, self._waiting[0][0])

    def _confirm_timeout(self, oldest: asyncio.Future[Any]) -> None:
        self._timer = None
        if self._waiting and self._waiting[0][0] is oldest:
            self._fail(StoreUnreachable(f"no reply within {self._timeout_s:g} s", timed_out=True))
        else:
            self._check_timeout()

    def _fail(self, failure: StoreUnreachable) -> None:
        """Fails every waiting request, and all that come later."""
        if self.failure is None:
            self.failure = failure
        waiting, self._waiting = self._waiting, deque()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(StoreUnreachable(str(failure), timed_out=failure.timed_out))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def close(self) -> None:
        self._fail(StoreUnreachable("closed"))
        self._reader.cancel()
        await asyncio.wait({self._reader})
