"""What workers do to the jobs in a SQLite file: each function is one step of a transaction."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping, Sequence

from turnout.ports.jobs import LOOK_AHEAD, MAX_DELIVERIES, Job, JobEnd, job_from
from turnout.stores.sqlite.lanes import (
    LANE,
    delay_lane,
    hold_lane,
    lane_key,
    lane_of,
    next_lane,
    open_due_lanes,
    open_lane,
    pass_turn,
    suspend_lane,
)
from turnout.stores.sqlite.steps import add_event, end

# The part of the average that the last run counts for.
RUN_WEIGHT = 0.1
# What a job that took down every worker is kept for.
LOST_TTL_S = 86_400.0
LOST_ERROR = json.dumps(
    {
        "message": f"{MAX_DELIVERIES} workers have died while they ran this job",
        "type": "api_error",
        "code": "worker_lost",
        "param": None,
    }
).encode()


def claim(
    db: sqlite3.Connection, now: float, kinds: Collection[str], *, concurrency: int, lease_s: float
) -> Job | None:
    """The next job of the lane that was served longest ago, at the highest priority that may run."""
    take_back(db, now)
    open_due_lanes(db, now)
    if db.execute("SELECT COUNT(*) FROM jobs WHERE status = 'running'").fetchone()[0] >= concurrency:
        return None
    while (lane := next_lane(db, kinds)) is not None:
        row = _next_in(db, now, lane)
        if row is not None:
            return _begin(db, now, row, lease_s)
    return None


def _next_in(db: sqlite3.Connection, now: float, lane: sqlite3.Row) -> sqlite3.Row | None:
    """The lane's next job that may run now; where there is none, the lane leaves the round."""
    key = lane_key(lane)
    earliest: float | None = None
    # By the index alone: the requests of those that wait are not read.
    for seq, not_before in db.execute(
        "SELECT seq, not_before FROM jobs INDEXED BY jobs_lane"
        f" WHERE status = 'queued' AND {LANE} ORDER BY seq LIMIT {LOOK_AHEAD}",
        key,
    ):
        if not_before <= now:
            pass_turn(db, key, lane["turn"])
            row: sqlite3.Row = db.execute("SELECT * FROM jobs WHERE seq = ?", (seq,)).fetchone()
            return row
        earliest = not_before if earliest is None else min(earliest, not_before)
    suspend_lane(db, key, earliest)
    return None


def _begin(db: sqlite3.Connection, now: float, row: sqlite3.Row, lease_s: float) -> Job:
    begun = {"status": "running", "started": now, "token": secrets.token_hex(8), "deliveries": row["deliveries"] + 1}
    db.execute(
        "UPDATE jobs SET status = ?, started = ?, token = ?, deliveries = ?, lease = ? WHERE id = ?",
        (*begun.values(), now + lease_s, row["id"]),
    )
    add_event(db, row["id"], "status", {"status": "running", "attempt": begun["deliveries"]})
    return job_from({**dict(row), **begun})


def take_back(db: sqlite3.Connection, now: float) -> None:
    """Lets jobs whose worker is gone wait again, in their place."""
    for row in db.execute("SELECT * FROM jobs WHERE status = 'running' AND lease < ?", (now,)).fetchall():
        job = job_from(dict(row))
        if job.cancel:
            end(db, now, job, "cancelled", LOST_TTL_S)
        elif job.deliveries >= MAX_DELIVERIES:
            end(db, now, job, "failed", LOST_TTL_S, error=LOST_ERROR)
        else:
            _queue(db, job, 0.0)


def renew(
    db: sqlite3.Connection, now: float, worker: str, held: Mapping[str, str], lease_s: float
) -> Mapping[str, str]:
    db.execute("INSERT INTO workers VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seen = excluded.seen", (worker, now))
    db.execute("DELETE FROM workers WHERE seen < ?", (now - 3600,))
    stopped: dict[str, str] = {}
    for job_id, token in held.items():
        row = _held(db, job_id, token)
        if row is None:
            stopped[job_id] = "lost"
            continue
        db.execute("UPDATE jobs SET lease = ? WHERE id = ?", (now + lease_s, job_id))
        if row["cancel"]:
            stopped[job_id] = "cancelled"
    return stopped


def hold(db: sqlite3.Connection, job_id: str, token: str, model: str, most: int) -> bool:
    if _held(db, job_id, token) is None:
        return False
    others = db.execute("SELECT COUNT(*) FROM places WHERE model = ? AND job <> ?", (model, job_id)).fetchone()[0]
    if others >= most:
        return False
    db.execute(
        "INSERT INTO places VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET model = excluded.model", (job_id, model)
    )
    return True


def append(db: sqlite3.Connection, job_id: str, token: str, chunks: Sequence[bytes]) -> bool:
    if _held(db, job_id, token) is None:
        return False
    for chunk in chunks:
        add_event(db, job_id, "chunk", chunk)
    return True


def finish(db: sqlite3.Connection, now: float, job_id: str, token: str, ending: JobEnd, ttl_s: float) -> bool:
    row = _held(db, job_id, token)
    if row is None:
        return False
    job = job_from(dict(row))
    end(db, now, job, ending.status, ttl_s, result=ending.result, head=ending.head, error=ending.error)
    db.execute(
        "INSERT INTO numbers VALUES ('run_s', ?) ON CONFLICT (name) DO UPDATE"
        " SET value = iif(value = 0, excluded.value, value + ? * (excluded.value - value))",
        (now - (job.started or now), RUN_WEIGHT),
    )
    return True


def put_back(
    db: sqlite3.Connection, now: float, job_id: str, token: str, after_s: float, *, failed: bool, lane: bool
) -> bool:
    row = _held(db, job_id, token)
    if row is None:
        return False
    job = job_from(dict(row))
    if job.cancel:
        end(db, now, job, "cancelled", LOST_TTL_S)
        return True
    # The worker gave it back itself: nobody died over it.
    db.execute(
        "UPDATE jobs SET attempts = attempts + ?, deliveries = deliveries - ? WHERE id = ?",
        (int(failed), int(not failed), job_id),
    )
    _queue(db, job, now + after_s if after_s else 0.0)
    if lane:
        hold_lane(db, lane_of(job), now + after_s)
    return True


def _queue(db: sqlite3.Connection, job: Job, not_before: float) -> None:
    db.execute("UPDATE jobs SET status = 'queued', token = '', not_before = ? WHERE id = ?", (not_before, job.id))
    if not_before:
        delay_lane(db, lane_of(job), not_before)
    else:
        open_lane(db, lane_of(job))
    add_event(db, job.id, "status", {"status": "queued"})


def _held(db: sqlite3.Connection, job_id: str, token: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM jobs WHERE id = ? AND token = ? AND status = 'running'", (job_id, token)
    ).fetchone()
    return row
