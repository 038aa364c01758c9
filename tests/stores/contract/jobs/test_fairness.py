"""Who has few jobs is not made to wait by who has many: by counts, whoever works and whatever else waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.stores.contract.jobs.conftest import DONE, KINDS, JobBench, Run, claimed, new
from turnout.clock import SystemClock
from turnout.jobs.feed import JobFeed
from turnout.jobs.worker import Emit, JobWorker
from turnout.ports.jobs import AcceptedJob, Job, JobEnd, Jobs, QueueBounds

MANY, FEW = 120, 10
BOUNDS = QueueBounds(max_length=1000, max_per_user=1000, ttl_s=100)
# How many jobs run at once.
ROOM = 4


async def submit(jobs: Jobs, user: str, count: int, *, priority: int = 4, endpoints: int = 1) -> None:
    """So many jobs of this user, from so many endpoints."""
    for number in range(count):
        job = new(user, priority=priority, endpoint=f"/{number % endpoints}")
        assert isinstance(await jobs.submit(job, BOUNDS), AcceptedJob)


def before_the_last(user: str, order: list[str]) -> int:
    """How many jobs of others come before the last one of this user."""
    last = max(at for at, of in enumerate(order) if of == user)
    return last + 1 - order.count(user)


async def claim_all(jobs: Jobs, end: Callable[[Job], Awaitable[bool]]) -> list[Job]:
    """What is claimed, in its order, by one who has ROOM places and ends the oldest to make room."""
    order: list[Job] = []
    running: list[Job] = []
    while True:
        job = await jobs.claim(KINDS, concurrency=ROOM, lease_s=1000)
        if job is None:
            if not running:
                return order
            assert await end(running.pop(0))
            continue
        order.append(job)
        running.append(job)


@pytest.mark.parametrize("endpoints", [1, 5])
def test_a_users_few_jobs_wait_for_no_more_of_anothers_than_they_are(run: Run, endpoints: int) -> None:
    """However many the other one has, all of them submitted before, and from however many endpoints."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        await submit(jobs, "ann", MANY, endpoints=endpoints)
        begun = [await claimed(jobs) for _ in range(ROOM)]
        await submit(jobs, "bob", FEW)
        for job in begun:
            assert await jobs.finish(job.id, job.token, DONE, 100)
        order = await claim_all(jobs, lambda job: jobs.finish(job.id, job.token, DONE, 100))
        users = [job.user for job in order]
        assert len(users) == MANY - ROOM + FEW
        assert before_the_last("bob", users) <= FEW

    run(scenario)


def test_users_take_turns_within_each_priority(run: Run) -> None:
    """All of a higher one go first, whoever's they are; within each nobody's few wait for another's many."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        for priority in (3, 7):
            await submit(jobs, "ann", MANY // 2, priority=priority)
            await submit(jobs, "bob", FEW, priority=priority)
        order = await claim_all(jobs, lambda job: jobs.finish(job.id, job.token, DONE, 100))
        at_once = MANY // 2 + FEW
        assert [job.priority for job in order] == [7] * at_once + [3] * at_once
        for part in (order[:at_once], order[at_once:]):
            assert before_the_last("bob", [job.user for job in part]) <= FEW

    run(scenario)


def test_jobs_that_find_no_room_take_no_more_turns_than_others(run: Run) -> None:
    """Each of a user's many is tried and put back, as at a model that is full: the few of another come in between."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        await submit(jobs, "ann", MANY)
        await submit(jobs, "bob", FEW)

        async def end(job: Job) -> bool:
            if job.user == "ann":
                return await jobs.put_back(job.id, job.token, 1000, failed=False, lane=False)
            return await jobs.finish(job.id, job.token, DONE, 100)

        users = [job.user for job in await claim_all(jobs, end)]
        assert users.count("bob") == FEW
        assert before_the_last("bob", users) <= FEW

    run(scenario)


def test_several_workers_share_one_round(run: Run) -> None:
    """Each of three with its own connection: a user's few wait for as many of another's, and for those that run."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        order: list[str] = []
        over = asyncio.Event()
        few_are_there = asyncio.Event()

        async def run_one(job: Job, emit: Emit) -> JobEnd:
            # Until then no more than ROOM of the many have begun.
            await few_are_there.wait()
            order.append(job.user)
            if len(order) == MANY + FEW:
                over.set()
            return DONE

        stores = [bench.jobs() for _ in range(3)]
        workers = [worker_of(store, run_one) for store in stores]
        await submit(jobs, "ann", MANY)
        for worker in workers:
            worker.start()
        await submit(jobs, "bob", FEW)
        few_are_there.set()
        async with asyncio.timeout(60):
            await over.wait()
        for worker in workers:
            await worker.stop(5)
        for store in stores:
            await store.close()
        assert before_the_last("bob", order) <= FEW + 2 * ROOM

    run(scenario)


def worker_of(store: Jobs, run_one: Callable[[Job, Emit], Awaitable[JobEnd]]) -> JobWorker:
    return JobWorker(
        jobs=store,
        run=run_one,
        clock=SystemClock(),
        feed=JobFeed(),
        concurrency=ROOM,
        ttl_s=100,
        kinds=lambda: KINDS,
        webhooks=None,
    )
