"""What stays in Redis is weighed or ends by itself: long names, claims, and a key of another type."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from tests.stores.contract.conftest import MAX_BYTES, RedisBench
from tests.support.redis_server import RedisServer
from turnout.ports.admission import Ask, Lead, NewEntry, Settlement
from turnout.ports.limits import RateClaim
from turnout.stores.redis.circuit_store import MAX_CLAIMS, RedisCircuitStore
from turnout.stores.redis.connection import RequestRejected


def test_long_users_and_endpoints_are_weighed(redis_server: RedisServer) -> None:
    """Sixty answers of a few bytes with names of 5 KB: Redis takes no more than the bound, and purging finds them."""

    async def scenario() -> None:
        bench, names = RedisBench(redis_server), redis.Redis.from_url(redis_server.url)
        gate = bench.gate()
        for number in range(60):
            key, endpoint = b"%016d" % number, f"/item/{number}" + "a" * 5000
            verdict = (await gate.enter(Ask(key=key))).verdict
            assert isinstance(verdict, Lead)
            store = NewEntry(packed=b"x", ttl_s=60, stale_s=0, user=f"user:{number}" + "b" * 5000, endpoint=endpoint)
            await gate.leave(Settlement(key=key, lease=verdict.lease, store=store))
        taken: Any = sum(int(str(names.memory_usage(name))) for name in names.scan_iter(f"{{{bench.prefix}}}:*"))
        assert 0 < taken < 1.5 * MAX_BYTES
        weighed = names.get(f"{{{bench.prefix}}}:bytes")
        assert await gate.purge(endpoint="/item/59" + "a" * 5000) == 1
        assert await gate.purge() > 0
        assert weighed is not None
        assert names.get(f"{{{bench.prefix}}}:bytes") == b"0"
        await gate.close()
        bench.close()
        names.close()

    asyncio.run(scenario())


def test_a_claim_ends_with_its_time(redis_server: RedisServer) -> None:
    """An alert's claim is never released: Redis forgets it, and this process keeps a bounded number."""

    async def scenario() -> None:
        bench, names = RedisBench(redis_server), redis.Redis.from_url(redis_server.url)
        client = bench.client()
        store = RedisCircuitStore(client)
        for number in range(MAX_CLAIMS + 100):
            assert await store.claim(f"alert:{number}", 0.5)
        assert len(store._claims) == MAX_CLAIMS
        claims = list(names.scan_iter(f"{{{bench.prefix}}}:c:*"))
        assert all(names.pttl(name) != -1 for name in names.scan_iter(f"{{{bench.prefix}}}:c:*"))
        assert all(int(str(names.pttl(name))) <= 500 for name in claims)
        assert not names.exists(f"{{{bench.prefix}}}:probes")
        await client.close()
        bench.close()
        names.close()

    asyncio.run(scenario())


def test_a_key_of_another_type_is_one_requests_error(redis_server: RedisServer) -> None:
    """The others go on."""

    async def scenario() -> None:
        bench, names = RedisBench(redis_server), redis.Redis.from_url(redis_server.url)
        gate = bench.gate()
        names.set(f"{{{bench.prefix}}}:q:60:carl", "a string")
        with pytest.raises(RequestRejected):
            await gate.enter(Ask(rates=(RateClaim(policy="user", key="carl", limit=9, window_s=60),)))
        bob = RateClaim(policy="user", key="bob", limit=9, window_s=60)
        assert isinstance((await gate.enter(Ask(rates=(bob,)))).verdict, Lead)
        await gate.close()
        bench.close()
        names.close()

    asyncio.run(scenario())
