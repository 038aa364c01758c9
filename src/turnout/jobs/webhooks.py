"""Notifies by webhook of jobs that have ended: one id on every try, from whichever worker lives."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from turnout.jobs.retries import webhook_delay
from turnout.loop_task import wait_at_most
from turnout.ports.jobs import Job, JobsUnavailable, WebhookQueue
from turnout.webhooks.signing import is_settled

log = logging.getLogger("turnout.jobs")

# Longer than one try may take: then another worker's.
LEASE_S = 30.0
POLL_S = 1.0
CONCURRENT = 8

# Posts a job's message under this id; returns the HTTP status, 0 where none came, -1 where it may not be sent at all.
Post = Callable[[str, Job], Awaitable[int]]
FORBIDDEN = -1
# Of its own: the state of `random` is the app's.
_chance = random.Random().random


class JobWebhooks:
    """Sends what is due. post: makes and sends one signed message."""

    def __init__(self, queue: WebhookQueue, post: Post) -> None:
        self._queue = queue
        self._post = post
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Lets it look for a webhook now."""
        self._woken.set()

    async def run(self) -> None:
        """Sends for ever; cancelled, it leaves what is under way to the next worker."""
        self._woken = asyncio.Event()
        try:
            while True:
                self._woken.clear()
                try:
                    while len(self._sending) < CONCURRENT and (job := await self._queue.claim_webhook(LEASE_S)):
                        self._begin(job)
                except JobsUnavailable as error:
                    log.warning("turnout: webhooks wait: %s", error)
                await wait_at_most(self._woken, POLL_S)
        finally:
            for task in self._sending.values():
                task.cancel()

    def _begin(self, job: Job) -> None:
        if job.id in self._sending:
            # Its lease has ended, its try has not: never two at once.
            return
        task = asyncio.create_task(self._send(job), name="turnout.jobs.webhook")
        self._sending[job.id] = task

        def over(_: asyncio.Task[None]) -> None:
            self._sending.pop(job.id, None)
            self._woken.set()

        task.add_done_callback(over)

    async def _status(self, job: Job) -> int:
        try:
            return await self._post(message_id(job), job)
        except Exception:
            # Whatever it is: a try that is not counted would come back for ever.
            log.exception("turnout: the webhook of job %s could not be sent", job.id)
            return 0

    async def _send(self, job: Job) -> None:
        status = await self._status(job)
        tries = job.hook_tries + 1
        try:
            if is_settled(status):
                await self._queue.note_webhook(job.id, "delivered", 0.0)
                return
            delay_s = None if status == FORBIDDEN else webhook_delay(tries, _chance())
            if delay_s is None:
                log.warning("turnout: the webhook of job %s was not taken after %d tries", job.id, tries)
                await self._queue.note_webhook(job.id, "failed", 0.0)
            else:
                await self._queue.note_webhook(job.id, "pending", delay_s)
        except JobsUnavailable as error:
            # Its lease ends, and it is sent again under the same id.
            log.warning("turnout: a webhook's end was not noted: %s", error)


def message_id(job: Job) -> str:
    """The same on every try; another one for each end of a job that was queued again: receivers drop what they know."""
    message = f"msg_{job.id.removeprefix('job_')}"
    return message if job.ends <= 1 else f"{message}_{job.ends}"
