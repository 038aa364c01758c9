"""A worker: claims jobs while there is room, runs each, and ends it by the token of its claim."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import os
import random
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from turnout.jobs.feed import JobFeed
from turnout.jobs.leases import BEAT_S, LEASE_S, JobLeases
from turnout.jobs.retries import Later
from turnout.jobs.webhooks import JobWebhooks
from turnout.loop_task import wait_at_most
from turnout.ports.jobs import Job, JobEnd, Jobs, JobsUnavailable
from turnout.ports.runtime import Clock

log = logging.getLogger("turnout.jobs")

# After so many looks in a row that found no room, the next ones come so far apart: however many users wait for one full
# model, looking for room costs a small part of a processor.
LOOKS_IN_A_ROW = 16
LOOK_PACE_S = 0.05
POLL_S = 0.25
# What has expired is deleted so often.
SWEEP_S = 60.0
INTERNAL_ERROR = json.dumps(
    {"message": "the job failed by a defect of ours", "type": "api_error", "code": "internal_error", "param": None}
).encode()

Emit = Callable[[Sequence[bytes]], Awaitable[None]]
Run = Callable[[Job, Emit], Awaitable[JobEnd | Later]]
T = TypeVar("T")


class ClaimLost(Exception):
    """Another worker has the job: this one was taken for dead."""


class JobWorker:
    """Works on jobs on the event loop that it is started on.

    run: does one job; its second argument adds chunk events. kinds: gives those that this process can do.
    concurrency: how many may run at once, over all workers. ended: called with each job that has ended here.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        run: Run,
        clock: Clock,
        feed: JobFeed,
        concurrency: int,
        ttl_s: float,
        kinds: Callable[[], Collection[str]],
        webhooks: JobWebhooks | None,
        ended: Callable[[Job, JobEnd], None] = lambda job, end: None,
    ) -> None:
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        # Of its own: the state of `random` is the app's.
        self._chance = random.Random().random
        self._jobs = jobs
        self._run_job = run
        self._clock = clock
        self._feed = feed
        self._concurrency = concurrency
        # Of them in this process.
        self.at_once = concurrency
        self._ttl_s = ttl_s
        self._kinds = kinds
        self._webhooks = webhooks
        # Once, that it sends none.
        self._warned = False
        self._ended = ended
        self._leases = JobLeases(jobs, clock, self.name)
        self._roomless = 0
        self._loops: list[asyncio.Task[None]] = []
        self._claim: asyncio.Task[bool] | None = None
        self._pid = 0
        self._draining = False

    @property
    def running(self) -> int:
        """How many jobs run here."""
        return len(self._leases)

    @property
    def works(self) -> bool:
        """Whether it works in this process."""
        return bool(self._loops) and self._pid == os.getpid() and not self._loops[0].get_loop().is_closed()

    def start(self) -> None:
        """Begins to work on the running loop, unless it does already."""
        if self.works:
            return
        self._pid, self._draining = os.getpid(), False
        self._leases = JobLeases(self._jobs, self._clock, self.name)
        self._woken = asyncio.Event()
        loops = [self._claim_loop(), self._leases.keep(), self._sweep_loop()]
        if self._webhooks is not None:
            loops.append(self._webhooks.run())
        # An empty context: what runs here belongs to no request that the app handles.
        self._loops = [
            asyncio.get_running_loop().create_task(loop, name="turnout.jobs", context=contextvars.Context())
            for loop in loops
        ]

    def wake(self) -> None:
        """Lets it look for a job now."""
        # One that ends makes room, and looks itself.
        if self._loops and self._pid == os.getpid() and len(self._leases) < self.at_once:
            self._woken.set()

    async def stop(self, drain_s: float) -> None:
        """Claims no more; waits so long for those that run, then puts them back for others."""
        self._draining = True
        if not self._loops or self._pid != os.getpid():
            return
        claiming, *others = self._loops
        await _cancelled([claiming])
        if self._claim is not None:
            # What it claims is put back.
            await asyncio.wait({self._claim}, timeout=LEASE_S)
        if self._leases:
            await asyncio.wait(self._leases.tasks, timeout=drain_s)
        await _cancelled(list(self._leases.tasks))
        await _cancelled(others)
        self._loops = []

    async def _claim_loop(self) -> None:
        while not self._draining:
            self._woken.clear()
            try:
                # Shielded: a claim whose answer nobody takes would hold a place until its lease is over.
                while len(self._leases) < self.at_once:
                    if self._roomless >= LOOKS_IN_A_ROW:
                        await asyncio.sleep(LOOK_PACE_S)
                    self._claim = asyncio.ensure_future(self._claim_one())
                    if not await asyncio.shield(self._claim):
                        break
            except JobsUnavailable as error:
                log.warning("turnout: no job can be claimed: %s", error)
            await wait_at_most(self._woken, POLL_S if len(self._leases) < self.at_once else BEAT_S)

    async def _claim_one(self) -> bool:
        kinds = self._kinds()
        job = await self._jobs.claim(kinds, concurrency=self._concurrency, lease_s=LEASE_S)
        if job is None:
            return False
        if self._draining:
            await self._give_back(job)
            return False
        self._leases.add(job, asyncio.create_task(self._work(job), name=f"turnout.job.{job.id}"))
        self._feed.notify(job.id)
        return True

    async def _work(self, job: Job) -> None:
        try:
            await self._end(job, await self._ending(job))
        except ClaimLost:
            log.warning("turnout: job %s has been taken over by another worker", job.id)
        except asyncio.CancelledError:
            await self._give_back(job)
        finally:
            self._leases.remove(job)
            self._feed.notify(job.id)
            self._woken.set()

    async def _ending(self, job: Job) -> JobEnd | Later:
        async def emit(chunks: Sequence[bytes]) -> None:
            if not await self._persist(lambda: self._jobs.append(job.id, job.token, chunks)):
                raise ClaimLost
            self._feed.notify(job.id)

        try:
            return await self._run_job(job, emit)
        except asyncio.CancelledError:
            reason = self._leases.why_stopped(job)
            if reason == "lost":
                raise ClaimLost from None
            if reason != "cancelled":
                raise
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            return JobEnd(status="cancelled")
        except ClaimLost:
            raise
        except Exception:
            # Whatever it is: the job must not be lost with it.
            log.exception("turnout: job %s failed by a defect", job.id)
            return JobEnd(status="failed", error=INTERNAL_ERROR)

    async def _end(self, job: Job, ending: JobEnd | Later) -> None:
        self._leases.let_end(job)
        if isinstance(ending, Later):
            ended = await self._persist(
                lambda: self._jobs.put_back(job.id, job.token, ending.after_s, failed=ending.failed, lane=ending.lane)
            )
        else:
            ended = await self._persist(lambda: self._jobs.finish(job.id, job.token, ending, self._ttl_s))
        if not ended:
            raise ClaimLost
        self._roomless = self._roomless + 1 if isinstance(ending, Later) and not ending.failed else 0
        if isinstance(ending, JobEnd):
            self._ended(job, ending)
            if job.webhook_url:
                self._wake_webhooks(job)

    def _wake_webhooks(self, job: Job) -> None:
        if self._webhooks is not None:
            self._webhooks.wake()
        elif not self._warned:
            self._warned = True
            log.warning(
                "turnout: this worker has no webhook secret or allowed host: the webhooks of job %s and of others that "
                "it ends wait for a worker that has both",
                job.id,
            )

    async def _give_back(self, job: Job) -> None:
        """This worker stops: the job waits for another, at once."""
        giving = asyncio.ensure_future(self._jobs.put_back(job.id, job.token, 0.0, failed=False, lane=False))
        await asyncio.wait({giving}, timeout=BEAT_S)
        if giving.done() and giving.exception() is not None:
            log.warning("turnout: job %s could not be given back; another worker takes it over", job.id)

    async def _persist(self, step: Callable[[], Awaitable[T]]) -> T:
        """The result of this step, tried until the store takes it: a store that is away does not undo an answer that
        is paid for. The token decides whether it still counts."""
        while True:
            try:
                return await step()
            except JobsUnavailable as error:
                log.warning("turnout: the store of the jobs is away: %s", error)
                await self._clock.sleep(BEAT_S)

    async def _sweep_loop(self) -> None:
        while True:
            try:
                await self._jobs.sweep()
            except JobsUnavailable as error:
                log.warning("turnout: expired jobs cannot be deleted: %s", error)
            await self._clock.sleep(SWEEP_S * (0.5 + self._chance()))


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
