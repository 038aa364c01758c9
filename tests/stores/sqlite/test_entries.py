"""Kept responses in the jobs' file: within their bounds, at a cost that does not grow with them."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path

import pytest

from turnout.ports.admission import NewEntry
from turnout.stores.sqlite.entries import SqliteEntries
from turnout.testing import ManualClock

TOTALS = "SELECT value FROM numbers WHERE name IN ('entries', 'entry_bytes') ORDER BY name"
COUNTED = "SELECT count(*), coalesce(sum(length(packed) + length(user) + length(endpoint)), 0) FROM entries"


def entry(size: int, user: str = "ann", ttl_s: float = 60, endpoint: str = "/v1/responses") -> NewEntry:
    return NewEntry(packed=bytes(size), ttl_s=ttl_s, stale_s=0, user=user, endpoint=endpoint)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def totals(path: Path) -> tuple[int, int]:
    """How many entries there are, and of how many bytes; by the running totals and counted anew, which is the same."""
    with sqlite3.connect(path) as db:
        kept = tuple(int(row[0]) for row in db.execute(TOTALS))
        counted = db.execute(COUNTED).fetchone()
    db.close()
    assert kept == tuple(counted)
    return counted[0], counted[1]


def test_no_sequence_of_steps_passes_the_bounds(tmp_path: Path) -> None:
    """Two processes store, replace, evict and purge, time passes: the running totals are right after each step."""
    chance, path = random.Random(3), tmp_path / "jobs.sqlite"

    async def main() -> None:
        clock = ManualClock()
        stores = [SqliteEntries(str(path), clock, max_entries=20, max_bytes=3000) for _ in range(2)]
        for _ in range(400):
            entries, user = chance.choice(stores), chance.choice(["ann", "bob", "zoë"])
            step = chance.choices(["store", "evict", "purge", "pass"], [80, 10, 2, 8])[0]
            if step == "store":
                stored = {
                    key(chance.randrange(40)): entry(chance.choice([1, 100, 2000, 4000]), user, chance.uniform(1, 60))
                    for _ in range(chance.randrange(4))
                }
                await entries.store_many(stored)
            elif step == "evict":
                await entries.evict(key(chance.randrange(40)))
            elif step == "purge":
                await entries.purge(user=user)
            else:
                await clock.advance(chance.uniform(1, 20))
            with sqlite3.connect(path) as db:
                count, size = (int(row[0]) for row in db.execute(TOTALS))
                held = db.execute("SELECT packed, user, endpoint FROM entries").fetchall()
            db.close()
            assert count == len(held) <= 20
            assert size == sum(len(packed) + len((user + endpoint).encode()) for packed, user, endpoint in held) <= 3000
        for each in stores:
            await each.close()

    asyncio.run(main())


def test_one_larger_than_the_bound_is_not_stored(tmp_path: Path) -> None:
    """And drives no other out; what was stored by its key is gone."""

    async def main() -> None:
        entries = SqliteEntries(str(tmp_path / "jobs.sqlite"), ManualClock(), max_entries=9, max_bytes=1000)
        await entries.store_many({key(number): entry(50) for number in range(3)})
        await entries.store_many({key(2): entry(990), key(3): entry(10)})
        found = await entries.find_many([key(number) for number in range(5)], None)
        assert sorted(found) == [key(0), key(1), key(3)]
        await entries.close()

    asyncio.run(main())
    assert totals(tmp_path / "jobs.sqlite")[0] == 3


def test_those_that_end_first_make_room(tmp_path: Path) -> None:
    """As many as must go, by number and by bytes."""

    async def main() -> None:
        entries = SqliteEntries(str(tmp_path / "jobs.sqlite"), ManualClock(), max_entries=4, max_bytes=1000)
        for number, ttl_s in enumerate([40, 10, 30, 20, 50]):
            await entries.store_many({key(number): entry(50, ttl_s=ttl_s)})
        assert sorted(await entries.find_many([key(at) for at in range(5)], None)) == [key(0), key(2), key(3), key(4)]
        await entries.store_many({key(5): entry(800, ttl_s=60)})
        assert sorted(await entries.find_many([key(at) for at in range(6)], None)) == [key(0), key(4), key(5)]
        await entries.close()

    asyncio.run(main())


def test_a_file_of_before_the_running_totals_is_counted_once(tmp_path: Path) -> None:
    """What lies in it is bounded as everything else."""
    path = tmp_path / "jobs.sqlite"

    async def store(*numbers: int) -> None:
        entries = SqliteEntries(str(path), ManualClock(), max_entries=5, max_bytes=1000)
        await entries.store_many({key(number): entry(50) for number in numbers})
        await entries.close()

    asyncio.run(store(1, 2, 3))
    with sqlite3.connect(path) as db:
        for name in ("entry_in", "entry_out"):
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM numbers WHERE name LIKE 'entr%'")
    db.close()
    asyncio.run(store(4))
    assert totals(path)[0] == 4
    asyncio.run(store(5, 6))
    assert totals(path)[0] == 5


def test_storing_one_costs_the_same_among_many(tmp_path: Path) -> None:
    """Counted in steps of SQLite's own machine, at the bound too."""

    async def main() -> list[int]:
        entries = SqliteEntries(str(tmp_path / "jobs.sqlite"), ManualClock(), max_entries=5000, max_bytes=10**9)
        steps, made = [], 0

        def count(db: sqlite3.Connection, now: float) -> None:
            nonlocal made
            made = 0

            def one() -> int:
                nonlocal made
                made += 1
                return 0

            db.set_progress_handler(one, 10)

        for filled in (10, 5000):
            await entries.store_many({key(number): entry(10) for number in range(filled)})
            await entries._database.run(count)
            await entries.store_many({key(9999): entry(10)})
            steps.append(made)
            await entries._database.run(lambda db, now: db.set_progress_handler(None, 0))
        await entries.close()
        return steps

    few, many = asyncio.run(main())
    assert 0 < many < 3 * few


def test_totals_that_are_wrong_hold_nobody_up(tmp_path: Path) -> None:
    """Whatever else wrote into the file: the next store ends, and the totals are right from there on."""
    path = tmp_path / "jobs.sqlite"

    async def main() -> None:
        entries = SqliteEntries(str(path), ManualClock(), max_entries=5, max_bytes=3000)
        await entries.store_many({key(1): entry(10)})
        with sqlite3.connect(path) as db:
            db.execute("UPDATE numbers SET value = 1000 WHERE name = 'entries'")
        db.close()
        await asyncio.wait_for(entries.store_many({key(2): entry(10)}), 5.0)
        await entries.store_many({key(3): entry(10)})
        assert totals(path) == (1, 10 + len("ann/v1/responses"))
        await entries.close()

    asyncio.run(main())


def test_a_step_that_fails_alone_leaves_the_next_one_its_turn(tmp_path: Path) -> None:
    """A lone surrogate cannot be written: its caller gets the error, and the thread goes on."""
    path = tmp_path / "jobs.sqlite"

    async def main() -> None:
        entries = SqliteEntries(str(path), ManualClock(), max_entries=5, max_bytes=3000)
        with pytest.raises(UnicodeEncodeError):
            await asyncio.wait_for(entries.store_many({key(1): entry(10, endpoint="/\udce9")}), 5.0)
        await asyncio.wait_for(entries.store_many({key(2): entry(10)}), 5.0)
        assert totals(path)[0] == 1
        await entries.close()

    asyncio.run(main())
