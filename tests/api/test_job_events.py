"""A job's events, to the last one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnout.api.job_events import JobEvents
from turnout.clock import SystemClock
from turnout.jobs.feed import JobFeed
from turnout.ports.jobs import Job, JobEnd, JobEvent, JobsUnavailable, NewJob, QueueBounds
from turnout.stores.sqlite.jobs import SqliteJobs
from turnout.testing import ManualClock


class _EndsBetween(SqliteJobs):
    """A store whose job ends between a look at its events and the one at itself."""

    end: Any = None

    async def events(self, job_id: str, after: int) -> Sequence[JobEvent]:
        found = await super().events(job_id, after)
        if not found and self.end is not None:
            end, self.end = self.end, None
            await self.finish(job_id, end, JobEnd(status="done", result=b"{}"), 60)
        return found


def test_a_job_that_ends_between_two_looks_is_told_to_its_end(tmp_path: Path) -> None:
    """The stream's last event is the job's end, with its result."""

    async def main() -> bytes:
        clock = SystemClock()
        store = _EndsBetween(str(tmp_path / "jobs.sqlite"), clock)
        job = await _running(store)
        store.end = job.token
        stream = JobEvents(store, JobFeed(), clock, job, 0, [])
        told = b"".join([piece async for piece in stream])
        await store.close()
        return told

    async def _running(store: SqliteJobs) -> Job:
        bounds = QueueBounds(max_length=10, max_per_user=10, ttl_s=60)
        await store.submit(NewJob(id="job_1", kind="chat", user="ann", endpoint="/x", priority=4, spec=b"{}"), bounds)
        job = await store.claim({"chat"}, concurrency=1, lease_s=60)
        assert job is not None
        return job

    assert b'"result":{}' in asyncio.run(main())


class _AwayOnce(SqliteJobs):
    """A store that cannot be reached at its first look."""

    away = True

    async def events(self, job_id: str, after: int) -> Sequence[JobEvent]:
        if self.away:
            self.away = False
            raise JobsUnavailable("away")
        return await super().events(job_id, after)


def test_a_store_that_is_away_for_a_moment_ends_no_stream(tmp_path: Path) -> None:
    """It is told on, to the job's end."""

    async def main() -> bytes:
        clock = ManualClock()
        store = _AwayOnce(str(tmp_path / "jobs.sqlite"), clock)
        bounds = QueueBounds(max_length=10, max_per_user=10, ttl_s=60)
        await store.submit(NewJob(id="job_1", kind="chat", user="ann", endpoint="/x", priority=4, spec=b"{}"), bounds)
        job = await store.cancel("job_1", bounds)
        assert job is not None
        stream = JobEvents(store, JobFeed(), clock, job, 0, [])
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await clock.advance(1.0)
        piece = await first
        await store.close()
        return piece

    assert b'"cancelled"' in asyncio.run(main())
