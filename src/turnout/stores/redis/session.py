"""One event loop's session with Redis: a connection for scripts and a subscription for messages.

Both are opened when first used, never before a fork, and opened again after they broke.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from turnout.stores.redis.connection import RedisAccess, StoreConnection, StoreUnreachable, opening_within
from turnout.stores.redis.subscriber import Subscriber, subscribe

# The longest that opening a connection may take, in the background.
OPEN_S = 2.0
# The least that the first request of a loop waits for the connection: a worker that has just started is slow itself,
# and one that goes on alone for that would refuse budgets and double limits beside a healthy Redis.
FIRST_OPEN_S = 0.5


class RedisSession:
    """Runs scripts, sends and receives messages. Methods raise StoreUnreachable.

    `name` is random; `new_name()` returns `<name>.<number>`, so that a lease says which session holds it.
    Three hooks are set by what is built on a session, before its first use. on_open: called with a new connection
    before it serves requests. on_message: called with each message. on_loss: called when the subscription
    breaks, and messages were lost.
    """

    on_open: Callable[[StoreConnection], Awaitable[None]]
    on_message: Callable[[bytes], None]
    on_loss: Callable[[], None]

    def __init__(self, access: RedisAccess) -> None:
        self.name = secrets.token_hex(6)
        self._access = access
        self._numbers = itertools.count(1)
        self._connection: StoreConnection | None = None
        self._subscriber: Subscriber | None = None
        self._opening: asyncio.Task[StoreConnection] | None = None
        self._is_first = True

    def new_name(self) -> str:
        return f"{self.name}.{next(self._numbers)}"

    def channel(self, name: str) -> str:
        """Returns the channel of the session that gave out this name."""
        return f"{self._access.root}:p:{name.partition('.')[0]}"

    async def run(self, script: str, *arguments: str | bytes | int) -> Any:
        """Returns what the script of this name returns."""
        return await (await self.connection()).run(script, *arguments)

    async def publish(self, name: str, message: bytes) -> bool:
        """Sends a message to the session that gave out this name. Returns whether it is subscribed."""
        connection = await self.connection()
        return bool(await connection.execute("PUBLISH", self.channel(name), message))

    async def connection(self) -> StoreConnection:
        """Returns the open connection, subscribed beside it.

        A request waits no longer than `reply_timeout_s` for it to open (the first at least FIRST_OPEN_S); the opening
        itself may take longer, so that a distant Redis with a slow handshake is used from the second request on.
        """
        connection = self._connection
        if connection is not None and connection.failure is None:
            return connection
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open(), name="turnout.redis.open")
            self._opening.add_done_callback(_retrieve_exception)
        timeout_s = self._access.reply_timeout_s
        await asyncio.wait({self._opening}, timeout=max(FIRST_OPEN_S, timeout_s) if self._is_first else timeout_s)
        self._is_first = False
        if not self._opening.done():
            raise StoreUnreachable("no connection within the time allowed", timed_out=True)
        return self._opening.result()

    async def _open(self) -> StoreConnection:
        await self._disconnect()
        async with opening_within(OPEN_S):
            await self.subscribe()
            connection = StoreConnection(await self._access.connect(), self._access)
            try:
                await self.on_open(connection)
            except BaseException:
                await connection.close()
                raise
        self._connection = connection
        return connection

    async def subscribe(self) -> None:
        """Subscribes to the session's own channel, unless it is subscribed."""
        if self._subscriber is None or not self._subscriber.is_open:
            async with opening_within(OPEN_S):
                connection = await subscribe(await self._access.connect(), self.channel(self.name))
            self._subscriber = Subscriber(connection, self.on_message, self.on_loss)

    async def _disconnect(self) -> None:
        opened = [part for part in (self._connection, self._subscriber) if part is not None]
        self._connection = self._subscriber = None
        for part in opened:
            await part.close()

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        await self._disconnect()


def _retrieve_exception(opening: asyncio.Task[StoreConnection]) -> None:
    """Keeps asyncio from logging the failure of an opening that no request waited for to its end."""
    if not opening.cancelled():
        opening.exception()
