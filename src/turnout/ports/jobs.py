"""Jobs: heavy work taken off the request path, as requests, workers and commands meet it in a store. Every verb raises
JobsUnavailable where the store cannot be reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: frozenset[str] = frozenset({"done", "failed", "cancelled"})
# chat: a chat completion of ours. http: a request of the app's own path, replayed through the app.
JobKind = Literal["chat", "http"]
# After so many workers have died in the middle of it, a job is not begun again.
MAX_DELIVERIES = 10
# So many jobs at the head of a lane may wait for a time of their own, until there is room or they are tried again; then
# what is behind them waits too, and is not tried one by one.
LOOK_AHEAD = 100


class JobsUnavailable(Exception):
    """The store of the jobs cannot be reached, or fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to accept. user: a `user_key`. spec: JSON of what to run, for whoever runs it. secret: the hash of an
    anonymous caller's, else "". idempotency_key: "" where none. digest: stands for the body under that key."""

    id: str
    kind: JobKind
    user: str
    endpoint: str
    priority: int
    spec: bytes
    secret: str = ""
    idempotency_key: str = ""
    digest: str = ""
    webhook_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the store knows it. Times in seconds since 1970, None where not yet.

    attempts: runs that ended in a failure that may pass. deliveries: how often a worker has begun it. token: of the
    claim that runs it. since: when its wait began, as it was accepted or queued again by a retry. not_before: when it
    may run, 0.0 at once. cancel: its worker is asked to end it. result, head,
    error: JSON of what it ended with, `head` the response's status and headers. hook: its webhook's state, `pending`,
    `delivered` or `failed`; "" where it has none or has not ended. hook_tries: how often it was sent. ends: how
    often the job has ended; told by `claim_webhook`. seq: its number in the order of acceptance, from 1.
    """

    id: str
    kind: JobKind
    user: str
    endpoint: str
    priority: int
    spec: bytes
    secret: str
    digest: str
    webhook_url: str
    status: JobStatus
    created: float
    since: float
    started: float | None = None
    ended: float | None = None
    not_before: float = 0.0
    attempts: int = 0
    deliveries: int = 0
    token: str = ""
    cancel: bool = False
    result: bytes = b""
    head: bytes = b""
    error: bytes = b""
    hook: str = ""
    hook_tries: int = 0
    ends: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """What happened to a job, numbered from 1. data: JSON."""

    number: int
    kind: Literal["status", "chunk"]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job ended."""

    status: Literal["done", "failed", "cancelled"]
    result: bytes = b""
    head: bytes = b""
    error: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueBounds:
    """max_length: jobs that may wait in all. max_per_user: of one user. ttl_s: how long an ended job is kept.
    max_bytes: of the requests, results and events of all jobs that are kept, waiting, running or ended."""

    max_length: int
    max_per_user: int
    ttl_s: float
    max_bytes: int = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """waiting, running: jobs. oldest_s: how long the oldest waits. run_s: how long recent runs took, on average.
    workers: processes seen within the last 30 s that work on jobs. position: the farthest place in line of the job that
    was asked about; 0 where none was, or it does not wait."""

    waiting: int = 0
    running: int = 0
    oldest_s: float = 0.0
    run_s: float = 0.0
    workers: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceInLine:
    """What stands between a waiting job and its turn. higher: jobs of higher priorities. At its own priority: `own` of
    its user, itself included, `ahead` of them before it in its lane; `lanes` of this user, `earlier` of which have
    their turn before its own; `others` of other users, of `users` in all, at most `before` of whom have their turn
    before this one."""

    higher: int
    own: int
    ahead: int
    lanes: int
    earlier: int
    others: int
    users: int
    before: int

    @property
    def position(self) -> int:
        """The farthest place that the job can have by what waits now: users take turns, and so do one user's lanes.
        What is submitted behind it changes nothing of it, but for the turns of users that are new to the round."""
        mine = min(self.own, self.ahead * self.lanes + self.earlier + 1)
        return self.higher + mine + min(self.others, (mine - 1) * self.users + min(self.users, self.before))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedJob:
    """An accepted job. created: False where the Idempotency-Key named an earlier one."""

    job: Job
    created: bool
    state: QueueState


# As many jobs wait as may in all, or of this user; or the Idempotency-Key was sent with another body.
SubmissionRefused = Literal["queue_full", "user_full", "store_full", "key_reused"]


class JobStore(Protocol):
    """What requests ask of the jobs. Each method is one atomic step."""

    async def submit(self, job: NewJob, bounds: QueueBounds) -> AcceptedJob | SubmissionRefused:
        """Accepts the job, or finds the one that its Idempotency-Key names."""
        ...

    async def find(self, job_id: str) -> Job | None:
        """The job; None where it is unknown or has expired."""
        ...

    async def cancel(self, job_id: str, bounds: QueueBounds) -> Job | None:
        """Ends a waiting job; asks the worker of a running one to end it. Returns the job as it is then."""
        ...

    async def events(self, job_id: str, after: int) -> Sequence[JobEvent]:
        """The events after this number."""
        ...

    async def state(self, job_id: str = "") -> QueueState:
        """What waits and runs now, of all users; and the place in line of this job."""
        ...


class JobQueue(Protocol):
    """What workers ask of the jobs. A claim's token fences it: what another has claimed since is not ended twice."""

    async def claim(self, kinds: Collection[str], *, concurrency: int, lease_s: float) -> Job | None:
        """The next job in the fair order, claimed for `lease_s`; None where none may run, or as many as `concurrency`
        run already, over all workers."""
        ...

    async def renew(self, worker: str, claims: Mapping[str, str], lease_s: float) -> Mapping[str, str]:
        """Renews the leases of these jobs (id to token), and says that the worker lives. Returns those to stop:
        `lost` or `cancelled`."""
        ...

    async def append(self, job_id: str, token: str, chunks: Sequence[bytes]) -> bool:
        """Adds chunk events. False where the claim is lost."""
        ...

    async def finish(self, job_id: str, token: str, end: JobEnd, ttl_s: float) -> bool:
        """Ends the job. False where the claim is lost."""
        ...

    async def put_back(self, job_id: str, token: str, after_s: float, *, failed: bool, lane: bool) -> bool:
        """Lets the job wait again, in its place. failed: it counts as an attempt. lane: all that this user has waiting
        from this endpoint waits as long. False where the claim is lost."""
        ...


class ModelPlaces(Protocol):
    """How many running jobs call a model at once, over all workers."""

    async def hold(self, job_id: str, token: str, model: str, most: int) -> bool:
        """Lets the job call this model, unless `most` others do, or its claim is lost. Its place is free again when it
        holds one of another model, or no longer runs."""
        ...


class WebhookQueue(Protocol):
    """The webhooks of jobs that have ended."""

    async def claim_webhook(self, lease_s: float) -> Job | None:
        """A job whose webhook is due; nobody else gets it within `lease_s`."""
        ...

    async def note_webhook(self, job_id: str, state: Literal["pending", "delivered", "failed"], after_s: float) -> None:
        """Records a try, unless the job is queued again. pending: the next one is due in `after_s`."""
        ...


class JobAdmin(Protocol):
    """What commands ask of the jobs."""

    async def list_jobs(self, *, status: str = "", user: str = "", limit: int = 100, before: int = 0) -> Sequence[Job]:
        """The newest first. before: only those that were accepted before the job of this `seq`; 0: all."""
        ...

    async def retry(self, job_id: str) -> bool:
        """Queues a failed or cancelled job again. False where there is none such."""
        ...

    async def purge(self, *, user: str = "", status: str = "", job_id: str = "") -> int:
        """Deletes ended and waiting jobs with results and events; of a user (a `user_key`) running ones too. Returns
        how many."""
        ...

    async def sweep(self) -> None:
        """Deletes what has expired."""
        ...

    async def close(self) -> None: ...


class Jobs(JobStore, JobQueue, ModelPlaces, WebhookQueue, JobAdmin, Protocol):
    """All that one store of jobs does."""


def newly_queued(job: NewJob, created: float, seq: int = 0) -> Job:
    """The job as a store has just accepted it: known without being read again. seq: 0 where the store tells none."""
    return Job(
        id=job.id,
        kind=job.kind,
        user=job.user,
        endpoint=job.endpoint,
        priority=job.priority,
        spec=job.spec,
        secret=job.secret,
        digest=job.digest,
        webhook_url=job.webhook_url,
        status="queued",
        created=created,
        since=created,
        seq=seq,
    )


def job_from(fields: Mapping[str, Any]) -> Job:
    """The job of a store's row: a database's types, or Redis' bytes."""
    values = {name: _typed(name, value) for name, value in fields.items() if name in _TYPES}
    # One that was accepted by a version of before has none.
    values["since"] = values.get("since") or values["created"]
    return Job(**values)


_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(
        ("id", "kind", "user", "endpoint", "secret", "digest", "webhook_url", "status", "token", "hook"), str
    ),
    **dict.fromkeys(("spec", "result", "head", "error"), bytes),
    **dict.fromkeys(("created", "since", "started", "ended", "not_before"), float),
    **dict.fromkeys(("priority", "attempts", "deliveries", "hook_tries", "ends", "seq"), int),
    "cancel": bool,
}


def _typed(name: str, value: Any) -> Any:
    kind = _TYPES[name]
    if kind is bytes:
        return value.encode() if isinstance(value, str) else (value or b"")
    if kind is str:
        return value.decode() if isinstance(value, bytes) else (value or "")
    if kind is bool:
        return bool(int(value or 0))
    if name in ("started", "ended"):
        return float(value) if value not in (None, b"", "") else None
    return kind(value or 0)
