"""The leases of the jobs that run in this process: renewed at each beat; a job that is cancelled or lost is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from turnout.ports.jobs import Job, JobQueue, JobsUnavailable
from turnout.ports.runtime import Clock

# A worker that is killed holds its jobs so long: with a poll and a take-back they run again well within 10 s.
LEASE_S = 5.0
# A cancelled job ends within one beat.
BEAT_S = 0.5
IDLE_BEATS = 10


class JobLeases:
    """Those of one worker. worker: its name in the store."""

    def __init__(self, jobs: JobQueue, clock: Clock, worker: str) -> None:
        self._jobs = jobs
        self._clock = clock
        self._worker = worker
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tokens: dict[str, str] = {}
        self._reasons: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def tasks(self) -> Collection[asyncio.Task[None]]:
        """What runs the jobs."""
        return self._tasks.values()

    def add(self, job: Job, task: asyncio.Task[None]) -> None:
        """Keeps the lease of this job from now on. task: what runs it, cancelled to stop it."""
        self._tokens[job.id] = job.token
        self._tasks[job.id] = task

    def remove(self, job: Job) -> None:
        """It runs here no more."""
        for known in (self._tasks, self._tokens, self._reasons):
            known.pop(job.id, None)

    def let_end(self, job: Job) -> None:
        """From here on it is not stopped: its answer is paid for, and the token decides whether it counts."""
        self._reasons[job.id] = "ending"

    def why_stopped(self, job: Job) -> str:
        """`lost` or `cancelled` where its task was cancelled for that, else ""."""
        return self._reasons.get(job.id, "")

    async def keep(self) -> None:
        """Renews them for ever, and says that the worker lives."""
        idle, renewed = 0, self._clock.monotonic()
        while True:
            idle = 0 if self._tokens else idle + 1
            if self._tokens or idle % IDLE_BEATS == 1:
                try:
                    stopped = await self._jobs.renew(self._worker, dict(self._tokens), LEASE_S)
                    renewed = self._clock.monotonic()
                except JobsUnavailable:
                    stopped = {}
                    if self._clock.monotonic() - renewed > LEASE_S:
                        # Others may have them by now: two calls of one job would both be paid for.
                        stopped = dict.fromkeys(self._tokens, "lost")
                for job_id, reason in stopped.items():
                    self._stop(job_id, reason)
            await self._clock.sleep(BEAT_S)

    def _stop(self, job_id: str, reason: str) -> None:
        task = self._tasks.get(job_id)
        if task is not None and job_id not in self._reasons:
            self._reasons[job_id] = reason
            task.cancel()
