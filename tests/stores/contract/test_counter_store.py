"""What every CounterStore promises, in memory and in Redis."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.redis_server import RedisServer
from turnout.ports.counting import (
    MINUTE_S,
    MOST_ANSWERS,
    MOST_DECISIONS,
    MOST_SERIES,
    MOST_SPENDERS,
    TEN_MINUTES_S,
    TOTALS,
    CounterStore,
    Increments,
    RememberedAnswer,
)
from turnout.stores.memory.counter_store import MemoryCounterStore
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.counter_store import MOST_OWED, RedisCounterStore
from turnout.testing import ManualClock

T0 = 1_700_000_400
Scenario = Callable[[CounterStore], Awaitable[None]]


@pytest.fixture(params=["memory", "redis"])
def run(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Runs a scenario on a store of each kind."""

    def run(scenario: Scenario) -> None:
        async def main() -> None:
            clock = ManualClock(T0)
            if request.param == "memory":
                await scenario(MemoryCounterStore(clock=clock))
                return
            server: RedisServer = request.getfixturevalue("redis_server")
            client = RedisClient(url=server.url, prefix=f"count{request.node.name}"[:40].replace("[", "."), timeout_s=2)
            try:
                await scenario(RedisCounterStore(client, clock=clock))
            finally:
                await client.close()

        asyncio.run(main())

    return run


def counted(minute: int, **series: int) -> Increments:
    return Increments(series={minute: dict(series)})


async def sums(store: CounterStore, step_s: int, start: int = T0 - 7200, end: int = T0 + 7200) -> dict[int, Any]:
    return {bucket.start: dict(bucket.series) for bucket in await store.read(start, end, step_s)}


def test_counts_add_up_by_the_minute_by_ten_and_in_all(run: Any) -> None:
    """Amounts may be large, and may be negative."""

    async def scenario(store: CounterStore) -> None:
        assert await store.add(counted(T0, a=1, usd=2**52))
        assert await store.add(counted(T0, a=2))
        assert await store.add(counted(T0 + 60, a=-4))
        assert await sums(store, MINUTE_S) == {T0: {"a": 3, "usd": 2**52}, T0 + 60: {"a": -4}}
        assert await sums(store, TEN_MINUTES_S) == {T0 - T0 % 600: {"a": -1, "usd": 2**52}}
        (totals,) = await store.read(0, 0, TOTALS)
        assert (totals.series["a"], totals.series["usd"], totals.series["since"]) == (-1, 2**52, T0)

    run(scenario)


def test_a_bucket_is_read_where_it_begins(run: Any) -> None:
    """The end is not part of it."""

    async def scenario(store: CounterStore) -> None:
        for minute in range(5):
            await store.add(counted(T0 + 60 * minute, a=1))
        assert list(await sums(store, MINUTE_S, T0 + 60, T0 + 180)) == [T0 + 60, T0 + 120]

    run(scenario)


def test_series_beyond_the_bound_are_one_a_metric(run: Any) -> None:
    """Their sum stays right."""

    async def scenario(store: CounterStore) -> None:
        names = [f"requests\x1f/{number}\x1fcheap" for number in range(MOST_SERIES + 50)]
        for some in (names[:200], names[200:]):
            await store.add(Increments(series={T0: dict.fromkeys(some, 1)}))
        (bucket,) = (await sums(store, MINUTE_S)).values()
        assert len(bucket) <= MOST_SERIES + 1
        assert sum(bucket.values()) == MOST_SERIES + 50
        assert bucket["requests\x1f*"] == 50

    run(scenario)


def test_spenders_and_decisions_are_the_most_and_the_last(run: Any) -> None:
    """Of each bucket those that spent most; two hundred decisions, the newest first."""

    async def scenario(store: CounterStore) -> None:
        start = T0 - T0 % 600
        increments = Increments(spenders={start: {f"u{number}": 1000 + number for number in range(MOST_SPENDERS + 20)}})
        increments.decisions.extend(f'{{"id":{number}}}'.encode() for number in range(MOST_DECISIONS))
        await store.add(increments)
        later = Increments(spenders={start: {f"u{MOST_SPENDERS + 19}": 5}})
        later.decisions.append(b'{"id":"\xc3\xa4"}')
        await store.add(later)
        spenders, decisions = await store.rest(start, start + 600)
        assert len(spenders) == MOST_SPENDERS
        assert spenders[f"u{MOST_SPENDERS + 19}"] == 1000 + MOST_SPENDERS + 24
        assert "u0" not in spenders
        assert len(decisions) == MOST_DECISIONS
        assert decisions[0] == b'{"id":"\xc3\xa4"}'

    run(scenario)


def test_answers_are_remembered_and_forgotten_with_their_user(run: Any) -> None:
    """The user leaves the spenders and the last decisions too, by either name."""

    async def scenario(store: CounterStore) -> None:
        start = T0 - T0 % 600
        ann = RememberedAnswer(at=T0, user="user:ann", endpoint="/x", tier="cheap", cache="hit", cache_key=b"\x00\xff")
        bob = RememberedAnswer(at=T0, user="user:bob")
        answers = {"r1": ann.pack(), "r2": bob.pack(), "r3": ann.pack()}
        decisions = deque([b'{"user":"ann","n":1}', b'{"user":"user:bob","n":2}', b'{"user":"user:ann","n":3}'])
        spenders = {start: {"ann": 1, "user:bob": 2}}
        await store.add(Increments(answers=answers, spenders=spenders, decisions=decisions))
        assert await store.find_answer("r1") == ann
        assert await store.find_answer("r9") is None
        await store.forget("user:ann", "ann")
        assert [await store.find_answer(name) for name in ("r1", "r2", "r3")] == [None, bob, None]
        assert await store.rest(start, start + 600) == ({"user:bob": 2}, [b'{"user":"user:bob","n":2}'])

    run(scenario)


def test_an_answer_of_yesterday_is_forgotten(run: Any) -> None:
    """After 24 hours."""

    async def scenario(store: CounterStore) -> None:
        old = RememberedAnswer(at=T0 - 86_401, user="user:ann")
        await store.add(Increments(answers={"r1": old.pack()}))
        assert await store.find_answer("r1") is None

    run(scenario)


def test_of_the_answers_the_last_are_kept(run: Any) -> None:
    """As many as the bound says."""

    async def scenario(store: CounterStore) -> None:
        packed = RememberedAnswer(at=T0, user="user:ann").pack()
        for start in (0, MOST_ANSWERS // 2, MOST_ANSWERS):
            await store.add(Increments(answers={f"r{start + n}": packed for n in range(MOST_ANSWERS // 2)}))
        assert await store.find_answer("r0") is None
        assert await store.find_answer(f"r{MOST_ANSWERS // 2}") is not None

    run(scenario)


def test_what_redis_never_got_is_sent_when_it_is_back_and_counts_once() -> None:
    """Also where only the reply was lost."""

    async def scenario() -> None:
        server = RedisServer()
        client = RedisClient(url=server.url, prefix="once", timeout_s=0.3)
        store = RedisCounterStore(client, clock=ManualClock(T0))
        assert await store.add(counted(T0, a=1))
        owed = ("same", '{"series":{"1700000400":{"a":"10"}},"spenders":{},"decisions":[],"answers":[],"now":"1"}')
        for _ in range(2):
            store._owed.append(owed)
            assert await store.add(Increments())
        server.kill()
        assert await store.add(counted(T0, a=100))
        assert not store.reachable
        assert await store.read(T0, T0 + 60, MINUTE_S) == []
        server.start()
        assert await store.add(counted(T0, a=1000))
        assert store.reachable
        assert (await sums(store, MINUTE_S))[T0] == {"a": 1100}
        await client.close()
        server.kill()

    asyncio.run(scenario())


def test_what_is_owed_to_a_redis_that_is_away_is_bounded() -> None:
    """Beyond it the store takes nothing more, and says so: whoever counts goes on adding up."""

    async def scenario() -> None:
        client = RedisClient(url="redis://127.0.0.1:1/0", prefix="owed", timeout_s=0.05)
        store = RedisCounterStore(client, clock=ManualClock(T0))
        taken = [await store.add(counted(T0, a=1)) for _ in range(MOST_OWED + 50)]
        assert len(store._owed) == MOST_OWED + 1
        assert taken.count(False) == 49
        await client.close()

    asyncio.run(scenario())
