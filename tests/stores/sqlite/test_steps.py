"""What a step of the jobs' file costs: the same however much lies in it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from turnout.ports.jobs import JobEnd, JobKind, NewJob, QueueBounds
from turnout.stores.sqlite import claims, steps
from turnout.stores.sqlite.database import Database, _open
from turnout.stores.sqlite.lanes import OPENED_AT_ONCE
from turnout.stores.sqlite.places import MOST_JOBS_COUNTED, MOST_LANES_COUNTED

BOUNDS = QueueBounds(max_length=10_000, max_per_user=10_000, ttl_s=86_400.0)
# A step that passes over every one of them takes thousands more of SQLite's own instructions.
DONE, WAITING, MORE = 500, 500, 500


def _submit(db: sqlite3.Connection, number: int, user: str = "", kind: JobKind = "chat") -> None:
    user = user or f"user:{number}"
    job = NewJob(id=f"job_{number}", kind=kind, user=user, endpoint="/v1", priority=5, spec=b"{}")
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
    db.execute("BEGIN")
    for number in range(10, 10 + DONE + WAITING):
        _submit(db, number)
    for _ in range(DONE):
        _run_one(db, 8_000.0)
    db.execute("COMMIT")
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


def test_a_claim_passes_over_no_lane_that_waits(tmp_path: Path) -> None:
    """However many users are held, or have jobs that this worker cannot do: it costs as much as where nobody is."""
    costs = []
    for waiting in (0, WAITING):
        db = _open(tmp_path / f"{waiting}.sqlite")
        db.execute("BEGIN")
        _hold(db, waiting, until=9_000.0)
        for number in range(waiting, 2 * waiting):
            _submit(db, number, kind="http")
        _submit(db, 100_000)
        db.execute("COMMIT")
        costs.append(_instructions(db, lambda db=db: _run_one(db, 8_000.0)))  # type: ignore[misc]
        db.close()
    assert costs[1] - costs[0] < MORE, costs


def test_a_claim_lets_no_more_than_so_many_lanes_take_part_again(tmp_path: Path) -> None:
    """Where the time of all has come at once, those whose time came first."""
    db = _open(tmp_path / "jobs.sqlite")
    db.execute("BEGIN")
    _hold(db, 3 * OPENED_AT_ONCE, until=7_000.0)
    db.execute("COMMIT")
    held = "SELECT count(*), min(not_before) FROM lanes WHERE held"
    for claims_made in (1, 2):
        assert claims.claim(db, 8_000.0, ["chat"], concurrency=8, lease_s=30.0) is not None
        count, earliest = db.execute(held).fetchone()
        first = claims_made * OPENED_AT_ONCE
        assert (count, earliest) == (3 * OPENED_AT_ONCE - first, 7_000.0 + first / 1_000)
    db.close()


def _hold(db: sqlite3.Connection, lanes: int, until: float) -> None:
    """So many users' lanes wait, each until a moment after the one before it."""
    for number in range(lanes):
        _submit(db, number)
        job = claims.claim(db, 10.0, ["chat"], concurrency=8, lease_s=30.0)
        assert job is not None
        after_s = until - 10.0 + number / 1_000
        assert claims.put_back(db, 10.0, job.id, job.token, after_s, failed=False, lane=True)


def test_a_file_of_before_is_taken_over(tmp_path: Path) -> None:
    """What waits in it runs, though its lanes do not say whether they are held, nor its jobs since when they wait."""
    db = _open(tmp_path / "jobs.sqlite")
    _submit(db, 0)
    _submit(db, 1)
    db.executescript(
        "DROP INDEX lanes_open; DROP INDEX lanes_waiting; ALTER TABLE lanes DROP COLUMN held;"
        "CREATE INDEX lanes_next ON lanes (priority DESC, turn); UPDATE lanes SET not_before = 5 WHERE user = 'user:0';"
        "DROP INDEX jobs_lane; DROP INDEX jobs_since; ALTER TABLE jobs DROP COLUMN since;"
    )
    db.close()
    db = _open(tmp_path / "jobs.sqlite")
    _run_one(db, 4.0)
    assert claims.claim(db, 4.0, ["chat"], concurrency=8, lease_s=30.0) is None
    _run_one(db, 5.0)
    db.close()


def test_steps_that_are_committed_together_are_answered_one_in_a_turn_of_the_loop(tmp_path: Path) -> None:
    """What is done with all of them at once would hold up every other request for as long."""
    turn, answers = 0, []

    async def run() -> None:
        def count() -> None:
            nonlocal turn
            turn += 1
            if len(answers) < 7:
                asyncio.get_running_loop().call_soon(count)

        async def one(number: int) -> None:
            assert await database.run(lambda db: db.execute("SELECT ?", (number,)).fetchone()[0]) == number
            answers.append(turn)

        database, go_on = Database(str(tmp_path / "jobs.sqlite")), threading.Event()
        holding = asyncio.create_task(database.run(lambda db: go_on.wait()))
        await asyncio.sleep(0)
        together = asyncio.gather(*(one(number) for number in range(7)))
        await asyncio.sleep(0)
        count()
        go_on.set()
        await together
        await holding
        await database.close()

    asyncio.run(run())
    assert answers == sorted(set(answers))
