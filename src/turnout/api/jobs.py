"""Jobs over HTTP: a submission's 202, and `GET`, `DELETE` and `GET .../events` below `/turnout/jobs/`."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from turnout.api.exchange import ApiReply, ApiRequest, Reply, WireAdapter, json_reply
from turnout.api.job_bodies import JOBS_PATH, NO_WORKER, job_headers, job_object, look_again_s
from turnout.api.job_events import JobEvents
from turnout.api.preferences import Preferences, parse_prefer
from turnout.api.response_headers import Headers
from turnout.api.submission import (
    DEFAULT_PRIORITY,
    HIGHEST_PRIORITY,
    JobOptions,
    Submitted,
    answer_of,
    hashed,
    secret_of,
)
from turnout.context import RequestContext
from turnout.errors import InvalidRequest, NotFound, Overloaded, RateLimitExceeded, ServedError
from turnout.jobs.feed import JobFeed
from turnout.jobs.worker import JobWorker
from turnout.loop_turns import LoopTurns
from turnout.numbers import parse_count
from turnout.openai.requests import ChatRequest, to_mapping
from turnout.ports.jobs import (
    ENDED,
    AcceptedJob,
    Job,
    JobKind,
    Jobs,
    JobsUnavailable,
    NewJob,
    QueueBounds,
    QueueState,
)
from turnout.ports.runtime import Clock
from turnout.settings import Settings
from turnout.telemetry.trace_context import submission
from turnout.webhooks.address_check import ForbiddenAddress, check_listed

log = logging.getLogger("turnout.jobs")

SECRET_HEADER = "x-turnout-job-secret"
# How long a DELETE waits for the worker to end the call.
CANCEL_S = 2.0
LONGEST_KEY = 255


class JobSubmissions:
    """Accepts jobs and answers for them. check: raises ServedError where a request can never be served. worker: of
    this process; None where it only submits. can_notify: whether webhooks can be sent."""

    def __init__(
        self,
        *,
        store: Jobs,
        settings: Settings,
        clock: Clock,
        check: Callable[[ChatRequest, RequestContext], None],
        feed: JobFeed,
        worker: JobWorker | None,
        can_notify: bool,
    ) -> None:
        queue = settings.queue
        assert queue is not None
        self._store = store
        self._queue = queue
        self._allow_hosts = settings.webhooks.allow_hosts
        self._secret_env = settings.webhooks.secret_env
        self._clock = clock
        self._check = check
        self._feed = feed
        self._worker = worker
        self._can_notify = can_notify
        self._bounds = QueueBounds(
            max_length=queue.max_length,
            max_per_user=queue.max_per_user,
            ttl_s=queue.result_ttl_s,
            max_bytes=queue.max_bytes,
        )
        self._chat_path = settings.server.chat_path
        self._heavy = frozenset(path for path, endpoint in settings.endpoints.items() if endpoint.heavy)
        self._warned = False
        # In a surge requests of other kinds have theirs between two submissions.
        self._turns = LoopTurns()

    def wants(self, request: ApiRequest, wire: WireAdapter | None = None) -> bool:
        """Whether this request becomes a job. wire: the protocol that it came in; None: chat completions."""
        path = self._chat_path if wire is None else request.path
        return path in self._heavy or parse_prefer(request.header("prefer")).respond_async

    async def accept(
        self,
        request: ApiRequest,
        chat: ChatRequest,
        context: RequestContext,
        wire: WireAdapter | None = None,
        asked: Mapping[str, Any] | None = None,
    ) -> Reply:
        """The reply to a submission: 202, or the answer itself where it is there within the caller's wait. asked: what
        the wire needs to know again when the job ends."""
        submitted = await self._submit(request, chat, context, wire, asked)
        return await self.accepted(submitted, request, parse_prefer(request.header("prefer")), wire)

    async def begin(
        self,
        request: ApiRequest,
        chat: ChatRequest,
        context: RequestContext,
        wire: WireAdapter,
        asked: Mapping[str, Any],
    ) -> Job:
        """The accepted job of a request in another protocol. Raises ServedError."""
        return (await self._submit(request, chat, context, wire, asked)).job

    async def _submit(
        self,
        request: ApiRequest,
        chat: ChatRequest,
        context: RequestContext,
        wire: WireAdapter | None,
        asked: Mapping[str, Any] | None,
    ) -> Submitted:
        noted = None if wire is None else {"name": wire.name, "asked": dict(asked or {})}
        return await self.submit_verb(chat, context, request.header("idempotency-key").strip(), noted)

    async def forget(self, job: Job) -> None:
        """Deletes the job with its result; one that runs is stopped. Raises Overloaded."""
        try:
            await self._store.purge(job_id=job.id)
        except JobsUnavailable as error:
            raise Overloaded("no job can be deleted at the moment", retry_after_s=1.0) from error
        self._feed.notify(job.id)

    async def take_turn(self) -> None:
        """Before a submission is prepared: in a surge requests of other kinds go between."""
        await self._turns.take()

    async def submit_verb(
        self,
        chat: ChatRequest,
        context: RequestContext,
        idempotency_key: str,
        wire: Mapping[str, Any] | None = None,
    ) -> Submitted:
        """The accepted job of a chat request whose extension says the rest. wire: the name of the protocol that it came
        in, and what that noted; None: chat completions. Raises ServedError."""
        await self.take_turn()
        self._check(chat, context)
        directives = context.narrowed(chat.extension).directives
        deadline_s = directives.deadline_s
        body = to_mapping(chat)
        spec = {
            "body": body,
            "user": context.caller.user,
            "request_id": context.request_id,
            "may_choose": context.may_choose,
            "beside_chat": chat.beside_chat,
            "session_id": context.session_id,
            "deadline_at": None if deadline_s is None else self._clock.time() + deadline_s,
            "directives": {
                "no_store": directives.no_store,
                "no_cache": directives.no_cache,
                "max_age_s": directives.max_age_s,
                # A worker of an earlier version knows neither.
                **({"min_fresh_s": directives.min_fresh_s} if directives.min_fresh_s else {}),
                **({"only_if_cached": True} if directives.only_if_cached else {}),
            },
        }
        most = HIGHEST_PRIORITY if context.may_choose else self._queue.max_priority
        wanted = JobOptions(
            priority=min(chat.extension.get("priority", DEFAULT_PRIORITY), most),
            webhook_url=chat.extension.get("webhook_url", ""),
            idempotency_key=idempotency_key,
        )
        if wire is not None:
            spec["wire"] = wire
            body = {"wire": wire, "body": body}
        return await self.submit("chat", spec, body, context, wanted)

    async def accepted(
        self, submitted: Submitted, request: ApiRequest, preferences: Preferences, wire: WireAdapter | None = None
    ) -> ApiReply:
        """The reply for an accepted job, after the caller's wait."""
        job = submitted.job
        if preferences.wait_s and job.status not in ENDED:
            job = await request.waits(self._wait(job, preferences.wait_s)) or job
            submitted = replace(submitted, job=job, state=await self._state(job.id))
        applied: Headers = [("preference-applied", preferences.applied)] if preferences.applied else []
        secret: Headers = [(SECRET_HEADER, submitted.secret)] if submitted.secret else []
        if preferences.wait_s is not None and job.status in ("done", "failed"):
            return answer_of(
                job, [("location", request.root + submitted.location), *applied, *secret], wire, request.request_id
            )
        headers: Headers = [
            ("location", request.root + submitted.location),
            ("x-request-id", request.request_id),
            ("retry-after", str(look_again_s(submitted.state, self._queue.concurrency))),
            *applied,
            *secret,
        ]
        return json_reply(202, submitted.to_dict(), headers)

    async def submit(
        self, kind: JobKind, spec: dict[str, Any], body: Any, context: RequestContext, wanted: JobOptions
    ) -> Submitted:
        """The accepted job. body: what an Idempotency-Key stands for. Raises ServedError."""
        self._check_wanted(wanted)
        caller = context.caller
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        secret = secret_of(wanted.idempotency_key, canonical) if caller.anonymous else ""
        job_id = f"job_{secrets.token_urlsafe(24)}"
        with submission(job_id, context.traceparent) as traceparent:
            if traceparent:
                spec["traceparent"] = traceparent
            return await self._accept(
                NewJob(
                    id=job_id,
                    kind=kind,
                    user=caller.user_key,
                    endpoint=caller.endpoint,
                    priority=wanted.priority,
                    spec=json.dumps(spec, separators=(",", ":")).encode(),
                    secret=hashed(secret),
                    idempotency_key=wanted.idempotency_key,
                    digest=hashlib.blake2b(canonical, digest_size=16).hexdigest(),
                    webhook_url=wanted.webhook_url,
                ),
                secret,
            )

    async def _accept(self, new: NewJob, secret: str) -> Submitted:
        try:
            accepted = await self._store.submit(new, self._bounds)
        except JobsUnavailable as error:
            raise Overloaded("no job can be accepted at the moment", retry_after_s=1.0) from error
        if self._worker is not None and isinstance(accepted, AcceptedJob):
            self._worker.wake()
        # A store replies to many at once.
        await self._turns.take()
        if not isinstance(accepted, AcceptedJob):
            raise self._refusal(accepted)
        if self._worker is None and not accepted.state.workers and not self._warned:
            self._warned = True
            log.warning("turnout: jobs are accepted, and %s", NO_WORKER)
        return Submitted(accepted.job, self._with_own_worker(accepted.state), secret, self._queue.concurrency)

    async def answer(self, request: ApiRequest) -> Reply:
        """Shows (GET) and cancels (DELETE) a job of the caller's own; `/events` below it tells its progress."""
        job_id, _, rest = request.path.partition(JOBS_PATH)[2].partition("/")
        if rest not in ("", "events"):
            raise NotFound(f"{request.path[:200]} is not served")
        job = await self._visible(job_id, request)
        if rest == "events":
            if request.method == "DELETE":
                raise NotFound("delete the job itself, not its events")
            after = parse_count(request.header("last-event-id").strip(), 2**53) or 0
            return JobEvents(self._store, self._feed, self._clock, job, after, [("x-request-id", request.request_id)])
        if request.method == "DELETE":
            job = await request.waits(self.cancel(job)) or job
            return json_reply(200, job_object(job), job_headers(job, request.request_id))
        preferences = parse_prefer(request.header("prefer"))
        applied: Headers = []
        if preferences.wait_s:
            job = await request.waits(self._wait(job, preferences.wait_s)) or job
            applied = [("preference-applied", f"wait={preferences.wait_s}")]
        state, concurrency = await self._state(job.id), self._queue.concurrency
        headers = job_headers(job, request.request_id, state, concurrency=concurrency)
        return json_reply(200, job_object(job, state, concurrency=concurrency), [*headers, *applied])

    async def warning(self) -> str:
        """What is wrong with the queue; "" where nothing is."""
        return "" if (await self._state()).workers else NO_WORKER

    async def find(self, job_id: str) -> Job | None:
        """The job, whoever asks: for the app's own code and commands. Raises JobsUnavailable."""
        return await self._store.find(job_id)

    async def _visible(self, job_id: str, request: ApiRequest) -> Job:
        """The job, if it is this caller's. Raises NotFound: whose it is else is not for them to know."""
        job = await self.look_up(job_id)
        mine = job is not None and job.user == request.caller.user_key
        if job is not None and job.secret:
            mine = mine and hmac.compare_digest(job.secret, hashed(request.header(SECRET_HEADER)))
        if job is None or not mine:
            raise NotFound(f"there is no job {job_id[:80]!r} of yours")
        return job

    async def _state(self, job_id: str = "") -> QueueState:
        try:
            state = await self._store.state(job_id)
        except JobsUnavailable:
            return QueueState(workers=1)
        return self._with_own_worker(state)

    def _with_own_worker(self, state: QueueState) -> QueueState:
        """The state as it is where this process works on jobs itself, seen by the store or not yet."""
        return replace(state, workers=1) if self._worker is not None and not state.workers else state

    async def look_up(self, job_id: str) -> Job | None:
        """The job, whoever asks. Raises Overloaded."""
        try:
            return await self._store.find(job_id)
        except JobsUnavailable as error:
            raise Overloaded("no job can be looked up at the moment", retry_after_s=1.0) from error

    async def cancel(self, job: Job) -> Job | None:
        """Cancels the job, and returns it as it is then. Raises Overloaded."""
        try:
            cancelled = await self._store.cancel(job.id, self._bounds)
        except JobsUnavailable as error:
            raise Overloaded("no job can be cancelled at the moment", retry_after_s=1.0) from error
        self._feed.notify(job.id)
        if cancelled is not None and cancelled.status == "running":
            return await self._wait(cancelled, CANCEL_S)
        if cancelled is not None and cancelled.hook == "pending" and self._worker is not None:
            self._worker.wake()
        return cancelled

    async def _wait(self, job: Job, seconds: float) -> Job | None:
        """The job when it has ended, or as it is after so many seconds."""
        until = self._clock.monotonic() + seconds
        found: Job | None = job
        while found is not None and found.status not in ENDED and (left := until - self._clock.monotonic()) > 0:
            await self._feed.changed(job.id, left)
            found = await self.look_up(job.id)
        return found

    def _check_wanted(self, wanted: JobOptions) -> None:
        if not 0 <= wanted.priority <= 9:
            raise InvalidRequest("turnout.priority must be a whole number from 0 to 9", param="turnout.priority")
        if len(wanted.idempotency_key) > LONGEST_KEY:
            raise InvalidRequest(f"Idempotency-Key has more than {LONGEST_KEY} characters", param="Idempotency-Key")
        if not wanted.webhook_url:
            return
        try:
            check_listed(wanted.webhook_url, self._allow_hosts)
        except ForbiddenAddress as error:
            raise InvalidRequest(f"turnout.webhook_url {error}", param="turnout.webhook_url") from error
        if not self._can_notify:
            raise InvalidRequest(
                f"turnout.webhook_url cannot be served: the app has set no {self._secret_env}",
                param="turnout.webhook_url",
            )

    def _refusal(self, reason: str) -> ServedError:
        if reason == "key_reused":
            return InvalidRequest(
                "this Idempotency-Key was used with another body",
                param="Idempotency-Key",
                code="idempotency_key_reused",
                status=422,
            )
        if reason == "user_full":
            most = self._queue.max_per_user
            return RateLimitExceeded(f"{most} jobs of this user wait already", retry_after_s=5.0)
        if reason == "store_full":
            return Overloaded("the jobs that are kept leave no room for this one", retry_after_s=60.0)
        return Overloaded(f"{self._queue.max_length} jobs wait already", retry_after_s=5.0)
