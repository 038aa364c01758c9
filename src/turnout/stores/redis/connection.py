"""One connection to Redis, shared by all requests of a loop: each is written at once, and Redis answers in order.

So a hundred requests at a time need one connection, not a pool of a hundred, and one that hangs is noticed
once for all of them.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
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

from turnout.stores.redis.scripts import Script

Connect = Callable[[], Awaitable[AbstractConnection]]
# Between a time-out's first sight and its verdict: a loop that was busy itself has the reply in its buffer.
GRACE_S = 0.002


class StoreUnreachable(Exception):
    """Redis could not be asked: refused, gone, or (`hung`) silent for too long."""

    def __init__(self, message: str, *, hung: bool = False) -> None:
        super().__init__(message)
        self.hung = hung


class StoreConnection:
    """An open connection. `patience_s`: the longest wait for a reply; the first reply that is later than that
    ends the line for every request on it, because Redis answers in order."""

    def __init__(self, connection: AbstractConnection, patience_s: float) -> None:
        self._connection = connection
        self._patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.down: StoreUnreachable | None = None
        self._reader = asyncio.create_task(self._read(), name="turnout.redis")

    async def run(self, script: Script, root: str, *arguments: str | bytes | int) -> Any:
        """What the script returns. Raises LineDown."""
        try:
            return await self._asked("EVALSHA", script.digest, 1, root, *arguments)
        except NoScriptError:
            return await self.ask("EVAL", script.text, 1, root, *arguments)
        except ResponseError as error:
            raise self._refused(error) from error

    async def ask(self, *command: str | bytes | int) -> Any:
        """Redis' reply to one command. Raises LineDown."""
        try:
            return await self._asked(*command)
        except ResponseError as error:
            raise self._refused(error) from error

    def _refused(self, error: ResponseError) -> StoreUnreachable:
        """An error for an answer: full, loading, a replica, another node's keys. The line ends where a new
        connection may find a better server."""
        if isinstance(error, ReadOnlyError | MovedError | ClusterDownError | MasterDownError | AuthenticationError):
            self._end(StoreUnreachable(str(error)))
        return StoreUnreachable(str(error))

    async def _asked(self, *command: str | bytes | int) -> Any:
        if self.down is not None:
            raise StoreUnreachable(str(self.down), hung=self.down.hung)
        reply = self._loop.create_future()
        self._waiting.append((reply, self._loop.time() + self._patience_s))
        if self._timer is None:
            self._timer = self._loop.call_later(self._patience_s, self._suspect)
        try:
            await self._connection.send_packed_command(self._connection.pack_command(*command), check_health=False)
        except (RedisError, OSError) as error:
            self._end(StoreUnreachable(str(error)))
        return await reply

    async def _read(self) -> None:
        try:
            while True:
                try:
                    value = await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
                except ResponseError as error:
                    value = error
                self._answered(value)
        except (RedisError, OSError) as error:
            self._end(StoreUnreachable(str(error)))
        finally:
            await self._connection.disconnect(nowait=True)

    def _answered(self, value: Any) -> None:
        future, _ = self._waiting.popleft()
        if future.done():
            return
        if isinstance(value, ResponseError):
            future.set_exception(value)
        else:
            future.set_result(value)

    def _suspect(self) -> None:
        """The oldest request may have waited too long. Judged a moment later: time that the loop itself was
        busy is not Redis' fault, and what came meanwhile is read first."""
        self._timer = None
        if not self._waiting:
            return
        left = self._waiting[0][1] - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._suspect)
        else:
            self._timer = self._loop.call_later(GRACE_S, self._judge, self._waiting[0][0])

    def _judge(self, oldest: asyncio.Future[Any]) -> None:
        self._timer = None
        if self._waiting and self._waiting[0][0] is oldest:
            self._end(StoreUnreachable(f"no reply within {self._patience_s:g} s", hung=True))
        else:
            self._suspect()

    def _end(self, down: StoreUnreachable) -> None:
        """Tells every request on the line, once."""
        if self.down is None:
            self.down = down
        waiting, self._waiting = self._waiting, deque()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(StoreUnreachable(str(down), hung=down.hung))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def close(self) -> None:
        self._end(StoreUnreachable("closed"))
        self._reader.cancel()
        await asyncio.wait({self._reader})
