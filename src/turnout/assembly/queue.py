"""Builds the parts of the job queue; imported only where the settings have one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from turnout.api.chat import Chat
from turnout.api.exchange import WireAdapter
from turnout.api.job_bodies import JOBS_PATH, webhook_body
from turnout.api.job_runs import JobRuns
from turnout.api.jobs import JobSubmissions
from turnout.api.routes import Route
from turnout.errors import StoreUnavailable
from turnout.jobs.feed import JobFeed
from turnout.jobs.webhooks import FORBIDDEN, JobWebhooks
from turnout.jobs.worker import JobWorker
from turnout.pipeline.pipeline import Pipeline
from turnout.ports.jobs import Job, JobEnd, Jobs, JobsUnavailable, ModelPlaces
from turnout.ports.runtime import Clock, Observer
from turnout.settings import Settings
from turnout.stores.factory import jobs_from
from turnout.telemetry import names
from turnout.telemetry.trace_context import HEADER
from turnout.webhooks.address_check import ForbiddenAddress
from turnout.webhooks.factory import post_from
from turnout.webhooks.post import SignedPost

# Set by `turnout worker --app` for the app that it imports.
WORKS_VARIABLE = "TURNOUT_WORKS"


@dataclass(frozen=True, slots=True)
class QueueParts:
    """The parts of a job queue. worker: None where this process only submits."""

    store: Jobs
    submissions: JobSubmissions
    runs: JobRuns
    worker: JobWorker | None
    routes: tuple[Route, ...]

    async def purge(self, user: str) -> int:
        """Deletes the jobs of this user (a `user_key`), results included; returns how many. Raises
        StoreUnavailable."""
        try:
            return await self.store.purge(user=user)
        except JobsUnavailable as error:
            raise StoreUnavailable(f"the jobs cannot be reached: {error}") from error

    async def figures(self) -> dict[str, float | int | None]:
        """What the status page shows of the queue; nothing known where it cannot be asked."""
        try:
            state = await self.store.state()
        except JobsUnavailable:
            return {"depth": None, "oldest_s": None}
        return {
            "depth": state.waiting,
            "running": state.running,
            "oldest_s": round(state.oldest_s, 3) if state.waiting else None,
            "run_s": round(state.run_s, 3),
            "workers": state.workers,
        }


def build_queue(
    settings: Settings,
    clock: Clock,
    observer: Observer,
    chat: Chat,
    pipeline: Pipeline,
    wires: Iterable[WireAdapter],
    *,
    works: bool | None,
) -> QueueParts:
    """The parts; opens nothing. wires: the other protocols whose requests may become jobs. works: whether this process
    works on jobs; None: as the settings say."""
    queue = settings.queue
    assert queue is not None
    store, feed = jobs_from(settings, clock), JobFeed()
    hold = partial(hold_place, store, queue.concurrency)
    runs = JobRuns(chat.complete, chat.stream, clock, hold, wires, queue.replay_deadline_s)
    post = post_from(settings, clock)
    if works is None:
        works = settings.redis is None or queue.in_app or os.environ.get(WORKS_VARIABLE) == "1"
    worker = JobWorker(
        jobs=store,
        run=runs.run,
        clock=clock,
        feed=feed,
        concurrency=queue.concurrency,
        ttl_s=queue.result_ttl_s,
        kinds=runs.kinds,
        webhooks=None if post is None else JobWebhooks(store, JobPost(post)),
        ended=partial(observe_end, observer, clock),
    )
    submissions = JobSubmissions(
        store=store,
        settings=settings,
        clock=clock,
        check=pipeline.check,
        feed=feed,
        worker=worker if works else None,
        can_notify=post is not None,
    )
    chat.submissions = submissions
    routes = (Route(JOBS_PATH, ("GET", "HEAD", "DELETE"), submissions.answer, JOBS_PATH),)
    return QueueParts(store, submissions, runs, worker if works else None, routes)


def observe_end(observer: Observer, clock: Clock, job: Job, end: JobEnd) -> None:
    """Tells that the job has ended, how long it waited and how long its last run took."""
    started = job.started or job.since
    times = {names.JOB_WAIT: max(0.0, started - job.since), names.JOB_RUN: max(0.0, clock.time() - started)}
    observer.event(None, names.EVENT_JOB_ENDED, {names.JOB_STATUS: end.status, **times})


async def hold_place(store: ModelPlaces, concurrency: int, job: Job, model: str, most: int) -> bool:
    """Whether the job holds a place at this model. Where all that run together are no more, none is asked for."""
    if concurrency <= most:
        return True
    try:
        return await store.hold(job.id, job.token, model, most)
    except JobsUnavailable:
        return False


class JobPost:
    """Posts a job's message; -1 where its address may not be called (any more)."""

    def __init__(self, post: SignedPost) -> None:
        self._post = post

    async def __call__(self, message_id: str, job: Job) -> int:
        try:
            traceparent = json.loads(job.spec).get("traceparent")
            more = {HEADER: traceparent} if traceparent else None
            return await self._post(job.webhook_url, message_id, webhook_body(job), more)
        except ForbiddenAddress:
            return FORBIDDEN
