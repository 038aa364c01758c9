"""A worker's own corners: a claim that comes back late, and webhooks that it cannot send or sends once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from turnout.clock import SystemClock
from turnout.jobs.feed import JobFeed
from turnout.jobs.retries import Later
from turnout.jobs.webhooks import JobWebhooks
from turnout.jobs.worker import LOOK_PACE_S, LOOKS_IN_A_ROW, Emit, JobWorker
from turnout.ports.jobs import Job, JobEnd, NewJob, QueueBounds
from turnout.stores.sqlite.jobs import SqliteJobs

BOUNDS = QueueBounds(max_length=10, max_per_user=10, ttl_s=60)
NEW = NewJob(
    id="job_1", kind="chat", user="ann", endpoint="/x", priority=4, spec=b"{}", webhook_url="https://hook.test/"
)


class _LateClaims(SqliteJobs):
    """A store whose claims come back when they are let."""

    def __init__(self, path: str) -> None:
        super().__init__(path, SystemClock())
        self.claimed, self.let = asyncio.Event(), asyncio.Event()

    async def claim(self, kinds: Collection[str], *, concurrency: int, lease_s: float) -> Job | None:
        job = await super().claim(kinds, concurrency=concurrency, lease_s=lease_s)
        self.claimed.set()
        await self.let.wait()
        return job


def worker_of(store: SqliteJobs, run: Any, ended: Any = lambda job, end: None) -> JobWorker:
    return JobWorker(
        jobs=store,
        run=run,
        clock=SystemClock(),
        feed=JobFeed(),
        concurrency=1,
        ttl_s=60,
        kinds=lambda: {"chat"},
        webhooks=None,
        ended=ended,
    )


def test_a_claim_that_comes_back_after_the_stop_is_put_back(tmp_path: Path) -> None:
    """The job is not begun, and waits for another worker at once."""

    async def main() -> tuple[str, int]:
        begun: list[Job] = []

        async def run(job: Job, emit: Emit) -> JobEnd | Later:
            begun.append(job)
            return JobEnd(status="done")

        store = _LateClaims(str(tmp_path / "jobs.sqlite"))
        await store.submit(NEW, BOUNDS)
        worker = worker_of(store, run)
        worker.start()
        await store.claimed.wait()
        stopping = asyncio.ensure_future(worker.stop(5.0))
        for _ in range(5):
            await asyncio.sleep(0)
        store.let.set()
        await stopping
        job = await store.find("job_1")
        await store.close()
        assert job is not None
        return job.status, len(begun)

    assert asyncio.run(main()) == ("queued", 0)


def test_looks_that_find_no_room_are_paced(tmp_path: Path) -> None:
    """However many users' jobs wait for one full model; a job that ends lets the next ones come at once."""
    looks, more = LOOKS_IN_A_ROW, 4

    async def main() -> list[float]:
        times: list[float] = []
        over = asyncio.Event()

        async def run(job: Job, emit: Emit) -> JobEnd | Later:
            times.append(time.monotonic())
            if len(times) == looks + more:
                over.set()
            return Later(after_s=30, failed=False, lane=False)

        store = SqliteJobs(str(tmp_path / "jobs.sqlite"), SystemClock())
        bounds = replace(BOUNDS, max_length=100)
        for number in range(looks + more):
            await store.submit(replace(NEW, id=f"job_{number}", user=f"user {number}"), bounds)
        worker = worker_of(store, run)
        worker.start()
        await over.wait()
        await worker.stop(5.0)
        await store.close()
        return times

    times = asyncio.run(main())
    assert times[-1] - times[looks - 1] >= more * LOOK_PACE_S


def test_a_worker_that_can_send_no_webhook_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once, when the first job that has one ends."""

    async def main() -> None:
        over: asyncio.Queue[Job] = asyncio.Queue()

        async def run(job: Job, emit: Emit) -> JobEnd | Later:
            return JobEnd(status="done")

        store = SqliteJobs(str(tmp_path / "jobs.sqlite"), SystemClock())
        await store.submit(NEW, BOUNDS)
        worker = worker_of(store, run, lambda job, end: over.put_nowait(job))
        worker.start()
        await over.get()
        await worker.stop(5.0)
        await store.close()

    with caplog.at_level(logging.WARNING, logger="turnout.jobs"):
        asyncio.run(main())
    assert [record.message for record in caplog.records if "no webhook secret" in record.message]


class _Due:
    """A queue of webhooks that gives out one job so many times."""

    def __init__(self, times: int) -> None:
        fields: dict[str, Any] = dict.fromkeys(("user", "endpoint", "secret", "digest", "webhook_url"), "")
        self._job = Job(
            id="job_1", kind="chat", priority=4, spec=b"{}", status="done", created=0.0, since=0.0, **fields
        )
        self._left = times
        self.given_out, self.noted = asyncio.Event(), asyncio.Event()
        self.notes: list[str] = []

    async def claim_webhook(self, lease_s: float) -> Job | None:
        if not self._left:
            self.given_out.set()
            return None
        self._left -= 1
        return self._job

    async def note_webhook(self, job_id: str, state: str, after_s: float) -> None:
        self.notes.append(state)
        self.noted.set()


@pytest.mark.parametrize("fails", [False, True])
def test_a_webhook_is_sent_once_at_a_time_and_counts_whatever_is_raised(fails: bool) -> None:
    """Given out again while it is sent, it waits; one that raises is a try like another."""

    async def main() -> tuple[int, list[str]]:
        sent: list[str] = []
        queue = _Due(2)

        async def post(message_id: str, job: Job) -> int:
            sent.append(message_id)
            await queue.given_out.wait()
            if fails:
                raise RuntimeError("whatever it is")
            return 204

        webhooks = asyncio.ensure_future(JobWebhooks(queue, post).run())
        async with asyncio.timeout(5):
            await queue.noted.wait()
        webhooks.cancel()
        await asyncio.wait({webhooks})
        return len(sent), queue.notes

    assert asyncio.run(main()) == (1, ["pending" if fails else "delivered"])
