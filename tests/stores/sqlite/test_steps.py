"""What a step of the jobs' file costs: the same however much lies in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from turnout.ports.jobs import JobEnd, NewJob, QueueBounds
from turnout.stores.sqlite import claims, steps
from turnout.stores.sqlite.database import _open
from turnout.stores.sqlite.places import MOST_JOBS_COUNTED, MOST_LANES_COUNTED

BOUNDS = QueueBounds(max_length=10_000, max_per_user=10_000, ttl_s=86_400.0)
# A step that passes over every one of them takes thousands more of SQLite's own instructions.
DONE, WAITING, MORE = 500, 500, 500


def _submit(db: sqlite3.Connection, number: int, user: str = "") -> None:
    user = user or f"user:{number}"
    job = NewJob(id=f"job_{number}", kind="chat", user=user, endpoint="/v1", priority=5, spec=b"{}")
    assert not isinstance(steps.submit(db, float(number), job, BOUNDS), str)


def _run_one(db: sqlite3.Connection, now: float) -> None:
    job = claims.claim(db, now, ["chat"], concurrency=8, lease_s=30.0)
    assert job is not None
    assert claims.finish(db, now, job.id, job.token, JobEnd(status="done", result=b"{}"), 86_400.0)


def _state(db: sqlite3.Connection) -> None:
    assert steps.state(db, 9_000.0).workers == 0


def _instructions(db: sqlite3.Connection, step: Callable[[], None]) -> int:
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    db.set_progress_handler(count, 1)
    step()
    db.set_progress_handler(None, 1)
    return taken


def test_a_step_costs_the_same_however_many_jobs_there_are(tmp_path: Path) -> None:
    """In a surge each submission would otherwise pass over all that is done or waits, and fell the app."""
    db = _open(tmp_path / "jobs.sqlite")
    _submit(db, 0)
    _submit(db, 1)
    _run_one(db, 2.0)
    work = {
        "submit": lambda: _submit(db, 100_000),
        "run": lambda: _run_one(db, 9_000.0),
        "state": lambda: _state(db),
    }
    few = {name: _instructions(db, step) for name, step in work.items()}
    for number in range(10, 10 + DONE + WAITING):
        _submit(db, number)
    for _ in range(DONE):
        _run_one(db, 8_000.0)
    work["submit"] = lambda: _submit(db, 100_001)
    many = {name: _instructions(db, step) for name, step in work.items()}
    assert {name: many[name] - few[name] < MORE for name in work} == dict.fromkeys(work, True), (few, many)
    db.close()


def test_a_place_in_line_costs_so_much_at_most(tmp_path: Path) -> None:
    """Beyond some it is a bound, by a user's own jobs and by other users, and no more rows are read."""
    db = _open(tmp_path / "jobs.sqlite")
    db.execute("BEGIN")
    _submit(db, 0, "last")
    costs, places = [], []
    for users, jobs in ((MOST_LANES_COUNTED, MOST_JOBS_COUNTED), (2 * MOST_LANES_COUNTED, 2 * MOST_JOBS_COUNTED)):
        waiting = db.execute("SELECT count(*) FROM jobs").fetchone()[0]
        for number in range(waiting, users):
            _submit(db, number)
        for number in range(max(waiting, users), users + jobs):
            _submit(db, number, "ann")
        newest = f"job_{users + jobs - 1}"
        costs.append(_instructions(db, lambda newest=newest: steps.state(db, 9_000.0, newest)))  # type: ignore[misc]
        places.append(steps.state(db, 9_000.0, newest).position)
    assert costs[1] - costs[0] < MORE, costs
    # None is told too good a place: all that wait came before it.
    assert places == [MOST_LANES_COUNTED + MOST_JOBS_COUNTED, 2 * (MOST_LANES_COUNTED + MOST_JOBS_COUNTED)]
    db.execute("ROLLBACK")
    db.close()
