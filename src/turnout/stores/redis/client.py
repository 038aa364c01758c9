"""The Redis client of a process: for each of its event loops a session, its flights and its heartbeat."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from turnout.stores.redis.connection import RedisAccess, StoreConnection
from turnout.stores.redis.flight_broker import RedisFlightBroker
from turnout.stores.redis.heartbeat import Heartbeat
from turnout.stores.redis.scripts import Scripts
from turnout.stores.redis.session import RedisSession
from turnout.stores.redis.urls import connect_by

# The part of `timeout_s` that a reply is waited for: the rest is for a machine that is busy itself, so that
# `timeout_s` is what a request may lose in all.
REPLY_SHARE = 0.8


class LoopClient:
    """What one event loop has of its own."""

    def __init__(self, access: RedisAccess, on_redis_name: Callable[[StoreConnection, bytes], Awaitable[None]]) -> None:
        self.pid = os.getpid()
        self.session = RedisSession(access)
        self.flights = RedisFlightBroker(self.session)
        self.heartbeat = Heartbeat(self.session, self.flights, on_redis_name)

    async def close(self) -> None:
        await self.heartbeat.close()
        await self.flights.close()
        await self.session.close()


class RedisClient:
    """The clients of a process. Requests raise StoreUnreachable where Redis does not reply within `timeout_s`,
    connecting included. restore: called with the connection to a Redis that came back empty. yield_allowance: called
    with the name of the account whose allowance another worker needs."""

    def __init__(self, *, url: str, prefix: str, timeout_s: float, scripts: Scripts | None = None) -> None:
        root = f"{{{prefix}}}"
        self.access = RedisAccess(connect_by(url, root), root, scripts or Scripts(), REPLY_SHARE * timeout_s)
        self.restore: Callable[[StoreConnection], Awaitable[None]] | None = None
        self.yield_allowance: Callable[[str], Awaitable[None]] | None = None
        # Redis takes a new name whenever it is found empty.
        self.redis_name: bytes | None = None
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopClient] = weakref.WeakKeyDictionary()

    def here(self) -> LoopClient:
        """Returns the client of the running event loop, a new one after a fork."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None or client.pid != os.getpid():
            client = self._clients[loop] = LoopClient(self.access, self._note_redis_name)
            client.flights.on_yield = self._yield_allowance
        return client

    async def run(self, script: str, *arguments: str | bytes | int) -> Any:
        """The script's reply to the running event loop. Raises StoreUnreachable."""
        return await self.here().session.run(script, *arguments)

    async def _note_redis_name(self, connection: StoreConnection, name: bytes) -> None:
        before, self.redis_name = self.redis_name, name
        if self.restore is not None and before not in (None, name):
            await self.restore(connection)

    async def _yield_allowance(self, account: str) -> None:
        if self.yield_allowance is not None:
            await self.yield_allowance(account)

    async def close(self) -> None:
        """Closes the running event loop's client."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None and client.pid == os.getpid():
            await client.close()
