"""The rounds of the lanes in Redis: one for each kind of jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis

from tests.stores.contract.conftest import STILL_CLOCK, RedisBench
from tests.stores.contract.jobs.conftest import KINDS, new, submitted
from tests.support.redis_server import RedisServer
from turnout.ports.jobs import QueueBounds
from turnout.stores.redis.jobs import RedisJobs

BOTH = frozenset({"chat", "http"})
MANY = QueueBounds(max_length=1000, max_per_user=9, ttl_s=100.0)


@asynccontextmanager
async def opened(server: RedisServer) -> AsyncIterator[tuple[RedisJobs, str]]:
    """A store of jobs, and what its keys begin with."""
    bench = RedisBench(server, STILL_CLOCK)
    jobs = RedisJobs(bench.client())
    try:
        yield jobs, f"{{{bench.prefix}}}:j:"
    finally:
        await jobs.close()
        bench.close()


def commands(client: redis.Redis) -> int:
    """How many commands Redis has run, those of scripts among them."""
    return sum(stats["calls"] for stats in client.info("commandstats").values())


def test_a_claim_passes_over_no_lane_that_its_worker_cannot_do(redis_server: RedisServer) -> None:
    """However many users' replays wait, a worker without the app looks at none of them."""

    async def scenario() -> None:
        async with opened(redis_server) as (jobs, _):
            with redis.Redis.from_url(redis_server.url) as client:
                costs = []
                for users in (range(1), range(1, 150)):
                    await asyncio.gather(*(jobs.submit(new(f"user-{user}", kind="http"), MANY) for user in users))
                    before = commands(client)
                    assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
                    costs.append(commands(client) - before)
            assert costs[0] == costs[1]

    asyncio.run(scenario())


def test_lanes_that_a_version_of_before_opened_are_found(redis_server: RedisServer) -> None:
    """It kept all kinds in one round: each has its turn as it would have had there."""

    async def scenario() -> None:
        async with opened(redis_server) as (jobs, root):
            ids = [(await submitted(jobs, user, kind=kind)).id for user, kind in (("ann", "http"), ("bob", "chat"))]
            with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
                client.zunionstore(f"{root}lanes:4", [f"{root}lanes:4", f"{root}lanes:4:http"])
                client.delete(f"{root}lanes:4:http")
            claims = [await jobs.claim(kinds, concurrency=9, lease_s=5) for kinds in (KINDS, BOTH)]
            assert [job and job.id for job in claims] == ids[::-1]

    asyncio.run(scenario())
