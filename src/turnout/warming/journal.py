"""The journal of a warming that is not over: what it has spent, and which answers were too long to be stored.

An SQLite database, locked by the run that has it open, removed when all is done. The worst case of each request is
committed before it is asked, its real cost after it: however a run ends, killed too, the next one counts no less than
was spent. What was stored needs no journal: the cache says it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from turnout.errors import LogError, UsageError
from turnout.locked_database import DatabaseBusy, DatabaseRemoved, ForeignDatabase, LockedDatabase
from turnout.pricing import FREE

# Tells our databases from others': any number that no other program is known to use.
APPLICATION_ID = 0x7475776D
_SCHEMA = (
    "CREATE TABLE calls (id INTEGER PRIMARY KEY, key TEXT, worst_usd TEXT NOT NULL, usd TEXT, unstored_at REAL)",
)


class WarmJournal:
    """The journal at this path, for one run at a time. Every verb raises LogError where it cannot be read or written;
    raises LogError where another run has it open, UsageError where the file is something else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with self._errors():
                self._database = LockedDatabase(path, application_id=APPLICATION_ID, schema=_SCHEMA)
        except DatabaseBusy as error:
            raise LogError(f"{path}: another run is warming these prompts; wait for it") from error
        except DatabaseRemoved as error:
            raise LogError(f"{path}: another run was warming these prompts; run the same command again") from error
        except ForeignDatabase as error:
            raise UsageError(f"{path}: is no journal of warming; name another file with --journal") from error

    def spent(self) -> Decimal:
        """USD of all runs so far; calls without an end count at their worst."""
        with self._errors():
            rows = self._database.select("SELECT coalesce(usd, worst_usd) FROM calls")
        return sum((Decimal(usd) for (usd,) in rows), FREE)

    def unstored(self) -> dict[str, float]:
        """The keys whose answer was paid for and could not be stored, and when, in seconds since 1970."""
        with self._errors():
            chosen = "SELECT key, unstored_at FROM calls WHERE unstored_at IS NOT NULL"
            return dict(self._database.select(chosen))

    def begin(self, key: str, worst: Decimal) -> int:
        """Notes that this request is about to be asked, and what it may cost in USD. Returns the call's number."""
        with self._errors(), self._database.transaction() as connection:
            statement = "INSERT INTO calls (key, worst_usd) VALUES (?, ?)"
            number = connection.execute(statement, (key, str(worst))).lastrowid
        assert number is not None
        return number

    def raise_worst(self, call: int, worst: Decimal) -> None:
        """Notes that it may cost this much in all: it is tried once more."""
        with self._errors(), self._database.transaction() as connection:
            connection.execute("UPDATE calls SET worst_usd = ? WHERE id = ?", (str(worst), call))

    def end(self, call: int, usd: Decimal, unstored_at: float | None = None) -> None:
        """Notes what it cost. unstored_at: when, where its answer could not be stored."""
        with self._errors(), self._database.transaction() as connection:
            statement = "UPDATE calls SET usd = ?, unstored_at = ? WHERE id = ?"
            connection.execute(statement, (str(usd), unstored_at, call))

    def close(self, *, done: bool) -> None:
        """Unlocks the journal. done: nothing is left to go on with, and it is removed, as one that holds nothing is."""
        self._database.close(remove=done)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LogError(f"{self.path}: cannot be used: {error}; name another file with --journal") from error
