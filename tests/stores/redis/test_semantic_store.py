"""The questions of semantic answers in Redis: every worker's own index holds the same, whatever happened."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import redis

from tests.support.exact_index import ExactIndex
from tests.support.redis_server import RedisServer
from turnout.errors import StoreUnavailable
from turnout.ports.semantic import SemanticEntry
from turnout.stores.memory.semantic_store import MemorySemanticStore
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.semantic_store import RedisSemanticStore

SCOPE, OTHER_SCOPE = b"s" * 16, b"t" * 16
RNG = np.random.default_rng(3)


def entry(number: int, **fields: Any) -> SemanticEntry:
    row = RNG.normal(size=8)
    whole = {
        "key": number.to_bytes(16, "big"),
        "scope": SCOPE,
        "question": f"question {number} \u00e9",
        "vector": (row / np.linalg.norm(row)).astype("<f4").tobytes(),
        "fresh_until": time.time() + 1000,
        "user": "user:ann",
        "endpoint": "/ask",
        **fields,
    }
    return SemanticEntry(**whole)


class Bench:
    """Workers that share a Redis."""

    def __init__(self, url: str, max_entries: int = 1000, index_entries: int = 1000) -> None:
        self.url = url
        self.prefix = f"s-{secrets.token_hex(6)}"
        self.max_entries = max_entries
        self.index_entries = index_entries
        self.redis = redis.Redis.from_url(url)
        self._open: list[tuple[RedisClient, RedisSemanticStore]] = []

    def worker(self) -> RedisSemanticStore:
        """One that has just started."""
        client = RedisClient(url=self.url, prefix=self.prefix, timeout_s=5.0)
        store = RedisSemanticStore(
            client,
            # Every other one has a graph of nearly all that it holds.
            index=partial(
                MemorySemanticStore,
                max_entries=self.index_entries,
                graph_above=8 if len(self._open) % 2 else 10_000,
                graphs=len(self._open) % 2 == 1,
            ),
            max_entries=self.max_entries,
            wall=time.time,
        )
        self._open.append((client, store))
        return store

    async def close(self) -> None:
        for client, store in self._open:
            await store.close()
            await client.close()
        self.redis.close()


Scenario = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def run(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr("usearch.index.Index", ExactIndex)

    def run(scenario: Scenario, **bounds: int) -> None:
        async def main() -> None:
            bench = Bench(redis_server.url, **bounds)
            try:
                await scenario(bench)
            finally:
                await bench.close()
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())

    return run


def held(store: RedisSemanticStore) -> dict[int, tuple[Any, ...]]:
    """What a worker's own index holds, by number, without the moment of its end."""
    index = store._index
    assert isinstance(index, MemorySemanticStore)
    return {
        int.from_bytes(each.key, "big"): (each.scope, each.question, each.vector, each.user, each.endpoint)
        for each in index.entries
    }


async def agreed(*workers: RedisSemanticStore) -> set[int]:
    """The numbers that all of them hold, each with the same contents; they find the same."""
    for worker in workers:
        await worker.sync()
    first, now = held(workers[0]), time.time()
    asked = [entry(0).vector for _ in range(5)]
    nearest = [[n.entry.key for n in await workers[0].nearest(SCOPE, vector, 5, now)] for vector in asked]
    for worker in workers[1:]:
        assert held(worker) == first
        assert [[n.entry.key for n in await worker.nearest(SCOPE, vector, 5, now)] for vector in asked] == nearest
    return set(first)


def test_two_workers_agree_through_adds_replacements_and_removals(run: Callable[..., None]) -> None:
    """500 steps by chance at either of them; a third one, which starts afterwards, holds the same."""

    async def scenario(bench: Bench) -> None:
        workers, expected = [bench.worker(), bench.worker()], {100}
        await workers[0].add(entry(100))
        await agreed(*workers)
        for step in range(500):
            worker, number = workers[int(RNG.integers(2))], int(RNG.integers(60))
            if step % 3 == 2:
                assert await worker.remove(number.to_bytes(16, "big")) == (number in expected)
                expected.discard(number)
            else:
                await worker.add(entry(number, scope=SCOPE if number % 2 else OTHER_SCOPE))
                expected.add(number)
            if step % 50 == 0:
                await workers[0].sync()
        assert await agreed(*workers, bench.worker()) == expected

    run(scenario)


def test_a_worker_that_starts_finds_what_was_there_nearest_first(run: Callable[..., None]) -> None:
    """The same neighbours with the same cosines as at the worker that added them, by their own clocks."""

    async def scenario(bench: Bench) -> None:
        first = bench.worker()
        for number in range(100):
            await first.add(entry(number))
        second, asked = bench.worker(), entry(7).vector
        await agreed(first, second)
        now = time.time()
        one, two = [await worker.nearest(SCOPE, asked, 5, now) for worker in (first, second)]
        assert [(n.entry.key, n.similarity) for n in one] == [(n.entry.key, n.similarity) for n in two]
        assert len(one) == 5
        assert await second.nearest(SCOPE, asked, 5, now + 1001) == []

    run(scenario)


@pytest.mark.parametrize(
    ("which", "left"),
    [
        ({"user": "user:ann"}, {1, 3}),
        ({"endpoint": "/ask"}, {2, 3}),
        ({"user": "user:ann", "endpoint": "/ask"}, {1, 2, 3}),
        ({}, set()),
    ],
)
def test_a_purge_reaches_every_worker(run: Callable[..., None], which: dict[str, str], left: set[int]) -> None:
    """By user, endpoint, both or all; nothing of what is purged stays in Redis, the stream included."""

    async def scenario(bench: Bench) -> None:
        workers = [bench.worker(), bench.worker()]
        await workers[0].add(entry(0, question="a secret"))
        await workers[1].add(entry(1, user="user:bob"))
        await workers[0].add(entry(2, endpoint="/other"))
        await workers[0].add(entry(3, user="user:bob", endpoint="/other"))
        await agreed(*workers)
        assert await workers[1].purge(**which) == 4 - len(left)
        assert await agreed(*workers, bench.worker()) == left
        dumped = b"".join(bench.redis.dump(name) or b"" for name in bench.redis.scan_iter(f"{{{bench.prefix}}}*"))
        assert b"a secret" not in dumped

    run(scenario)


def test_what_has_expired_is_in_no_index_that_is_loaded(run: Callable[..., None]) -> None:
    """Redis drops it by itself; workers that hold it do not serve it; what has ended already is not added."""

    async def scenario(bench: Bench) -> None:
        worker = bench.worker()
        await worker.add(entry(1, fresh_until=time.time() - 1))
        await worker.add(entry(2))
        await worker.add(entry(3))
        bench.redis.pexpire(f"{{{bench.prefix}}}:s:".encode() + (3).to_bytes(16, "big"), 0)
        assert await agreed(bench.worker(), bench.worker()) == {2}
        assert await agreed(worker) >= {2}

    run(scenario)


def test_all_workers_together_keep_so_many(run: Callable[..., None]) -> None:
    """Those that end first go, everywhere."""

    async def scenario(bench: Bench) -> None:
        workers, end = [bench.worker(), bench.worker()], time.time() + 100
        await workers[0].add(entry(100, fresh_until=end - 1))
        await agreed(*workers)
        for number in range(25):
            await workers[number % 2].add(entry(number, fresh_until=end + number))
        assert await agreed(*workers, bench.worker()) == set(range(15, 25))

    run(scenario, max_entries=10)


def test_indexes_with_less_room_keep_the_same(run: Callable[..., None]) -> None:
    """The newest: a worker that has just started and one that saw them come."""

    async def scenario(bench: Bench) -> None:
        worker, end = bench.worker(), time.time() + 100
        await worker.add(entry(100, fresh_until=end - 1))
        await agreed(worker)
        for number in range(400):
            await worker.add(entry(number, fresh_until=end + number))
        assert await agreed(worker, bench.worker()) == set(range(390, 400))

    run(scenario, index_entries=10)


def test_a_worker_that_missed_events_loads_everything(run: Callable[..., None]) -> None:
    """Because the stream keeps so many alone, or because Redis was emptied or lost the stream."""

    async def scenario(bench: Bench) -> None:
        writer, late = bench.worker(), bench.worker()
        await writer.add(entry(1))
        await agreed(writer, late)
        stream = f"{{{bench.prefix}}}:sv"
        for number in range(2, 6):
            await writer.add(entry(number))
        await writer.remove((1).to_bytes(16, "big"))
        bench.redis.xtrim(stream, maxlen=1, approximate=False)
        assert await agreed(late, writer) == {2, 3, 4, 5}
        bench.redis.delete(stream)
        await writer.add(entry(6))
        assert await agreed(late, writer) == {2, 3, 4, 5, 6}
        for name in bench.redis.scan_iter(f"{{{bench.prefix}}}*"):
            bench.redis.delete(name)
        assert await agreed(late, writer) == set()
        await writer.add(entry(7))
        assert await agreed(late, writer, bench.worker()) == {7}

    run(scenario)


def test_a_question_sets_the_index_to_following(run: Callable[..., None]) -> None:
    """What another worker adds is found without a word to Redis on the way; nothing is followed before."""

    async def scenario(bench: Bench) -> None:
        writer, reader = bench.worker(), bench.worker()
        await writer.add(entry(1))
        assert await reader.nearest(SCOPE, entry(1).vector, 1, time.time()) == ()
        async with asyncio.timeout(10):
            while not await reader.nearest(SCOPE, entry(1).vector, 1, time.time()):
                await asyncio.to_thread(os.sched_yield)

    run(scenario)


def test_without_redis_nothing_is_added_and_a_purge_says_so() -> None:
    """Kept in one process alone, a question would outlive a purge by another."""

    async def main() -> None:
        bench = Bench("redis://127.0.0.1:1/0")
        worker = bench.worker()
        await worker.add(entry(1))
        assert held(worker) == {}
        assert await worker.nearest(SCOPE, entry(1).vector, 1, time.time()) == ()
        with pytest.raises(StoreUnavailable):
            await worker.purge(user="user:ann")
        with pytest.raises(StoreUnavailable):
            await worker.remove(b"k" * 16)
        await bench.close()

    asyncio.run(main())
