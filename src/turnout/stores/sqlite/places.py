"""The place in line of a waiting job: by counts that the tables keep, and by a bounded number of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from turnout.ports.jobs import JobKind, PlaceInLine

# What is counted row by row: beyond it a bound must do.
MOST_JOBS_COUNTED = 1000
MOST_LANES_COUNTED = 200
KINDS: tuple[str, ...] = get_args(JobKind)


@dataclass(frozen=True, slots=True)
class WaitingCounts:
    """How many jobs wait at each priority, of all and of one user, and of how many users there; the bytes of all jobs
    that are kept. One statement gives them: in a surge each is a turn for which the thread waits."""

    all: Mapping[int, int]
    own: Mapping[int, int]
    users: Mapping[int, int]
    kept_bytes: int


def waiting_of(db: sqlite3.Connection, user: str) -> WaitingCounts:
    """What waits of all, and of this user."""
    all_: dict[int, int] = {}
    own: dict[int, int] = {}
    users: dict[int, int] = {}
    kept_bytes = 0
    for of, priority, value, users_there in db.execute(
        "SELECT 'all', priority, jobs, users FROM lines WHERE user = ''"
        " UNION ALL SELECT 'own', priority, jobs, 0 FROM lines WHERE user = ?"
        " UNION ALL SELECT 'bytes', 0, value, 0 FROM numbers WHERE name = 'job_bytes'",
        (user,),
    ):
        if of == "all":
            all_[priority], users[priority] = value, users_there
        elif of == "own":
            own[priority] = value
        else:
            kept_bytes = int(value)
    return WaitingCounts(all_, own, users, kept_bytes)


def position(db: sqlite3.Connection, job_id: str) -> int:
    """The farthest place that this job can have; 0 where it does not wait."""
    job = db.execute(
        "SELECT seq, priority, user, endpoint, kind FROM jobs WHERE id = ? AND status = 'queued'", (job_id,)
    ).fetchone()
    if job is None:
        return 0
    waiting = waiting_of(db, job["user"])
    key = (job["priority"], job["user"], job["endpoint"], job["kind"])
    turns = {
        (lane["endpoint"], lane["kind"]): lane["turn"]
        for lane in db.execute(
            "SELECT endpoint, kind, turn FROM lanes WHERE priority = ? AND user = ? AND +not_before = 0", key[:2]
        )
    }
    own, users = waiting.own[key[0]], waiting.users[key[0]] - 1
    before = _users_before(db, key[0], min(turns.values())) if turns else None
    # A lane that waits comes after those that take part in the round.
    mine = turns.setdefault(key[2:], max(turns.values(), default=0) + 1)
    return PlaceInLine(
        higher=_higher(waiting, key[0]),
        own=own,
        ahead=_ahead(db, key, job["seq"]),
        lanes=len(turns),
        earlier=sum(turn < mine for turn in turns.values()),
        others=waiting.all[key[0]] - own,
        users=users,
        before=users if before is None else before,
    ).position


def _users_before(db: sqlite3.Connection, priority: int, turn: int) -> int | None:
    """How many users have a lane with an earlier turn; None where they are many."""
    lanes = (
        "SELECT user FROM lanes INDEXED BY lanes_open"
        f" WHERE kind IN ({', '.join('?' * len(KINDS))}) AND priority = ? AND turn < ? AND not_before = 0"
        f" LIMIT {MOST_LANES_COUNTED}"
    )
    counted = db.execute(
        f"SELECT COUNT(DISTINCT user) AS users, COUNT(*) AS lanes FROM ({lanes})", (*KINDS, priority, turn)
    ).fetchone()
    return counted["users"] if counted["lanes"] < MOST_LANES_COUNTED else None


def new_position(waiting: WaitingCounts, priority: int) -> int:
    """The farthest place of a new job. waiting: before it came."""
    own = waiting.own.get(priority, 0)
    users = waiting.users.get(priority, 0) - bool(own)
    return PlaceInLine(
        higher=_higher(waiting, priority),
        own=own + 1,
        ahead=own,
        lanes=1,
        earlier=0,
        others=waiting.all.get(priority, 0) - own,
        users=users,
        before=users,
    ).position


def _higher(waiting: WaitingCounts, priority: int) -> int:
    return sum(jobs for at, jobs in waiting.all.items() if at > priority)


def _ahead(db: sqlite3.Connection, key: tuple[int, str, str, str], seq: int) -> int:
    """How many wait in its lane before this one; where they are many, no fewer than so many."""
    lane = "jobs WHERE status = 'queued' AND priority = ? AND user = ? AND endpoint = ? AND kind = ?"
    some = f"SELECT 1 FROM {lane} AND seq < ? LIMIT {MOST_JOBS_COUNTED}"
    counted: int = db.execute(f"SELECT COUNT(*) FROM ({some})", (*key, seq)).fetchone()[0]
    if counted < MOST_JOBS_COUNTED:
        return counted
    first: int = db.execute(f"SELECT min(seq) FROM {lane}", key).fetchone()[0]
    return seq - first
