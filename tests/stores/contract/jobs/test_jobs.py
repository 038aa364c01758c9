"""The jobs of each store: accepted, claimed in a fair order, fenced, taken back, ended once, notified, deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.stores.contract.jobs.conftest import (
    BOUNDS,
    DONE,
    KINDS,
    JobBench,
    Run,
    claimed,
    new,
    submitted,
)
from turnout.ports.jobs import LOOK_AHEAD, MAX_DELIVERIES, AcceptedJob, Job, JobEnd, Jobs, QueueBounds


def test_so_many_jobs_call_a_model_at_once(run: Run) -> None:
    """Each holds one place: of the model that it called last, for as long as it runs, its worker's death included."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        for _ in range(4):
            await submitted(jobs)
        first, second, third = [await claimed(jobs) for _ in range(3)]

        async def hold(job: Job, model: str = "m", most: int = 2) -> bool:
            return await jobs.hold(job.id, job.token, model, most)

        assert [await hold(job) for job in (first, second, third, first)] == [True, True, False, True]
        assert await hold(third, "other")
        assert await hold(first, "other")
        assert [await hold(job) for job in (third, first)] == [True, False]
        assert await jobs.finish(third.id, third.token, DONE, 100)
        assert await hold(first)
        assert not await jobs.hold(first.id, "foreign", "m", 9)
        assert await jobs.put_back(second.id, second.token, 0, failed=False, lane=False)
        again = await claimed(jobs)
        assert await hold(again)
        # Both workers die: once their jobs have been taken back, their places are free.
        await bench.pass_time(6)
        taken = [await claimed(jobs) for _ in range(3)]
        assert [await hold(job) for job in taken] == [True, True, False]

    run(scenario)


def test_a_job_is_accepted_claimed_and_ended(run: Run) -> None:
    """Each step is seen by everybody, with its times, and leaves an event in order."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        job = await submitted(jobs, webhook_url="https://a.test/", priority=9)
        assert (job.status, job.priority, job.spec) == ("queued", 9, b'{"body": "\xc3\xa4"}')
        assert (await jobs.state()).waiting == 1
        await bench.pass_time(2)
        running = await claimed(jobs)
        assert (running.id, running.status, running.deliveries) == (job.id, "running", 1)
        assert await jobs.append(job.id, running.token, [b'{"a":1}', b'{"a":2}'])
        await bench.pass_time(3)
        assert await jobs.finish(job.id, running.token, DONE, BOUNDS.ttl_s)
        found = await bench.jobs().find(job.id)
        assert found is not None
        assert (found.status, found.result, found.head) == ("done", DONE.result, DONE.head)
        assert found.started is not None
        assert found.ended is not None
        assert found.ended - found.started == pytest.approx(3, abs=0.5)
        events = await jobs.events(job.id, 0)
        assert [event.number for event in events] == [1, 2, 3, 4, 5]
        assert [event.kind for event in events] == ["status", "status", "chunk", "chunk", "status"]
        assert [event.number for event in await jobs.events(job.id, 3)] == [4, 5]
        assert (await jobs.state()).run_s == pytest.approx(3, abs=0.5)
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None

    run(scenario)


def test_users_take_turns_whatever_they_have_waiting(run: Run) -> None:
    """Round robin over users; several endpoints are no way to more turns."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        for number in range(6):
            await submitted(jobs, "ann", endpoint=f"/{number % 3}")
        for _ in range(2):
            await submitted(jobs, "bob")
        order = [(await claimed(jobs)).user for _ in range(8)]
        assert order == ["ann", "bob", "ann", "bob", "ann", "ann", "ann", "ann"]

    run(scenario)


def test_one_users_endpoints_take_turns(run: Run) -> None:
    """However many jobs wait at another of them."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        for endpoint in "aaabbbc":
            await submitted(jobs, endpoint=endpoint)
        assert [(await claimed(jobs)).endpoint for _ in range(7)] == list("abcabab")

    run(scenario)


def test_the_place_in_line_is_the_jobs_own_and_grows_by_nothing_behind_it(run: Run) -> None:
    """By the fair order: what others submit behind it changes nothing, and each claim brings it nearer."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        async def place(job: Job) -> int:
            return (await jobs.state(job.id)).position

        for _ in range(6):
            await submitted(jobs, "ann")
        first = await jobs.submit(new("bob"), BOUNDS)
        assert isinstance(first, AcceptedJob)
        second = await submitted(jobs, "bob")
        # Users take turns: of the six before it one or two are ahead.
        assert (first.state.position, await place(first.job), await place(second)) == (2, 2, 4)
        for user in ("ann", "bob", "ann", "bob"):
            await submitted(jobs, user)
        assert (await place(first.job), await place(second)) == (2, 4)
        seen = []
        while (await claimed(jobs)).id != second.id:
            seen.append(await place(second))
        assert seen == [3, 2, 1]
        assert (await place(second), (await jobs.state()).position) == (0, 0)

    run(scenario)


def test_the_place_in_line_is_never_better_than_what_comes(run: Run) -> None:
    """Over priorities, users and endpoints mixed: so many claims at most, and fewer after each."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        ids = [
            (await submitted(jobs, f"u{n % 3}", endpoint=f"/{n % 2}", priority=(4, 4, 7)[n // 6])).id for n in range(18)
        ]
        # The turn by which each runs at the latest.
        promised = {job_id: (await jobs.state(job_id)).position for job_id in ids}
        assert max(promised.values()) == 18
        for turn in range(1, 19):
            assert turn <= promised.pop((await claimed(jobs)).id)
            for job_id, latest in promised.items():
                promised[job_id] = turn + (await jobs.state(job_id)).position
                assert turn < promised[job_id] <= latest

    run(scenario)


def test_one_users_jobs_run_in_the_order_they_came(run: Run) -> None:
    """First in, first out within a lane."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        wanted = [(await submitted(jobs)).id for _ in range(5)]
        assert [(await claimed(jobs)).id for _ in range(5)] == wanted

    run(scenario)


def test_a_higher_priority_goes_first(run: Run) -> None:
    """Whoever waits at a lower one."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        for priority in (0, 4, 9, 4):
            await submitted(jobs, priority=priority)
        assert [(await claimed(jobs)).priority for _ in range(4)] == [9, 4, 4, 0]

    run(scenario)


def test_no_more_run_than_the_concurrency_allows(run: Run) -> None:
    """Over all workers together; an ended one makes room."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        for _ in range(4):
            await submitted(jobs)
        first = await claimed(jobs, 2)
        await claimed(jobs, 2)
        other = bench.jobs()
        assert await other.claim(KINDS, concurrency=2, lease_s=5) is None
        await jobs.finish(first.id, first.token, DONE, 100)
        assert await other.claim(KINDS, concurrency=2, lease_s=5) is not None
        await other.close()

    run(scenario)


def test_a_dead_workers_job_runs_again_and_its_late_end_counts_for_nothing(run: Run) -> None:
    """The lease ends, another claims; the first one's token is refused for chunks, end and give-back."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        job = await submitted(jobs)
        first = await claimed(jobs)
        await bench.pass_time(6)
        second = await claimed(jobs)
        assert (second.id, second.deliveries) == (job.id, 2)
        assert not await jobs.append(job.id, first.token, [b"{}"])
        assert not await jobs.finish(job.id, first.token, JobEnd(status="failed"), 100)
        assert not await jobs.put_back(job.id, first.token, 0, failed=True, lane=False)
        assert await jobs.renew("w", {job.id: first.token}, 5) == {job.id: "lost"}
        assert await jobs.renew("w", {job.id: second.token}, 5) == {}
        assert await jobs.finish(job.id, second.token, DONE, 100)
        assert not await jobs.finish(job.id, second.token, DONE, 100)

    run(scenario)


def test_a_renewed_lease_is_kept(run: Run) -> None:
    """However long the job runs."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        await submitted(jobs)
        job = await claimed(jobs)
        for _ in range(3):
            await bench.pass_time(4)
            assert await jobs.renew("w", {job.id: job.token}, 5) == {}
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
        assert (await jobs.state()).workers == 1
        await bench.pass_time(31)
        assert (await jobs.state()).workers == 0

    run(scenario)


def test_a_job_that_takes_every_worker_down_ends_failed(run: Run) -> None:
    """After MAX_DELIVERIES it is not begun again, and says why."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        job = await submitted(jobs)
        for _ in range(MAX_DELIVERIES):
            await claimed(jobs)
            await bench.pass_time(6)
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
        found = await jobs.find(job.id)
        assert found is not None
        assert found.status == "failed"
        assert b"worker_lost" in found.error

    run(scenario)


def test_what_is_put_back_waits_in_its_place(run: Run) -> None:
    """For its time; with its lane where the user is full; a failure counts as an attempt."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        one, two = await submitted(jobs), await submitted(jobs)
        job = await claimed(jobs)
        assert await jobs.put_back(job.id, job.token, 10, failed=True, lane=False)
        assert (await claimed(jobs)).id == two.id
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
        await bench.pass_time(4)
        assert await jobs.renew("w", {two.id: ""}, 5) == {two.id: "lost"}
        await bench.pass_time(6.5)
        order = [await claimed(jobs), await claimed(jobs)]
        assert [job.id for job in order] == [one.id, two.id]
        assert [job.attempts for job in order] == [1, 0]
        await jobs.put_back(one.id, order[0].token, 0, failed=False, lane=False)
        await jobs.put_back(two.id, order[1].token, 10, failed=False, lane=True)
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
        other = await submitted(jobs, "bob")
        assert (await claimed(jobs)).id == other.id
        await bench.pass_time(10.5)
        assert {(await claimed(jobs)).id, (await claimed(jobs)).id} >= {one.id}

    run(scenario)


def test_a_lane_whose_jobs_find_no_room_is_looked_at_no_deeper_than_so_far(run: Run) -> None:
    """However long it is: what is behind waits too, until one of them may be tried again, or is gone."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        bounds = QueueBounds(max_length=1000, max_per_user=1000, ttl_s=100)
        accepted = await asyncio.gather(*(jobs.submit(new(), bounds) for _ in range(LOOK_AHEAD + 20)))
        first = accepted[0]
        assert isinstance(first, AcceptedJob)

        async def looks(least: float) -> int:
            looked = 0
            while job := await jobs.claim(KINDS, concurrency=9, lease_s=5):
                assert await jobs.put_back(job.id, job.token, least, failed=False, lane=False)
                looked += 1
            return looked

        assert await looks(30) == LOOK_AHEAD
        assert isinstance(await jobs.submit(new("bob"), bounds), AcceptedJob)
        other = await claimed(jobs)
        assert other.user == "bob"
        assert await jobs.finish(other.id, other.token, DONE, 100)
        await jobs.cancel(first.job.id, bounds)
        await bench.pass_time(31)
        assert await looks(30) == LOOK_AHEAD
        assert await looks(30) == 0
        await bench.pass_time(31)
        ended = 0
        while job := await jobs.claim(KINDS, concurrency=9, lease_s=5):
            ended += await jobs.finish(job.id, job.token, DONE, 100)
        assert ended == LOOK_AHEAD + 19

    run(scenario)


def test_an_idempotency_key_names_one_job_of_one_user(run: Run) -> None:
    """Same key and body: the same job; another body is refused; another user has keys of its own;
    it ends with the job's time."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        async def ask(user: str, digest: str) -> Any:
            return await jobs.submit(new(user, idempotency_key="k", digest=digest), BOUNDS)

        first = await ask("ann", "x")
        again = await ask("ann", "x")
        assert (first.created, again.created, again.job.id) == (True, False, first.job.id)
        assert await ask("ann", "y") == "key_reused"
        assert (await ask("bob", "y")).created
        job = await claimed(jobs)
        await jobs.finish(job.id, job.token, DONE, 100)
        assert not (await ask("ann", "x")).created
        await bench.pass_time(101)
        assert (await ask("ann", "y")).created

    run(scenario)


def test_a_full_queue_refuses(run: Run) -> None:
    """By its own length and by the user's; whoever runs waits no longer."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        bounds = QueueBounds(max_length=3, max_per_user=2, ttl_s=100)
        results = [await jobs.submit(new("ann"), bounds) for _ in range(3)]
        assert results[2] == "user_full"
        assert isinstance(await jobs.submit(new("bob"), bounds), AcceptedJob)
        assert await jobs.submit(new("cid"), bounds) == "queue_full"
        await claimed(jobs)
        assert isinstance(await jobs.submit(new("cid"), bounds), AcceptedJob)

    run(scenario)


def test_a_store_that_is_full_refuses(run: Run) -> None:
    """By the bytes of all requests, results and events that it keeps: those of ended jobs too, until they are gone."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        bounds = QueueBounds(max_length=9, max_per_user=9, ttl_s=100, max_bytes=100_000)
        first, second = new("ann", spec=b"x" * 40_000), new("ann", spec=b"x" * 40_000)
        assert isinstance(await jobs.submit(first, bounds), AcceptedJob)
        assert await jobs.submit(new("bob", spec=b"x" * 60_001), bounds) == "store_full"
        assert isinstance(await jobs.submit(second, bounds), AcceptedJob)
        running = await claimed(jobs)
        assert await jobs.append(running.id, running.token, [b"c" * 10_000])
        assert await jobs.submit(new("bob", spec=b"x" * 10_001), bounds) == "store_full"
        ending = JobEnd(status="done", result=b"r" * 9_000)
        assert await jobs.finish(running.id, running.token, ending, bounds.ttl_s)
        assert await jobs.submit(new("bob", spec=b"x" * 1_001), bounds) == "store_full"
        await jobs.purge(job_id=first.id)
        # What is left are the second and a few bytes of its events.
        assert await jobs.submit(new("bob", spec=b"x" * 60_001), bounds) == "store_full"
        assert isinstance(await jobs.submit(new("bob", spec=b"x" * 59_900), bounds), AcceptedJob)

    run(scenario)


def test_cancelling_ends_a_waiting_job_and_asks_for_a_running_one(run: Run) -> None:
    """A worker is told so when it renews; one that died over it is not replaced."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        waiting = await submitted(jobs)
        cancelled = await jobs.cancel(waiting.id, BOUNDS)
        assert cancelled is not None
        assert cancelled.status == "cancelled"
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
        await submitted(jobs)
        job = await claimed(jobs)
        await jobs.cancel(job.id, BOUNDS)
        assert await jobs.renew("w", {job.id: job.token}, 5) == {job.id: "cancelled"}
        await bench.pass_time(6)
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
        found = await jobs.find(job.id)
        assert found is not None
        assert found.status == "cancelled"
        await submitted(jobs)
        job = await claimed(jobs)
        await jobs.cancel(job.id, BOUNDS)
        assert await jobs.put_back(job.id, job.token, 0, failed=False, lane=True)
        assert (found := await jobs.find(job.id)) is not None
        assert found.status == "cancelled"
        assert await jobs.cancel("job_none", BOUNDS) is None
        assert (await jobs.state()).waiting == 0

    run(scenario)


def test_results_expire(run: Run) -> None:
    """With their events; what waits does not."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        await submitted(jobs)
        job = await claimed(jobs)
        await jobs.finish(job.id, job.token, DONE, 100)
        waiting = await submitted(jobs)
        await bench.pass_time(101)
        assert await jobs.find(job.id) is None
        await jobs.sweep()
        assert list(await jobs.events(job.id, 0)) == []
        assert [job.id for job in await jobs.list_jobs()] == [waiting.id]

    run(scenario)


def test_commands_list_retry_and_purge(run: Run) -> None:
    """The newest first; what has failed runs again; a user's jobs go, whatever their state."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        first = await submitted(jobs)
        job = await claimed(jobs)
        await jobs.finish(job.id, job.token, JobEnd(status="failed", error=b"{}"), 100)
        second, third = await submitted(jobs, "bob"), await submitted(jobs)
        assert [job.id for job in await jobs.list_jobs()] == [third.id, second.id, first.id]
        assert [job.id for job in await jobs.list_jobs(status="failed")] == [first.id]
        assert [job.id for job in await jobs.list_jobs(user="bob")] == [second.id]
        assert not await jobs.retry(second.id)
        await bench.pass_time(50)
        assert await jobs.retry(first.id)
        again = await jobs.find(first.id)
        assert again is not None
        assert (again.status, again.attempts, again.ended) == ("queued", 0, None)
        assert again.since - again.created == pytest.approx(50, abs=0.5)
        assert await jobs.purge(user="ann") == 2
        assert await jobs.find(first.id) is None
        assert (await jobs.state()).waiting == 1
        assert (await claimed(jobs)).id == second.id
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
        assert await jobs.purge(job_id="job_none") == 0

    run(scenario)


def test_jobs_are_listed_page_by_page(run: Run) -> None:
    """Each once, the newest first, however many of another status or user lie between."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        bounds = QueueBounds(max_length=5000, max_per_user=5000, ttl_s=100)
        accepted = await asyncio.gather(*(jobs.submit(new(("ann", "bob")[n % 2]), bounds) for n in range(2100)))
        ids = [one.job.id for one in accepted if isinstance(one, AcceptedJob)]
        cancelled = [ids[number] for number in (0, 3, 1099, 1100, 2099)]
        for job_id in cancelled:
            await jobs.cancel(job_id, bounds)

        async def pages(size: int, **which: str) -> list[str]:
            seen: list[str] = []
            before = 0
            while page := await jobs.list_jobs(limit=size, before=before, **which):
                assert len(page) <= size
                assert not before or page[0].seq < before
                before = page[-1].seq
                seen += [job.id for job in page]
            return seen

        newest = ids[::-1]
        assert await pages(1000) == newest
        assert await pages(3000) == newest
        assert await pages(2, status="cancelled") == cancelled[::-1]
        assert await pages(400, user="bob") == newest[::2]
        assert await pages(1, status="cancelled", user="bob") == [cancelled[n] for n in (4, 2, 1)]

    run(scenario)


def test_a_webhook_is_due_when_the_job_has_ended(run: Run) -> None:
    """One worker has it at a time; a try that failed is due again later; the end is recorded on the job."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        await submitted(jobs, webhook_url="https://a.test/")
        assert await jobs.claim_webhook(30) is None
        job = await claimed(jobs)
        await jobs.finish(job.id, job.token, DONE, 1000)
        due = await jobs.claim_webhook(30)
        assert due is not None
        assert (due.id, due.webhook_url, due.hook) == (job.id, "https://a.test/", "pending")
        assert await jobs.claim_webhook(30) is None
        await bench.pass_time(31)
        assert await jobs.claim_webhook(30) is not None
        await jobs.note_webhook(job.id, "pending", 5)
        assert await jobs.claim_webhook(30) is None
        await bench.pass_time(6)
        assert await jobs.claim_webhook(30) is not None
        await jobs.note_webhook(job.id, "delivered", 0)
        await bench.pass_time(100)
        assert await jobs.claim_webhook(30) is None
        found = await jobs.find(job.id)
        assert found is not None
        assert (found.hook, found.hook_tries) == ("delivered", 2)

    run(scenario)


ANN_AND_BOB = (("ann", "http"), ("ann", "chat"), ("bob", "chat"), ("bob", "http"))


def test_a_worker_without_the_app_leaves_the_apps_own_requests_alone(run: Run) -> None:
    """It claims only the kinds that it can do."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        replayed = await submitted(jobs, kind="http")
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None
        job = await jobs.claim({"chat", "http"}, concurrency=9, lease_s=5)
        assert job is not None
        assert job.id == replayed.id

    run(scenario)


def test_jobs_of_both_kinds_take_turns_in_one_round(run: Run) -> None:
    """By user, whatever the kind, for a worker that does both; a place in line counts both."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        both = {"chat", "http"}
        ids = [(await submitted(jobs, *of, kind=kind)).id for *of, kind in ANN_AND_BOB]
        assert (await jobs.state(ids[3])).position == 4
        claims = [await jobs.claim(both, concurrency=9, lease_s=5) for _ in ids]
        assert [job and job.id for job in claims] == [ids[0], ids[2], ids[1], ids[3]]

    run(scenario)


def test_a_job_that_waits_alone_holds_up_no_other_of_its_user(run: Run) -> None:
    """Without its lane: what came before, and what comes after, runs meanwhile."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        _, second = await submitted(jobs), await submitted(jobs)
        large = await claimed(jobs)
        await jobs.put_back(large.id, large.token, 30, failed=False, lane=False)
        assert (await claimed(jobs)).id == second.id
        third = await submitted(jobs)
        assert (await claimed(jobs)).id == third.id
        assert await jobs.claim(KINDS, concurrency=9, lease_s=5) is None

    run(scenario)


def test_each_end_of_a_job_has_a_webhook_of_its_own(run: Run) -> None:
    """Numbered; a try of the first that is noted late changes nothing of a job that is queued again."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        await submitted(jobs, webhook_url="https://a.test/")
        for number in (1, 2):
            job = await claimed(jobs)
            await jobs.finish(job.id, job.token, JobEnd(status="failed", error=b"{}"), 1000)
            due = await jobs.claim_webhook(30)
            assert due is not None
            assert due.ends == number
            assert await jobs.retry(job.id)
            await jobs.note_webhook(job.id, "delivered", 0)
            found = await jobs.find(job.id)
            assert found is not None
            assert (found.status, found.hook, found.hook_tries) == ("queued", "", 0)

    run(scenario)


def test_more_jobs_expire_than_one_step_deletes(run: Run) -> None:
    """A sweep and a purge delete them all, and the purge counts them."""

    async def scenario(bench: JobBench, jobs: Jobs) -> None:
        bounds = QueueBounds(max_length=5000, max_per_user=5000, ttl_s=100.0)
        for expire in (True, False):
            accepted = await asyncio.gather(*(jobs.submit(new(), bounds) for _ in range(1100)))
            if expire:
                assert all(isinstance(one, AcceptedJob) for one in accepted)
                ids = [one.job.id for one in accepted if isinstance(one, AcceptedJob)]
                await asyncio.gather(*(jobs.cancel(job_id, bounds) for job_id in ids))
                await bench.pass_time(101)
                await jobs.sweep()
                assert await jobs.list_jobs() == []
            else:
                assert await jobs.purge() == 1100

    run(scenario)
