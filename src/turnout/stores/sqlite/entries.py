"""The EntryStore port in the jobs' SQLite file, for what must outlive the process and be found by all that share the
file: kept responses."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from turnout.errors import StoreUnavailable
from turnout.ports.admission import NewEntry
from turnout.ports.runtime import Clock
from turnout.stores.sqlite.database import TimedDatabase


class SqliteEntries:
    """Implements ports.entries.EntryStore. Within max_entries and max_bytes, by totals that triggers keep; of too many,
    those that end first go first, and one larger than max_bytes is not stored. Every verb raises StoreUnavailable
    where the file cannot be used."""

    def __init__(self, path: str, clock: Clock, *, max_entries: int, max_bytes: int) -> None:
        self._database = TimedDatabase(path, clock, StoreUnavailable)
        self._max_entries = max_entries
        self._max_bytes = max_bytes

    async def find_many(self, keys: Sequence[bytes], max_age_s: float | None) -> dict[bytes, bytes]:
        def step(db: sqlite3.Connection, now: float) -> dict[bytes, bytes]:
            oldest = now - max_age_s if max_age_s is not None else float("-inf")
            found = {}
            for key in keys:
                query = "SELECT packed FROM entries WHERE key = ? AND expires > ? AND stored >= ?"
                if (row := db.execute(query, (key, now, oldest)).fetchone()) is not None:
                    found[key] = row["packed"]
            return found

        return await self._database.run(step)

    async def store_many(self, stores: Mapping[bytes, NewEntry]) -> None:
        def step(db: sqlite3.Connection, now: float) -> None:
            # Deleted first: a row that is only replaced is not counted out.
            db.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in stores])
            db.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (key, store.user, store.endpoint, store.packed, now, now + store.ttl_s)
                    for key, store in stores.items()
                    if _size(store) <= self._max_bytes
                ],
            )
            db.execute("DELETE FROM entries WHERE expires <= ?", (now,))
            self._bound(db)

        await self._database.run(step)

    def _bound(self, db: sqlite3.Connection) -> None:
        while True:
            query = "SELECT value FROM numbers WHERE name IN ('entries', 'entry_bytes') ORDER BY name"
            count, size = (int(row[0]) for row in db.execute(query))
            if count <= self._max_entries and size <= self._max_bytes:
                return
            over = max(1, count - self._max_entries)
            query = "DELETE FROM entries WHERE key IN (SELECT key FROM entries ORDER BY expires LIMIT ?)"
            if not db.execute(query, (over,)).rowcount:
                # The totals hold rows that are not there: something else than Turnout has written this table.
                db.execute("UPDATE numbers SET value = 0 WHERE name IN ('entries', 'entry_bytes')")

    async def evict(self, key: bytes) -> bool:
        return await self._database.run(
            lambda db, now: db.execute("DELETE FROM entries WHERE key = ? AND expires > ?", (key, now)).rowcount > 0
        )

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        """Deletes the entries of this user (a `user_key`), of this endpoint, or of both at once; with neither, all.
        Returns how many."""
        given = {name: value for name, value in (("user", user), ("endpoint", endpoint)) if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "true"
        query = f"DELETE FROM entries WHERE {where}"
        return await self._database.purge(query, tuple(given.values()))

    async def close(self) -> None:
        await self._database.close()


def _size(store: NewEntry) -> int:
    """What an entry counts for in max_bytes, as the triggers of the schema count it."""
    return len(store.packed) + len((store.user + store.endpoint).encode())
