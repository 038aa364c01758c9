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
from turnout.pricing import FREE

# Tells our databases from others': any number that no other program is known to use.
APPLICATION_ID = 0x7475776D
_SCHEMA = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    "CREATE TABLE calls (id INTEGER PRIMARY KEY, key TEXT, worst_usd TEXT NOT NULL, usd TEXT, unstored_at REAL)",
)


class WarmJournal:
    """The journal at this path, for one run at a time. Every verb raises LogError where it cannot be read or written;
    raises LogError where another run has it open, UsageError where the file is something else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            # Each statement commits by itself.
            self._database = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        try:
            self._open()
        except BaseException:
            self._database.close()
            raise

    def _open(self) -> None:
        try:
            # Held until the connection is closed; a kill frees it.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("BEGIN EXCLUSIVE")
            (number,) = self._database.execute("PRAGMA application_id").fetchone()
            if number == 0 and not self._database.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in _SCHEMA:
                    self._database.execute(statement)
            elif number != APPLICATION_ID:
                raise UsageError(f"{self.path}: is no journal of warming; name another file with --journal")
            self._database.execute("COMMIT")
            self._database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise LogError(f"{self.path}: another run is warming these prompts; wait for it") from error
            raise LogError(f"{self.path}: cannot be written: {error}") from error
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{self.path}: is no journal of warming; name another file with --journal") from error

    def spent(self) -> Decimal:
        """USD of all runs so far; calls without an end count at their worst."""
        with self._errors():
            rows = self._database.execute("SELECT coalesce(usd, worst_usd) FROM calls").fetchall()
        return sum((Decimal(usd) for (usd,) in rows), FREE)

    def unstored(self) -> dict[str, float]:
        """The keys whose answer was paid for and could not be stored, and when, in seconds since 1970."""
        with self._errors():
            chosen = "SELECT key, unstored_at FROM calls WHERE unstored_at IS NOT NULL"
            return dict(self._database.execute(chosen).fetchall())

    def begin(self, key: str, worst: Decimal) -> int:
        """Notes that this request is about to be asked, and what it may cost in USD. Returns the call's number."""
        with self._errors():
            statement = "INSERT INTO calls (key, worst_usd) VALUES (?, ?)"
            number = self._database.execute(statement, (key, str(worst))).lastrowid
        assert number is not None
        return number

    def raise_worst(self, call: int, worst: Decimal) -> None:
        """Notes that it may cost this much in all: it is tried once more."""
        with self._errors():
            self._database.execute("UPDATE calls SET worst_usd = ? WHERE id = ?", (str(worst), call))

    def end(self, call: int, usd: Decimal, unstored_at: float | None = None) -> None:
        """Notes what it cost. unstored_at: when, where its answer could not be stored."""
        with self._errors():
            statement = "UPDATE calls SET usd = ?, unstored_at = ? WHERE id = ?"
            self._database.execute(statement, (str(usd), unstored_at, call))

    def close(self, *, done: bool) -> None:
        """Unlocks the journal. done: nothing is left to go on with, and it is removed."""
        self._database.close()
        if done:
            self.path.unlink(missing_ok=True)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LogError(f"{self.path}: cannot be used: {error}; name another file with --journal") from error
