"""The Jobs port in Redis (lua/functions/jobs.lua): each verb is one script, in one round trip."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from turnout.ports.jobs import (
    LOOK_AHEAD,
    MAX_DELIVERIES,
    AcceptedJob,
    Job,
    JobEnd,
    JobEvent,
    JobsUnavailable,
    NewJob,
    PlaceInLine,
    QueueBounds,
    QueueState,
    SubmissionRefused,
    job_from,
    newly_queued,
)
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreUnreachable

TIMES = ("created", "since", "started", "ended", "not_before")
# Jobs deleted, and looked at, by one script: Redis serves nobody meanwhile.
PURGED_AT_ONCE = 500
LISTED_AT_ONCE = 1000


class RedisJobs:
    """Implements ports.jobs.Jobs."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    async def submit(self, job: NewJob, bounds: QueueBounds) -> AcceptedJob | SubmissionRefused:
        verdict, *rest = await self._run(
            "submit",
            *(job.id, job.kind, job.user, job.endpoint, job.priority, job.spec, job.secret),
            *(job.idempotency_key, job.digest, job.webhook_url),
            *(bounds.max_length, bounds.max_per_user, bounds.max_bytes),
        )
        if not rest:
            refused: SubmissionRefused = verdict.decode()
            return refused
        known, state = rest
        if verdict == b"created":
            seq, created_ms = map(int, known.split())
            return AcceptedJob(job=newly_queued(job, created_ms / 1000, seq), created=True, state=_state(state))
        earlier = _job(known)
        assert earlier is not None
        return AcceptedJob(job=earlier, created=False, state=_state(state))

    async def find(self, job_id: str) -> Job | None:
        return _job(await self._run("find", job_id))

    async def cancel(self, job_id: str, bounds: QueueBounds) -> Job | None:
        return _job(await self._run("cancel", job_id, _ms(bounds.ttl_s)))

    async def events(self, job_id: str, after: int) -> Sequence[JobEvent]:
        texts = await self._run("events", job_id, after)
        return [
            JobEvent(number=after + index, kind="chunk" if text[:1] == b"c" else "status", data=text[1:])
            for index, text in enumerate(texts, 1)
        ]

    async def state(self, job_id: str = "") -> QueueState:
        return _state(await self._run("state", *([job_id] if job_id else [])))

    async def claim(self, kinds: Collection[str], *, concurrency: int, lease_s: float) -> Job | None:
        allowed = f"|{'|'.join(kinds)}|"
        token = secrets.token_hex(8)
        bounds = (concurrency, _ms(lease_s), MAX_DELIVERIES, LOOK_AHEAD)
        return _job(await self._run("claim", token, allowed, *bounds))

    async def renew(self, worker: str, claims: Mapping[str, str], lease_s: float) -> Mapping[str, str]:
        held = [part for claim in claims.items() for part in claim]
        stopped = [part.decode() for part in await self._run("renew", worker, _ms(lease_s), *held)]
        return dict(zip(stopped[::2], stopped[1::2], strict=True))

    async def append(self, job_id: str, token: str, chunks: Sequence[bytes]) -> bool:
        return bool(await self._run("append", job_id, token, *chunks))

    async def finish(self, job_id: str, token: str, end: JobEnd, ttl_s: float) -> bool:
        return bool(await self._run("finish", job_id, token, end.status, _ms(ttl_s), end.result, end.head, end.error))

    async def put_back(self, job_id: str, token: str, after_s: float, *, failed: bool, lane: bool) -> bool:
        return bool(await self._run("put_back", job_id, token, _ms(after_s), int(failed), int(lane)))

    async def hold(self, job_id: str, token: str, model: str, most: int) -> bool:
        return bool(await self._run("hold", job_id, token, model, most))

    async def claim_webhook(self, lease_s: float) -> Job | None:
        return _job(await self._run("claim_webhook", _ms(lease_s)))

    async def note_webhook(self, job_id: str, state: Literal["pending", "delivered", "failed"], after_s: float) -> None:
        await self._run("note_webhook", job_id, state, _ms(after_s))

    async def list_jobs(self, *, status: str = "", user: str = "", limit: int = 100, before: int = 0) -> Sequence[Job]:
        jobs: list[Job] = []
        last = str(before) if before else "+inf"
        while last and len(jobs) < limit:
            last, found = await self._listed(status, user, limit - len(jobs), last)
            jobs += found
        return jobs

    async def _listed(self, status: str, user: str, limit: int, before: str) -> tuple[str, list[Job]]:
        last, found = await self._run("list", status, user, limit, before, LISTED_AT_ONCE)
        return last.decode(), [job for packed in found if (job := _job(packed)) is not None]

    async def retry(self, job_id: str) -> bool:
        return bool(await self._run("retry", job_id))

    async def purge(self, *, user: str = "", status: str = "", job_id: str = "") -> int:
        purged = 0
        while True:
            count = int(await self._run("purge", user, status, job_id, PURGED_AT_ONCE))
            purged += count
            if count < PURGED_AT_ONCE:
                return purged

    async def sweep(self) -> None:
        while int(await self._run("sweep")) == PURGED_AT_ONCE:
            pass

    async def close(self) -> None:
        await self._client.close()

    async def _run(self, verb: str, *arguments: str | bytes | int) -> Any:
        try:
            return await self._client.here().session.run("jobs", verb, *arguments)
        except StoreUnreachable as error:
            raise JobsUnavailable(f"Redis cannot be asked: {error}") from error


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _job(packed: bytes) -> Job | None:
    """The job of a packed hash; None where there is none."""
    texts = iter(_unpacked(packed))
    values = {name.decode(): value for name, value in zip(texts, texts, strict=True)}
    if "status" not in values:
        return None
    for name in TIMES:
        if values.get(name):
            values[name] = str(float(values[name]) / 1000).encode()
    return job_from(values)


def _unpacked(packed: bytes) -> Iterator[bytes]:
    """The texts of a list that `pack` in Lua made one."""
    lengths, _, texts = packed.partition(b":")
    at = 0
    for length in map(int, lengths.split()):
        yield texts[at : at + length]
        at += length


def _state(numbers: bytes) -> QueueState:
    waiting, running, oldest_ms, run_ms, workers, *line = map(int, numbers.split())
    return QueueState(
        waiting=waiting,
        running=running,
        oldest_s=oldest_ms / 1000,
        run_s=run_ms / 1000,
        workers=workers,
        position=_line(line).position if line else 0,
    )


def _line(values: Sequence[int]) -> PlaceInLine:
    names = ("higher", "own", "ahead", "lanes", "earlier", "others", "users", "before")
    return PlaceInLine(**dict(zip(names, values, strict=True)))
