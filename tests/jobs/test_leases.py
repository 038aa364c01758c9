"""The leases of running jobs: renewed at each beat, and the task stopped of a job that is cancelled or lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from turnout.jobs.leases import BEAT_S, IDLE_BEATS, LEASE_S, JobLeases
from turnout.ports.jobs import Job, JobQueue, JobsUnavailable
from turnout.testing import ManualClock

JOB = Job(
    id="job_1",
    kind="chat",
    user="ann",
    endpoint="/x",
    priority=4,
    spec=b"{}",
    secret="",
    digest="",
    webhook_url="",
    status="running",
    created=0.0,
    since=0.0,
    token="t",
)


class _Store:
    """Answers each renewal by `stopped`, or is away; `renewed` holds what it was asked."""

    def __init__(self) -> None:
        self.away = False
        self.stopped: dict[str, str] = {}
        self.renewed: list[Mapping[str, str]] = []

    async def renew(self, worker: str, claims: Mapping[str, str], lease_s: float) -> Mapping[str, str]:
        if self.away:
            raise JobsUnavailable("away")
        self.renewed.append(claims)
        return self.stopped


Beats = Callable[[int], Awaitable[None]]


def run(scenario: Callable[[_Store, JobLeases, asyncio.Task[Any], Beats], Awaitable[None]]) -> None:
    """Runs a scenario with one job whose task never ends by itself."""

    async def main() -> None:
        clock, store = ManualClock(), _Store()
        leases = JobLeases(cast(JobQueue, store), clock, "w")
        task = asyncio.create_task(asyncio.sleep(3600))
        keeping = asyncio.create_task(leases.keep())

        async def beats(count: int) -> None:
            for _ in range(count):
                await clock.advance(BEAT_S)
                await asyncio.sleep(0)

        await asyncio.sleep(0)
        leases.add(JOB, task)
        await scenario(store, leases, task, beats)
        for one in (task, keeping):
            one.cancel()
        await asyncio.wait([task, keeping])

    asyncio.run(main())


def test_a_job_is_stopped_for_what_the_store_says() -> None:
    """And why is known to what runs it."""

    async def scenario(store: _Store, leases: JobLeases, task: asyncio.Task[Any], beats: Beats) -> None:
        await beats(2)
        assert store.renewed[-1] == {JOB.id: "t"}
        assert not task.cancelling()
        store.stopped = {JOB.id: "cancelled"}
        await beats(1)
        assert task.cancelling() or task.cancelled()
        assert leases.why_stopped(JOB) == "cancelled"

    run(scenario)


def test_a_store_that_is_away_longer_than_a_lease_loses_the_jobs() -> None:
    """Another worker may have them by then; a moment is no loss."""

    async def scenario(store: _Store, leases: JobLeases, task: asyncio.Task[Any], beats: Beats) -> None:
        await beats(1)
        store.away = True
        await beats(int(LEASE_S / BEAT_S))
        assert leases.why_stopped(JOB) == ""
        await beats(2)
        assert leases.why_stopped(JOB) == "lost"
        assert task.cancelling() or task.cancelled()

    run(scenario)


def test_a_job_that_ends_is_not_stopped() -> None:
    """Its answer is paid for: whether it still counts, its token decides."""

    async def scenario(store: _Store, leases: JobLeases, task: asyncio.Task[Any], beats: Beats) -> None:
        leases.let_end(JOB)
        store.stopped = {JOB.id: "lost"}
        await beats(2)
        assert not task.cancelling()
        leases.remove(JOB)
        assert len(leases) == 0

    run(scenario)


def test_a_worker_without_jobs_says_seldom_that_it_lives() -> None:
    """Once in so many beats."""

    async def scenario(store: _Store, leases: JobLeases, task: asyncio.Task[Any], beats: Beats) -> None:
        leases.remove(JOB)
        before = len(store.renewed)
        await beats(3 * IDLE_BEATS)
        assert len(store.renewed) - before in (2, 3)

    run(scenario)
