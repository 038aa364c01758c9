"""What checks taught, in Redis: each batch counts once, every worker hears the same, a purge is never undone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from tests.support.redis_server import RedisServer
from turnout.ports.semantic import (
    RESULTS_AT_ONCE,
    CheckBatch,
    ExchangeResult,
    PairResult,
    Purged,
    RatedWrong,
    UninformativeAnswer,
)
from turnout.stores.redis.check_store import RedisCheckStore
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.semantic_store import purge_questions

ANN, BOB = "user:ann", "user:bob"


def pair(number: int, *users: str, **fields: Any) -> PairResult:
    digest = number.to_bytes(16, "big")
    owner, asker = (*users, ANN, ANN)[:2]
    return PairResult(scope=b"s" * 16, known=digest, asked=b"q" * 16, agrees=False, users=(owner, asker), **fields)


class Bench:
    def __init__(self, url: str) -> None:
        self.prefix = f"c-{secrets.token_hex(6)}"
        self.client = RedisClient(url=url, prefix=self.prefix, timeout_s=5.0)
        self.redis = redis.Redis.from_url(url)
        self.store = RedisCheckStore(self.client)
        self.numbers: dict[str, int] = {}

    async def add(
        self,
        worker: str,
        counts: Sequence[int],
        *results: Any,
        since: str = "",
        age_s: float = 0.0,
        again: bool = False,
    ) -> ExchangeResult:
        self.numbers[worker] = self.numbers.get(worker, 0) + (not again)
        batch = CheckBatch(worker=worker, number=self.numbers[worker], begun=0.0, counts=counts, results=results)
        news = await self.store.exchange("n", batch, age_s, since)
        assert news is not None
        return news

    async def read(self, since: str = "") -> ExchangeResult:
        batch = CheckBatch(worker="reader", number=0, begun=0.0, counts=[0, 0])
        news = await self.store.exchange("n", batch, 0.0, since)
        assert news is not None
        return news

    async def purge(self, user: str | None, endpoint: str | None = None) -> None:
        await purge_questions(self.client, user=user, endpoint=endpoint)

    def names(self) -> list[bytes]:
        names = (name.split(b":", 1)[1] for name in self.redis.scan_iter(f"{{{self.prefix}}}*"))
        return sorted(name for name in names if name not in (b"name", b"workers"))

    def ttl_s(self, name: str) -> int:
        ttl: Any = self.redis.ttl(f"{{{self.prefix}}}:{name}")
        return int(ttl)

    def dump(self) -> bytes:
        return b"".join(self.redis.dump(name) or b"" for name in self.redis.scan_iter(f"{{{self.prefix}}}*"))


@pytest.fixture
def run(redis_server: RedisServer) -> Iterator[Callable[[Callable[[Bench], Awaitable[None]]], None]]:
    bench = Bench(redis_server.url)

    def run(scenario: Callable[[Bench], Awaitable[None]]) -> None:
        async def main() -> None:
            await scenario(bench)
            await bench.client.close()

        asyncio.run(main())

    yield run
    bench.redis.close()


def test_a_batch_counts_once_however_often_it_is_sent(run: Callable[..., None]) -> None:
    """Each worker's own; one of nothing leaves no trace and keeps nothing alive."""

    async def scenario(bench: Bench) -> None:
        assert (await bench.read()) == ExchangeResult(sums=[0, 0], results=[], last="", more=False)
        assert bench.names() == []
        result = pair(1, words={"fix": "mend", "really": ""}, refused=("\ud800",), sketch=b"\0\1", answer=b"\xff")
        for again in (False, True, True):
            news = await bench.add("a", [3, 1], result, UninformativeAnswer(b"\n\0"), RatedWrong("r"), again=again)
        assert (news.sums, news.results) == ([3, 1], [result, UninformativeAnswer(b"\n\0"), RatedWrong("r")])
        assert (await bench.add("b", [2, 0])).sums == [5, 1]
        assert bench.names() == [b"sb:a", b"sb:b", b"sc", b"sl"]
        assert max(map(bench.ttl_s, ("sb:a", "sb:b"))) <= 86_400 < 29 * 86_400 < min(map(bench.ttl_s, ("sc", "sl")))
        bench.redis.pexpire(f"{{{bench.prefix}}}:sc", 60_000)
        await bench.read()
        assert bench.ttl_s("sc") <= 60
        assert (await bench.add("a", [1, 1], age_s=86_400)).sums == [5, 1]

    run(scenario)


def test_every_worker_hears_all_in_one_order(run: Callable[..., None]) -> None:
    """So many at once, from where it was."""

    async def scenario(bench: Bench) -> None:
        told = [pair(number) for number in range(2 * RESULTS_AT_ONCE + 3)]
        for number, result in enumerate(told):
            await bench.add("ab"[number % 2], [0, 0], result)
        heard, since, more = [], "", True
        while more:
            news = await bench.read(since)
            assert len(news.results) <= RESULTS_AT_ONCE
            heard, since, more = [*heard, *news.results], news.last, news.more
        assert heard == told
        await bench.add("a", [0, 0], pair(999))
        assert (await bench.read(since)).results == [pair(999)]
        bench.redis.delete(f"{{{bench.prefix}}}:sl")
        await bench.add("a", [0, 0], pair(1000))
        assert (await bench.read(since)).results == [pair(1000)]

    run(scenario)


def test_a_user_is_forgotten_in_redis_and_at_every_worker(run: Callable[..., None]) -> None:
    """Whichever of the two a pair was his; no byte of it stays; sums name nobody, and stay."""

    async def scenario(bench: Bench) -> None:
        secret = {"zanzibar": "quagga"}
        others = [pair(number, BOB, BOB) for number in range(300)]
        for result in (pair(1000, ANN, BOB, words=secret), *others, pair(1001, BOB, ANN, words=secret)):
            news = await bench.add("a", [1, 0], result)
        before = (await bench.read()).last
        while (read := await bench.read(before)).more or read.results:
            before = read.last
        await bench.purge(ANN)
        assert (await bench.read(before)).results == [Purged(ANN)]
        kept, since, more = [], "", True
        while more:
            news = await bench.read(since)
            kept, since, more = [*kept, *news.results], news.last, news.more
        assert kept == [*others, Purged(ANN)]
        assert news.sums == [302, 0]
        assert b"zanzibar" not in bench.dump()
        await bench.add("a", [0, 0], pair(2000, ANN))
        assert (await bench.read(since)).results == []
        await bench.add("a", [0, 0], pair(2001, BOB, BOB), age_s=5)
        assert (await bench.read(since)).results == [pair(2001, BOB, BOB)]

    run(scenario)


@pytest.mark.parametrize(
    ("user", "endpoint", "sums", "left"),
    [(None, None, [0, 0], 0), (None, "/ask", [9, 2], 0), (ANN, None, [9, 2], 1), (ANN, "/ask", [9, 2], 1)],
)
def test_what_was_checked_before_a_purge_and_is_sent_after_it_stays_forgotten(
    run: Callable[..., None], user: str | None, endpoint: str | None, sums: list[int], left: int
) -> None:
    """By a worker that has not heard of it yet. What was checked afterwards counts."""

    async def scenario(bench: Bench) -> None:
        await bench.add("a", [4, 1], pair(1, ANN))
        await bench.purge(user, endpoint)
        await bench.add("b", [5, 1], pair(2, ANN), pair(3, BOB, BOB), age_s=2.0)
        news = await bench.read()
        assert (news.sums, len(news.results)) == (sums, 1 + left)
        await asyncio.to_thread(bench.redis.delete, *bench.redis.keys(f"{{{bench.prefix}}}:sf:*"))
        await bench.add("c", [1, 0], pair(4, ANN))
        assert (await bench.read()).results[-1] == pair(4, ANN)

    run(scenario)


def test_without_redis_nothing_is_exchanged() -> None:
    """And nobody is told otherwise."""

    async def main() -> None:
        bench = Bench("redis://127.0.0.1:1/0")
        batch = CheckBatch(worker="w", number=1, begun=0.0, counts=[1, 0])
        assert await bench.store.exchange("n", batch, 0.0, "") is None
        await bench.client.close()
        bench.redis.close()

    asyncio.run(main())
