"""Runs jobs: a chat job through the pipeline, as its submitter's request; what it ended with, or when it runs again."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from turnout.api.exchange import JobOrigin, WireAdapter
from turnout.api.job_forms import AnswerForm, WireForm
from turnout.api.response_headers import outcome_headers
from turnout.context import Caller, Directives, RequestContext
from turnout.errors import (
    BudgetExceeded,
    BudgetUnavailable,
    DeadlineExceeded,
    NoRoomYet,
    Overloaded,
    RateLimitExceeded,
    ServedError,
    UpstreamUnavailable,
)
from turnout.jobs.retries import Later, after_failure, for_room
from turnout.jobs.worker import Emit
from turnout.numbers import parse_retry_after
from turnout.openai.answers import dumps
from turnout.openai.builder import AnswerBuilder
from turnout.openai.completion import AnswerStream, Completion
from turnout.openai.requests import ChatRequest, from_mapping
from turnout.ports.jobs import Job, JobEnd
from turnout.ports.runtime import Clock
from turnout.records import Outcome
from turnout.telemetry.trace_context import linked_to

# A limit, a budget or a model that is full: room comes back.
FULL = (RateLimitExceeded, BudgetExceeded, NoRoomYet)
# What may pass by itself.
PASSING = (Overloaded, UpstreamUnavailable, BudgetUnavailable, DeadlineExceeded)
# The same, said by the app when a request of its own is replayed.
PASSING_STATUSES = frozenset({429, 502, 503, 504})

# Of its own: the state of `random` is the app's.
_chance = random.Random().random

# Replays a request of the app's own path.
ReplayJob = Callable[[Job], Awaitable[JobEnd]]


class JobRuns:
    """Runs one job at a time for each call. hold: whether this job may call a model that so many may at once. wires:
    the other protocols that jobs come in. replay_s: how long one replay may take. replay: set by a door that has the
    app; None: no app is here."""

    def __init__(
        self,
        complete: Callable[[ChatRequest, RequestContext], Awaitable[Completion]],
        stream: Callable[[ChatRequest, RequestContext], Awaitable[AnswerStream]],
        clock: Clock,
        hold: Callable[[Job, str, int], Awaitable[bool]],
        wires: Iterable[WireAdapter] = (),
        replay_s: float = 600.0,
    ) -> None:
        self._complete = complete
        self._stream = stream
        self._clock = clock
        self._hold = hold
        self._wires = {wire.name: wire for wire in wires}
        self._replay_s = replay_s
        self.replay: ReplayJob | None = None

    def kinds(self) -> frozenset[str]:
        """The kinds of jobs that this process can do."""
        return frozenset({"chat"} if self.replay is None else {"chat", "http"})

    async def run(self, job: Job, emit: Emit) -> JobEnd | Later:
        """What the job ended with, or when it runs again."""
        spec = json.loads(job.spec)
        deadline_at = _deadline_of(job, spec)
        try:
            if deadline_at is not None and deadline_at <= self._clock.time():
                raise DeadlineExceeded("the job's deadline had passed before it could run")
            with linked_to(spec.get("traceparent", "")):
                if job.kind == "http":
                    return await self._run_replay(job, deadline_at)
                return await self._run_chat(job, spec, deadline_at, emit)
        except ServedError as error:
            return _after(error, job, deadline_at, self._clock.time())

    async def _run_replay(self, job: Job, deadline_at: float | None) -> JobEnd | Later:
        assert self.replay is not None
        ends_at = math.inf if deadline_at is None else deadline_at
        left_s = ends_at - self._clock.time()
        by = self._clock.monotonic() + min(self._replay_s, left_s)
        try:
            async with self._clock.timeout_at(by):
                end = await self.replay(job)
        except TimeoutError:
            # What the app has begun is not begun again: it would take as long.
            own = left_s <= self._replay_s
            within = "its own deadline" if own else f"[queue] replay_deadline_s ({self._replay_s:g} s)"
            return _failed(DeadlineExceeded(f"the app did not answer the job within {within}"))
        now = self._clock.time()
        return _later(end, job, now, ends_at - now) or end

    async def _run_chat(self, job: Job, spec: dict[str, Any], deadline_at: float | None, emit: Emit) -> JobEnd | Later:
        request = replace(from_mapping(spec["body"]), beside_chat=spec.get("beside_chat"), size=len(job.spec))
        context = self._context(spec, job, deadline_at)
        form = self._form(spec, job, request)
        if request.stream:
            # With its usage: the result is the whole answer, whatever its chunks hold.
            stream = await self._stream(replace(request, include_usage=True), context)
            body, outcome = form.result(await _read(stream, emit, form)), stream.outcome
        else:
            completion = await self._complete(request, context)
            body, outcome = form.result(completion.body_bytes), completion.outcome
        if outcome.reason == "fallback_answer" and (later := after_failure(job.attempts, None, _chance())):
            # A caller who waits is better off with the plain answer; a job can wait for a real one.
            return later
        return JobEnd(status="done", result=body, head=_head(outcome))

    def _form(self, spec: dict[str, Any], job: Job, request: ChatRequest) -> AnswerForm:
        if "wire" not in spec:
            return AnswerForm(include_usage=request.include_usage)
        noted = spec["wire"]
        asked = JobOrigin(id=job.id, asked=noted["asked"])
        return WireForm(self._wires[noted["name"]], asked)

    def _context(self, spec: dict[str, Any], job: Job, deadline_at: float | None) -> RequestContext:
        directives = spec.get("directives") or {}
        remaining = None if deadline_at is None else deadline_at - self._clock.time()
        return RequestContext(
            request_id=spec["request_id"],
            started=self._clock.monotonic(),
            caller=Caller(user=spec["user"], endpoint=job.endpoint),
            directives=Directives(**directives, deadline_s=remaining),
            may_choose=spec["may_choose"],
            session_id=spec.get("session_id", ""),
            job=_Running(job, self._hold),
        )


class _Running:
    """A job as the request that it makes knows it."""

    def __init__(self, job: Job, hold: Callable[[Job, str, int], Awaitable[bool]]) -> None:
        self._job = job
        self._hold = hold

    async def hold(self, model: str, most: int) -> bool:
        return await self._hold(self._job, model, most)


async def _read(stream: AnswerStream, emit: Emit, form: AnswerForm) -> bytes:
    """The complete answer of a stream, whose chunks are emitted as they come."""
    builder = AnswerBuilder()
    try:
        while (batch := await _next_batch(stream)) is not None:
            for chunk in batch:
                builder.add(chunk)
            if events := form.events(batch):
                await emit(events)
        if events := form.last_events():
            await emit(events)
    finally:
        await stream.aclose()
    return dumps(builder.body())


async def _next_batch(stream: AnswerStream) -> list[dict[str, Any]] | None:
    try:
        return await stream.next_batch()
    except StopAsyncIteration:
        return None


def _deadline_of(job: Job, spec: dict[str, Any]) -> float | None:
    """Seconds since 1970; None: it has none. One that was queued again by a retry has as long from then on."""
    deadline_at = spec.get("deadline_at")
    return None if deadline_at is None else deadline_at + (job.since - job.created)


def _head(outcome: Outcome) -> bytes:
    return dumps({"status": 200, "headers": outcome_headers(outcome)})


def _after(error: ServedError, job: Job, deadline_at: float | None, now: float) -> JobEnd | Later:
    """What becomes of a job whose run was refused or failed."""
    left_s = math.inf if deadline_at is None else deadline_at - now
    if isinstance(error, FULL) and left_s > 0:
        # A smaller job may have room in a budget, another at its model; a rate is full for all.
        return _by(left_s, for_room(error.retry_after_s, lane=isinstance(error, RateLimitExceeded)))
    if isinstance(error, PASSING) and left_s > 0:
        later = after_failure(job.attempts, error.retry_after_s, _chance())
        if later is not None:
            return _by(left_s, later)
    return _failed(error)


def _by(left_s: float, later: Later) -> Later:
    """Its next run, no later than when its deadline passes: it fails then, and is not left waiting."""
    return replace(later, after_s=min(later.after_s, left_s))


def _failed(error: ServedError) -> JobEnd:
    head = dumps({"status": error.told_status, "headers": []})
    return JobEnd(status="failed", head=head, error=dumps(error.to_openai()["error"]))


def _later(end: JobEnd, job: Job, now: float, left_s: float) -> Later | None:
    """When a replay runs again that the app answered with a status that may pass; None where it has ended. left_s:
    until the job's deadline."""
    head = json.loads(end.head)
    if head["status"] not in PASSING_STATUSES or left_s <= 0:
        return None
    later = after_failure(job.attempts, parse_retry_after(dict(head["headers"]), now), _chance())
    return None if later is None else _by(left_s, later)
