"""The questions of semantic answers in Redis, and this worker's own index of them, kept in step by a stream.

Looking one up asks nobody. What any worker adds or forgets is an event of the stream, which each reads some times a
second for as long as it is asked; a worker that has started, or that missed events, loads everything anew. So the
indexes of all workers agree, and plain Redis (6.2) will do: no module looks for vectors there.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from turnout.context import endpoint_name
from turnout.errors import StoreUnavailable
from turnout.ports.semantic import Neighbour, SemanticEntry, SemanticStore
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreUnreachable

log = logging.getLogger("turnout")

# Between two looks at the stream, and how long it is followed after the last question.
POLL_S = 0.2
IDLE_S = 60.0
# Events or questions of one reply, and entries indexed between two turns of the loop: some 50 KiB and 0.3 ms.
BATCH = 32
# Questions that one script checks for a purge.
PURGE_BATCH = 200
_HEAD = struct.Struct(">16sI")


class RedisSemanticStore:
    """Implements SemanticStore for all processes that share a Redis. `add` and `nearest` never fail; `remove` and
    `purge` raise StoreUnavailable.

    index: makes an empty index of this process' own. wall: seconds since 1970. max_entries: of all workers together.
    """

    def __init__(
        self, client: RedisClient, *, index: Callable[[], SemanticStore], max_entries: int, wall: Callable[[], float]
    ) -> None:
        self._client = client
        self._make_index = index
        self._max_entries = max_entries
        self._wall = wall
        self._index = index()
        # The number of the last event in the index; None before everything was loaded.
        self._seen: int | None = None
        self._following: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        self._syncing = asyncio.Lock()

    async def add(self, entry: SemanticEntry) -> None:
        left_ms = round((entry.fresh_until - self._wall()) * 1000)
        if left_ms <= 0:
            return
        try:
            where = (entry.user, endpoint_name(entry.endpoint))
            await self._client.run("semantic_add", entry.key, _pack(entry), left_ms, *where, self._max_entries)
        except StoreUnreachable as error:
            # Kept here alone, a purge by another worker would miss it.
            log.debug("a question for semantic answers is not kept: %s", error)
        else:
            await self._index.add(entry)

    async def nearest(self, scope: bytes, vector: bytes, count: int, now: float) -> Sequence[Neighbour]:
        self._follow()
        return await self._index.nearest(scope, vector, count, now)

    async def remove(self, key: bytes) -> bool:
        await self._index.remove(key)
        try:
            return bool(await self._client.run("semantic_remove", key))
        except StoreUnreachable as error:
            raise StoreUnavailable(f"Redis cannot be asked ({error}): the question was not forgotten") from error

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        await self._index.purge(user=user, endpoint=endpoint)
        try:
            return await purge_questions(self._client, user=user, endpoint=endpoint)
        except StoreUnreachable as error:
            raise StoreUnavailable(f"Redis cannot be asked ({error}): its questions were not purged") from error

    async def sync(self) -> None:
        """Brings the index up to what Redis holds now. Raises StoreUnreachable."""
        async with self._syncing:
            more = 1
            while more:
                if self._seen is None:
                    await self._load()
                assert self._seen is not None
                missed, last, more, *events = await self._client.run("semantic_since", self._seen, BATCH)
                if missed:
                    self._seen, more = None, 1
                    continue
                for what, *details in events:
                    await self._apply(what, details)
                self._seen = int(last)

    async def close(self) -> None:
        """Follows the stream no more."""
        await self._index.close()
        task, self._following = self._following, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait({task})

    async def _apply(self, what: bytes, details: Sequence[Any]) -> None:
        if what == b"a":
            await self._index.add(self._unpack(details[0]))
        else:
            for key in details:
                await self._index.remove(key)

    async def _load(self) -> None:
        """Puts an index of everything in the place of the old one. What happens meanwhile is read again as events."""
        seen: int | None = None
        # In the order in which they were added, as every other worker has them: a full index forgets the oldest. A
        # heap, because sorting 100,000 at once would hold the event loop for 50 ms.
        cursor, entries = b"0", list[tuple[float, bytes, int, SemanticEntry]]()
        while seen is None or cursor != b"0":
            newest, cursor, *rows = await self._client.run("semantic_load", cursor, BATCH)
            seen = int(newest) if seen is None else seen
            for row in rows:
                entry = self._unpack(row)
                heapq.heappush(entries, (entry.fresh_until, entry.key, len(entries), entry))
        index = self._make_index()
        while entries:
            await index.add(heapq.heappop(entries)[-1])
            if len(entries) % BATCH == 0:
                await asyncio.sleep(0)
        earlier, self._index, self._seen = self._index, index, seen
        await earlier.close()
        # Bit by bit, too.
        await earlier.purge()

    def _unpack(self, row: Sequence[Any]) -> SemanticEntry:
        key, packed, user, endpoint, left_ms = row
        scope, size = _HEAD.unpack_from(packed)
        end = _HEAD.size + size
        return SemanticEntry(
            key=key,
            scope=scope,
            question=packed[end:].decode("utf-8", "surrogatepass"),
            vector=packed[_HEAD.size : end],
            fresh_until=self._wall() + left_ms / 1000,
            user=user.decode(),
            endpoint=endpoint.decode(),
        )

    def _follow(self) -> None:
        """Keeps the index in step from now on, while it is asked."""
        loop = asyncio.get_running_loop()
        self._asked_at = loop.time()
        task = self._following
        # A task of a loop that is gone, or from before a fork, never ends.
        if task is None or task.done() or task.get_loop() is not loop:
            self._following = loop.create_task(self._keep_in_step(), name="turnout.semantic.follow")

    async def _keep_in_step(self) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < self._asked_at + IDLE_S:
            with suppress(StoreUnreachable):
                await self.sync()
            await asyncio.sleep(POLL_S)


async def purge_questions(client: RedisClient, *, user: str | None, endpoint: str | None) -> int:
    """Forgets what this user (a `user_key`) asked at this endpoint, and what the user's questions taught, in Redis and
    at every worker; None: any. Returns how many questions. Raises StoreUnreachable."""
    ended, checked = int(user is None and endpoint is None), ["", ""]
    while checked:
        checked = await client.run("forget_check_results", user or "", ended, PURGE_BATCH, *checked)
    criteria = (int(user is not None), user or "", int(endpoint is not None), endpoint_name(endpoint or ""))
    forgotten, skipped, more = 0, 0, True
    while more:
        now, passed, more = await client.run("semantic_purge", *criteria, skipped, PURGE_BATCH)
        forgotten, skipped = forgotten + now, skipped + passed
    return forgotten


def _pack(entry: SemanticEntry) -> bytes:
    return _HEAD.pack(entry.scope, len(entry.vector)) + entry.vector + entry.question.encode("utf-8", "surrogatepass")
