"""Every test of this folder runs on each store of jobs. `run(scenario)` gives it the store and moves its time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.stores.contract.conftest import STILL_CLOCK, RedisBench
from turnout.ports.jobs import AcceptedJob, Job, JobEnd, Jobs, NewJob, QueueBounds
from turnout.stores.redis.jobs import RedisJobs
from turnout.stores.sqlite.jobs import SqliteJobs
from turnout.testing import ManualClock

BOUNDS = QueueBounds(max_length=20, max_per_user=15, ttl_s=100.0)
KINDS = frozenset({"chat"})
DONE = JobEnd(status="done", result=b'{"answer": 4}', head=b'{"status": 200, "headers": []}')


class JobBench(Protocol):
    """A store of jobs under test."""

    def jobs(self) -> Jobs: ...

    async def pass_time(self, seconds: float) -> None: ...


class SqliteBench:
    def __init__(self, folder: Path) -> None:
        self._clock = ManualClock()
        self._path = str(folder / "jobs.sqlite")

    def jobs(self) -> Jobs:
        return SqliteJobs(self._path, self._clock)

    async def pass_time(self, seconds: float) -> None:
        await self._clock.advance(seconds)


class RedisJobsBench:
    def __init__(self, bench: RedisBench) -> None:
        self._bench = bench

    def jobs(self) -> Jobs:
        return RedisJobs(self._bench.client())

    async def pass_time(self, seconds: float) -> None:
        await self._bench.pass_time(seconds)


@pytest.fixture(params=["sqlite", "redis"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobBench]:
    """The store under test, empty."""
    if request.param == "sqlite":
        yield SqliteBench(tmp_path)
        return
    # A busy machine does not let a lease end.
    redis = RedisBench(request.getfixturevalue("redis_server"), STILL_CLOCK)
    yield RedisJobsBench(redis)
    redis.close()


Run = Callable[[Callable[[JobBench, Jobs], Awaitable[None]]], None]


@pytest.fixture
def run(bench: JobBench) -> Run:
    """Runs a scenario on this store, closed at the end."""

    def run(scenario: Callable[[JobBench, Jobs], Awaitable[None]]) -> None:
        async def main() -> None:
            jobs = bench.jobs()
            try:
                await scenario(bench, jobs)
            finally:
                await jobs.close()

        asyncio.run(main())

    return run


def new(user: str = "ann", *, endpoint: str = "/a", priority: int = 4, **more: Any) -> NewJob:
    return NewJob(
        id=f"job_{secrets.token_hex(8)}",
        kind=more.pop("kind", "chat"),
        user=user,
        endpoint=endpoint,
        priority=priority,
        spec=more.pop("spec", b'{"body": "\xc3\xa4"}'),
        **more,
    )


async def submitted(jobs: Jobs, user: str = "ann", **more: Any) -> Job:
    submission = await jobs.submit(new(user, **more), BOUNDS)
    assert isinstance(submission, AcceptedJob)
    return submission.job


async def claimed(jobs: Jobs, concurrency: int = 100) -> Job:
    job = await jobs.claim(KINDS, concurrency=concurrency, lease_s=5)
    assert job is not None
    return job
