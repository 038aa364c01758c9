"""The round of the lanes in a SQLite file. A lane that waits for a time takes no part in it: however many wait, a claim
passes over none of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import TypeAlias

from turnout.ports.jobs import Job, NewJob

# Of those whose time has come, so many take part again at each claim.
OPENED_AT_ONCE = 100
LANE = "priority = ? AND user = ? AND endpoint = ? AND kind = ?"
# Priority, user, endpoint and kind.
LaneKey: TypeAlias = tuple[int, str, str, str]


def lane_of(job: Job | NewJob) -> LaneKey:
    return (job.priority, job.user, job.endpoint, job.kind)


def lane_key(row: sqlite3.Row) -> LaneKey:
    """Of a row of the lanes."""
    return (row["priority"], row["user"], row["endpoint"], row["kind"])


def open_lane(db: sqlite3.Connection, key: LaneKey) -> None:
    """Lets the lane take part in the round, behind all that are in it; one that is held waits for its time."""
    lane = db.execute(f"SELECT not_before, held FROM lanes WHERE {LANE}", key).fetchone()
    if lane is None:
        db.execute(
            "INSERT INTO lanes (priority, user, endpoint, kind, turn) VALUES (?, ?, ?, ?, ?)", (*key, _take_turn(db))
        )
    elif lane["not_before"] and not lane["held"]:
        db.execute(f"UPDATE lanes SET not_before = 0, turn = ? WHERE {LANE}", (_take_turn(db), *key))


def delay_lane(db: sqlite3.Connection, key: LaneKey, not_before: float) -> None:
    """One of its jobs waits for this time: so does the lane where it has nothing else to run."""
    db.execute(
        "INSERT INTO lanes (priority, user, endpoint, kind, turn, not_before) VALUES (?, ?, ?, ?, 0, ?)"
        " ON CONFLICT DO UPDATE SET not_before = min(not_before, excluded.not_before) WHERE held = 0",
        (*key, not_before),
    )


def hold_lane(db: sqlite3.Connection, key: LaneKey, until: float) -> None:
    """All that is in it waits for this time, and what comes meanwhile too."""
    db.execute(
        "INSERT INTO lanes (priority, user, endpoint, kind, turn, not_before, held) VALUES (?, ?, ?, ?, 0, ?, 1)"
        " ON CONFLICT DO UPDATE SET not_before = excluded.not_before, held = 1",
        (*key, until),
    )


def suspend_lane(db: sqlite3.Connection, key: LaneKey, not_before: float | None) -> None:
    """Takes it out of the round: until the time from which one of its jobs may run, or where it has none for good."""
    if not_before is None:
        db.execute(f"DELETE FROM lanes WHERE {LANE}", key)
    else:
        db.execute(f"UPDATE lanes SET not_before = ? WHERE {LANE}", (not_before, *key))


def open_due_lanes(db: sqlite3.Connection, now: float) -> None:
    """Lets lanes whose time has come take part again: behind all that are in the round, by their times."""
    due = db.execute(
        "SELECT priority, user, endpoint, kind FROM lanes INDEXED BY lanes_waiting"
        " WHERE not_before > 0 AND not_before <= ? ORDER BY not_before LIMIT ?",
        (now, OPENED_AT_ONCE),
    ).fetchall()
    if due:
        turns = range(_take_turn(db, len(due)) - len(due) + 1, 2**63)
        db.executemany(
            f"UPDATE lanes SET not_before = 0, held = 0, turn = ? WHERE {LANE}",
            [(turn, *lane) for turn, lane in zip(turns, due, strict=False)],
        )


def next_lane(db: sqlite3.Connection, kinds: Collection[str]) -> sqlite3.Row | None:
    """The lane of the highest priority that was served longest ago; None where none of these kinds is in the round."""
    first = (
        db.execute(
            "SELECT * FROM lanes INDEXED BY lanes_open WHERE kind = ? AND not_before = 0"
            " ORDER BY priority DESC, turn LIMIT 1",
            (kind,),
        ).fetchone()
        for kind in kinds
    )
    return min(
        (lane for lane in first if lane is not None), key=lambda lane: (-lane["priority"], lane["turn"]), default=None
    )


def pass_turn(db: sqlite3.Connection, key: LaneKey, turn: int) -> None:
    """All lanes of this user have had their turn, as endpoints are no way to more of them: they go behind those of all
    others, in their order, and behind them the one that was served."""
    # The plus keeps SQLite from looking for it among the lanes of all users.
    mine = "priority = ? AND user = ? AND +not_before = 0"
    last = db.execute(f"SELECT max(+turn) FROM lanes WHERE {mine}", key[:2]).fetchone()[0]
    behind = _take_turn(db, last - turn + 1)
    db.execute(
        f"UPDATE lanes SET turn = iif({LANE}, ?, turn + ?) WHERE {mine}",
        (*key, behind, behind - last - 1, *key[:2]),
    )


def _take_turn(db: sqlite3.Connection, places: int = 1) -> int:
    """The last of so many new places in the round, behind all that were given out."""
    taken: float = db.execute(
        "INSERT INTO numbers VALUES ('turn', ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
        " RETURNING value",
        (places,),
    ).fetchone()[0]
    return int(taken)
