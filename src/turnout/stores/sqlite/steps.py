"""What requests and commands do to the jobs in a SQLite file: each function is one step of a transaction."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

from turnout.ports.jobs import (
    AcceptedJob,
    Job,
    JobEvent,
    NewJob,
    QueueBounds,
    QueueState,
    SubmissionRefused,
    job_from,
    newly_queued,
)
from turnout.stores.sqlite.lanes import lane_of, open_lane
from turnout.stores.sqlite.places import new_position, position, waiting_of

# How long after its last sign a worker counts as gone.
WORKER_SEEN_S = 30.0


def submit(db: sqlite3.Connection, now: float, job: NewJob, bounds: QueueBounds) -> AcceptedJob | SubmissionRefused:
    """Accepts the job, or finds the one that its Idempotency-Key names."""
    if job.idempotency_key:
        db.execute(
            "DELETE FROM jobs WHERE user = ? AND idempotency_key = ? AND expires <= ?",
            (job.user, job.idempotency_key, now),
        )
        row = db.execute(
            "SELECT * FROM jobs WHERE user = ? AND idempotency_key = ?", (job.user, job.idempotency_key)
        ).fetchone()
        if row is not None:
            if row["digest"] != job.digest:
                return "key_reused"
            return AcceptedJob(job=job_from(dict(row)), created=False, state=state(db, now, row["id"]))
    waiting = waiting_of(db, job.user)
    if sum(waiting.all.values()) >= bounds.max_length:
        return "queue_full"
    if sum(waiting.own.values()) >= bounds.max_per_user:
        return "user_full"
    if waiting.kept_bytes + len(job.spec) > bounds.max_bytes:
        return "store_full"
    db.execute(
        "INSERT INTO jobs (id, kind, user, endpoint, priority, spec, secret, idempotency_key, digest, webhook_url,"
        " status, created, since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
        (
            *(job.id, job.kind, job.user, job.endpoint, job.priority, job.spec, job.secret),
            *(job.idempotency_key or None, job.digest, job.webhook_url, now, now),
        ),
    )
    open_lane(db, lane_of(job))
    add_event(db, job.id, "status", {"status": "queued"})
    position = new_position(waiting, job.priority)
    # Not read again: in a surge each statement is a turn for which the thread waits.
    return AcceptedJob(job=newly_queued(job, now), created=True, state=replace(state(db, now), position=position))


def find(db: sqlite3.Connection, now: float, job_id: str) -> Job | None:
    row = db.execute("SELECT * FROM jobs WHERE id = ? AND (expires IS NULL OR expires > ?)", (job_id, now)).fetchone()
    return None if row is None else job_from(dict(row))


def cancel(db: sqlite3.Connection, now: float, job_id: str, ttl_s: float) -> Job | None:
    job = find(db, now, job_id)
    if job is not None and job.status == "queued":
        end(db, now, job, "cancelled", ttl_s)
    elif job is not None and job.status == "running":
        db.execute("UPDATE jobs SET cancel = 1 WHERE id = ?", (job_id,))
    return find(db, now, job_id)


def end(
    db: sqlite3.Connection,
    now: float,
    job: Job,
    status: str,
    ttl_s: float,
    *,
    result: bytes = b"",
    head: bytes = b"",
    error: bytes = b"",
) -> None:
    """Ends a job, and makes its webhook due."""
    db.execute(
        "UPDATE jobs SET status = ?, ended = ?, expires = ?, token = '', result = ?, head = ?, error = ?, hook = ?,"
        " hook_at = ? WHERE id = ?",
        (status, now, now + ttl_s, result, head, error, "pending" if job.webhook_url else "", now, job.id),
    )
    add_event(db, job.id, "status", {"status": status})


def events(db: sqlite3.Connection, job_id: str, after: int) -> list[JobEvent]:
    rows = db.execute(
        "SELECT number, kind, data FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT 1000",
        (job_id, after),
    )
    return [JobEvent(number=row["number"], kind=row["kind"], data=bytes(row["data"])) for row in rows]


def retry(db: sqlite3.Connection, now: float, job_id: str) -> bool:
    job = find(db, now, job_id)
    if job is None or job.status not in ("failed", "cancelled"):
        return False
    db.execute(
        "UPDATE jobs SET status = 'queued', since = ?, ended = NULL, expires = NULL, error = NULL, cancel = 0,"
        " attempts = 0, deliveries = 0, not_before = 0, hook = '', hook_tries = 0 WHERE id = ?",
        (now, job_id),
    )
    open_lane(db, lane_of(job))
    add_event(db, job_id, "status", {"status": "queued"})
    return True


def state(db: sqlite3.Connection, now: float, job_id: str = "") -> QueueState:
    row = db.execute(
        "SELECT (SELECT sum(jobs) FROM lines WHERE user = '') AS waiting,"
        " (SELECT COUNT(*) FROM jobs WHERE status = 'running') AS running,"
        " (SELECT COUNT(*) FROM workers WHERE seen > ?) AS workers,"
        " (SELECT min(since) FROM jobs WHERE status = 'queued') AS oldest,"
        " (SELECT value FROM numbers WHERE name = 'run_s') AS run_s",
        (now - WORKER_SEEN_S,),
    ).fetchone()
    return QueueState(
        waiting=row["waiting"] or 0,
        running=row["running"],
        oldest_s=max(0.0, now - row["oldest"]) if row["oldest"] is not None else 0.0,
        run_s=row["run_s"] or 0.0,
        workers=row["workers"],
        position=position(db, job_id) if job_id else 0,
    )


def add_event(db: sqlite3.Connection, job_id: str, kind: str, data: object) -> None:
    encoded = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    db.execute(
        "INSERT INTO events SELECT ?, coalesce(max(number), 0) + 1, ?, ? FROM events WHERE job = ?",
        (job_id, kind, encoded, job_id),
    )
