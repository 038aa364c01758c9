"""A lane whose user has no room: it waits for its time, whatever happens to it, and nobody else waits for it."""

from __future__ import annotations

from tests.stores.contract.jobs.conftest import BOUNDS, DONE, KINDS, JobBench, Run, claimed, submitted
from turnout.ports.jobs import Job, Jobs


async def held(jobs: Jobs, seconds: float, user: str = "ann") -> Job:
    """The user's next job, put back with its lane for so long."""
    job = await claimed(jobs)
    assert job.user == user
    assert await jobs.put_back(job.id, job.token, seconds, failed=False, lane=True)
    return job


async def nothing_is_claimed(jobs: Jobs) -> bool:
    return await jobs.claim(KINDS, concurrency=100, lease_s=5) is None


def test_a_held_lane_waits_for_its_time_whatever_is_submitted_to_it(run: Run) -> None:
    """What comes meanwhile would be refused as the rest is: it is not tried, and then has its place behind it."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        first, second = await submitted(jobs), await submitted(jobs)
        await held(jobs, 10)
        third = await submitted(jobs)
        assert await nothing_is_claimed(jobs)
        await bench.pass_time(9)
        assert await nothing_is_claimed(jobs)
        await bench.pass_time(1.5)
        assert [(await claimed(jobs)).id for _ in range(3)] == [first.id, second.id, third.id]

    run(scenario)


def test_a_held_lane_waits_for_its_time_whatever_is_put_back_in_it(run: Run) -> None:
    """A job that a stopped worker gives back, one that failed, one that is queued again and one that is cancelled."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        ids = [(await submitted(jobs)).id for _ in range(5)]
        given_back, failed, again = [await claimed(jobs) for _ in range(3)]
        await held(jobs, 10)
        assert await jobs.put_back(given_back.id, given_back.token, 0, failed=False, lane=False)
        assert await jobs.put_back(failed.id, failed.token, 1, failed=True, lane=False)
        assert await jobs.cancel(ids[4], BOUNDS)
        assert await jobs.retry(ids[4])
        assert await jobs.cancel(again.id, BOUNDS)
        assert await nothing_is_claimed(jobs)
        await bench.pass_time(2)
        assert await jobs.renew("w", {again.id: again.token}, 100) == {again.id: "cancelled"}
        assert await nothing_is_claimed(jobs)
        await bench.pass_time(8.5)
        assert [(await claimed(jobs)).id for _ in range(4)] == [ids[0], ids[1], ids[3], ids[4]]

    run(scenario)


def test_no_other_lane_waits_for_a_held_one(run: Run) -> None:
    """Neither another endpoint of its user's, nor another priority, nor another user."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        await submitted(jobs)
        await held(jobs, 10)
        others = [
            await submitted(jobs, endpoint="/b"),
            await submitted(jobs, "bob"),
            await submitted(jobs, priority=3),
        ]
        assert [(await claimed(jobs)).id for _ in others] == [other.id for other in others]
        assert await nothing_is_claimed(jobs)

    run(scenario)


def test_a_lane_whose_time_has_come_takes_its_turn_behind_the_others(run: Run) -> None:
    """As one that is new to the round; several come back in the order of their times."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        for _ in range(2):
            for user in ("ann", "dan", "bob", "cid"):
                await submitted(jobs, user)
        await held(jobs, 10)
        await held(jobs, 9, "dan")
        for user in ("bob", "cid"):
            job = await claimed(jobs)
            assert job.user == user
            assert await jobs.finish(job.id, job.token, DONE, 100)
        await bench.pass_time(10.5)
        assert [(await claimed(jobs)).user for _ in range(6)] == ["bob", "cid", "dan", "ann", "dan", "ann"]

    run(scenario)


def test_a_lane_is_held_for_as_long_as_was_said_last(run: Run) -> None:
    """Two of its jobs that ran at once may be told different times."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        for _ in range(3):
            await submitted(jobs)
        one, two = await claimed(jobs), await claimed(jobs)
        await jobs.put_back(one.id, one.token, 30, failed=False, lane=True)
        await jobs.put_back(two.id, two.token, 5, failed=False, lane=True)
        await bench.pass_time(5.5)
        assert (await claimed(jobs)).id == two.id
        assert await nothing_is_claimed(jobs) is False

    run(scenario)


def test_a_waiting_job_of_a_held_lane_has_a_place_in_line(run: Run) -> None:
    """Behind the user's lanes that take part in the round, and behind all others."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        first = await submitted(jobs)
        await held(jobs, 10)
        for _ in range(3):
            await submitted(jobs, "bob")
        assert (await jobs.state(first.id)).position == 2
        await submitted(jobs, endpoint="/b")
        assert (await jobs.state(first.id)).position == 4

    run(scenario)
