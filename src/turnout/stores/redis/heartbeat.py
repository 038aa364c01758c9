"""The heartbeat of one event loop: keeps its leases alive in Redis, and learns what else is alive there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from turnout.stores.redis.connection import StoreConnection, StoreUnreachable
from turnout.stores.redis.flight_broker import RedisFlightBroker
from turnout.stores.redis.session import RedisSession

BEAT_S = 1.0
# How long a lease stays alive without a beat: so soon is it noticed that its process was killed.
HOLD_S = 3.0
# Seconds between two beats of a session without flights: it is only counted.
IDLE_BEATS = 10
# How long a session counts as a worker after its last beat.
SEEN_S = 60.0


class Heartbeat:
    """Beats from the session's first connection on. workers: sessions seen in the last minute, by the last beat.

    on_redis_name: called with the name that Redis has at each beat; a new one means that it came back empty, or with an
    older state of itself. count: the most requests that this Redis has said it counted.
    """

    def __init__(
        self,
        session: RedisSession,
        flights: RedisFlightBroker,
        on_redis_name: Callable[[StoreConnection, bytes], Awaitable[None]],
    ) -> None:
        self.workers = 1
        self.count = 0
        self._redis_name = b""
        self._session = session
        self._flights = flights
        self._on_redis_name = on_redis_name
        self._task: asyncio.Task[None] | None = None
        session.on_open = self._start

    async def _start(self, connection: StoreConnection) -> None:
        await self.beat(connection)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="turnout.redis.heartbeat")

    async def _run(self) -> None:
        number = 1
        while True:
            await asyncio.sleep(BEAT_S)
            if self._flights.followed or self._flights.shared or number % IDLE_BEATS == 0:
                with suppress(StoreUnreachable):
                    await self._session.subscribe()
                    await self.beat(await self._session.connection())
                    await self._flights.drop_dead_followers()
            number += 1

    async def beat(self, connection: StoreConnection) -> None:
        """Runs beat.lua once. Raises StoreUnreachable."""
        shared, followed = self._flights.shared, self._flights.followed
        redis_name, self.workers, count, *lost = await connection.run(
            "beat",
            self._session.name,
            round(HOLD_S * 1000),
            round(SEEN_S * 1000),
            len(shared),
            *(part for pair in shared for part in pair),
            *(part for frames in followed for part in (frames.key, frames.lease)),
        )
        for index in lost:
            followed[index - 1].fail("its holder is gone")
        if count < self.count and redis_name == self._redis_name:
            redis_name = await connection.run("rename", redis_name, self._session.name)
        self._redis_name, self.count = redis_name, count
        await self._on_redis_name(connection, redis_name)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
