"""The place in line of a waiting job: by counts that the tables keep, and by a bounded number of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from turnout.ports.jobs import PlaceInLine

# What is counted row by row: beyond it a bound must do.
MOST_JOBS_COUNTED = 1000
MOST_LANES_COUNTED = 200


def lines(db: sqlite3.Connection, user: str) -> Sequence[sqlite3.Row]:
    """How many jobs wait at each priority: of all (user ''), and of this user."""
    return db.execute("SELECT user, priority, jobs, users FROM lines WHERE user IN ('', ?)", (user,)).fetchall()


def position(db: sqlite3.Connection, job_id: str) -> int:
    """The farthest place that this job can have; 0 where it does not wait."""
    job = db.execute(
        "SELECT seq, priority, user, endpoint, kind FROM jobs WHERE id = ? AND status = 'queued'", (job_id,)
    ).fetchone()
    if job is None:
        return 0
    waiting = lines(db, job["user"])
    key = (job["priority"], job["user"], job["endpoint"], job["kind"])
    turns = {
        (lane["endpoint"], lane["kind"]): lane["turn"]
        for lane in db.execute("SELECT endpoint, kind, turn FROM lanes WHERE priority = ? AND user = ?", key[:2])
    }
    first = min(turns.values())
    before = db.execute(
        "SELECT COUNT(DISTINCT user) AS users, COUNT(*) AS lanes FROM (SELECT user FROM lanes INDEXED BY lanes_next"
        f" WHERE priority = ? AND turn < ? LIMIT {MOST_LANES_COUNTED})",
        (key[0], first),
    ).fetchone()
    return _line(
        waiting,
        key[0],
        own=_jobs(waiting, key[0], own=True),
        ahead=_ahead(db, key, job["seq"]),
        lanes=len(turns),
        earlier=sum(turn < turns[key[2:]] for turn in turns.values()),
        before=before["users"] if before["lanes"] < MOST_LANES_COUNTED else None,
    ).position


def new_position(waiting: Sequence[sqlite3.Row], priority: int) -> int:
    """The farthest place of a new job. waiting: the lines before it came."""
    own = _jobs(waiting, priority, own=True)
    return _line(waiting, priority, own=own + 1, ahead=own, lanes=1, earlier=0, before=None).position


def _line(
    waiting: Sequence[sqlite3.Row],
    priority: int,
    *,
    own: int,
    ahead: int,
    lanes: int,
    earlier: int,
    before: int | None,
) -> PlaceInLine:
    """before: None where nobody has counted."""
    mine = _jobs(waiting, priority, own=True)
    users = sum(line["users"] for line in waiting if not line["user"] and line["priority"] == priority) - bool(mine)
    return PlaceInLine(
        higher=sum(line["jobs"] for line in waiting if not line["user"] and line["priority"] > priority),
        own=own,
        ahead=ahead,
        lanes=lanes,
        earlier=earlier,
        others=_jobs(waiting, priority, own=False) - mine,
        users=users,
        before=users if before is None else before,
    )


def _jobs(waiting: Sequence[sqlite3.Row], priority: int, *, own: bool) -> int:
    return sum(line["jobs"] for line in waiting if bool(line["user"]) is own and line["priority"] == priority)


def _ahead(db: sqlite3.Connection, key: tuple[int, str, str, str], seq: int) -> int:
    """How many wait in its lane before this one; where they are many, no fewer than so many."""
    lane = "jobs WHERE status = 'queued' AND priority = ? AND user = ? AND endpoint = ? AND kind = ?"
    some = f"SELECT 1 FROM {lane} AND seq < ? LIMIT {MOST_JOBS_COUNTED}"
    counted: int = db.execute(f"SELECT COUNT(*) FROM ({some})", (*key, seq)).fetchone()[0]
    if counted < MOST_JOBS_COUNTED:
        return counted
    first: int = db.execute(f"SELECT min(seq) FROM {lane}", key).fetchone()[0]
    return seq - first
