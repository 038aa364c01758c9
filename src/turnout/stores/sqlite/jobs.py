"""The Jobs port in a SQLite file. Each verb is one transaction; times come from the host's clock, which all who share
the file share too."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from turnout.ports.jobs import (
    ENDED,
    AcceptedJob,
    Job,
    JobEnd,
    JobEvent,
    JobsUnavailable,
    NewJob,
    QueueBounds,
    QueueState,
    SubmissionRefused,
    job_from,
)
from turnout.ports.runtime import Clock
from turnout.stores.sqlite import claims, steps
from turnout.stores.sqlite.database import TimedDatabase

# In one step: the file's one writer serves requests between two of them.
DELETED_AT_ONCE = 500
# Behind every job's.
MOST_SEQ = 2**63 - 1
# As `steps.end` adds them.
END_EVENTS = tuple(json.dumps({"status": status}, separators=(",", ":")).encode() for status in sorted(ENDED))
PLACES = ", ".join("?" * len(END_EVENTS))


class SqliteJobs:
    """Implements ports.jobs.Jobs."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._database = TimedDatabase(path, clock, JobsUnavailable)

    async def submit(self, job: NewJob, bounds: QueueBounds) -> AcceptedJob | SubmissionRefused:
        return await self._database.run(lambda db, now: steps.submit(db, now, job, bounds))

    async def find(self, job_id: str) -> Job | None:
        return await self._database.run(lambda db, now: steps.find(db, now, job_id))

    async def cancel(self, job_id: str, bounds: QueueBounds) -> Job | None:
        return await self._database.run(lambda db, now: steps.cancel(db, now, job_id, bounds.ttl_s))

    async def events(self, job_id: str, after: int) -> Sequence[JobEvent]:
        return await self._database.run(lambda db, now: steps.events(db, job_id, after))

    async def state(self, job_id: str = "") -> QueueState:
        return await self._database.run(lambda db, now: steps.state(db, now, job_id))

    async def claim(self, kinds: Collection[str], *, concurrency: int, lease_s: float) -> Job | None:
        return await self._database.run(
            lambda db, now: claims.claim(db, now, kinds, concurrency=concurrency, lease_s=lease_s)
        )

    async def renew(self, worker: str, held: Mapping[str, str], lease_s: float) -> Mapping[str, str]:
        return await self._database.run(lambda db, now: claims.renew(db, now, worker, held, lease_s))

    async def append(self, job_id: str, token: str, chunks: Sequence[bytes]) -> bool:
        return await self._database.run(lambda db, now: claims.append(db, job_id, token, chunks))

    async def finish(self, job_id: str, token: str, end: JobEnd, ttl_s: float) -> bool:
        return await self._database.run(lambda db, now: claims.finish(db, now, job_id, token, end, ttl_s))

    async def put_back(self, job_id: str, token: str, after_s: float, *, failed: bool, lane: bool) -> bool:
        return await self._database.run(
            lambda db, now: claims.put_back(db, now, job_id, token, after_s, failed=failed, lane=lane)
        )

    async def hold(self, job_id: str, token: str, model: str, most: int) -> bool:
        return await self._database.run(lambda db, now: claims.hold(db, job_id, token, model, most))

    async def claim_webhook(self, lease_s: float) -> Job | None:
        def step(db: sqlite3.Connection, now: float) -> Job | None:
            row = db.execute(
                "SELECT * FROM jobs WHERE hook = 'pending' AND hook_at <= ? ORDER BY hook_at LIMIT 1", (now,)
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE jobs SET hook_at = ? WHERE id = ?", (now + lease_s, row["id"]))
            ends = db.execute(
                f"SELECT COUNT(*) FROM events WHERE job = ? AND kind = 'status' AND data IN ({PLACES})",
                (row["id"], *END_EVENTS),
            ).fetchone()[0]
            return job_from({**dict(row), "ends": ends})

        return await self._database.run(step)

    async def note_webhook(self, job_id: str, state: Literal["pending", "delivered", "failed"], after_s: float) -> None:
        await self._database.run(
            lambda db, now: db.execute(
                "UPDATE jobs SET hook = ?, hook_at = ?, hook_tries = hook_tries + 1 WHERE id = ? AND hook = 'pending'",
                (state, now + after_s, job_id),
            )
        )

    async def list_jobs(self, *, status: str = "", user: str = "", limit: int = 100, before: int = 0) -> Sequence[Job]:
        where, values = _where(status=status, user=user)
        older = f"{where} AND seq < ?" if where else " WHERE seq < ?"
        query = f"SELECT * FROM jobs{older} ORDER BY seq DESC LIMIT ?"
        bounds = (before or MOST_SEQ, limit)
        return await self._database.run(
            lambda db, now: [job_from(dict(row)) for row in db.execute(query, (*values, *bounds))]
        )

    async def retry(self, job_id: str) -> bool:
        return await self._database.run(lambda db, now: steps.retry(db, now, job_id))

    async def purge(self, *, user: str = "", status: str = "", job_id: str = "") -> int:
        where, values = _where(status=status, user=user, id=job_id)
        # A worker that still runs one finds its claim lost.
        some = f"SELECT id FROM jobs{where or ' WHERE status <> ' + repr('running')} LIMIT {DELETED_AT_ONCE}"
        return await self._database.purge(f"DELETE FROM jobs WHERE id IN ({some})", values, DELETED_AT_ONCE)

    async def sweep(self) -> None:
        some = f"SELECT id FROM jobs WHERE expires <= ? LIMIT {DELETED_AT_ONCE}"
        query = f"DELETE FROM jobs WHERE id IN ({some})"
        while await self._database.run(lambda db, now: db.execute(query, (now,)).rowcount) == DELETED_AT_ONCE:
            # Others have their turn between two steps.
            pass

    async def close(self) -> None:
        await self._database.close()


def _where(**columns: str) -> tuple[str, tuple[str, ...]]:
    given = {name: value for name, value in columns.items() if value}
    conditions = " AND ".join(f"{name} = ?" for name in given)
    return (f" WHERE {conditions}" if given else ""), tuple(given.values())
