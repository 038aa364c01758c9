"""An SQLite file that one run has open at a time, locked until it is closed: the journals of long work."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


class DatabaseBusy(Exception):
    """Another run has the file open."""


class DatabaseRemoved(Exception):
    """Another run had the file open, and has removed it while this one opened it."""


class ForeignDatabase(Exception):
    """The file is no database, or another program's."""


class LockedDatabase:
    """The file at this path, made where there is none. Nothing is written before the first transaction.

    application_id: tells our databases from others'. schema: the statements of the first transaction. begun: whether
    there has been one. Raises DatabaseBusy, DatabaseRemoved, ForeignDatabase; OSError and sqlite3.Error where the file
    cannot be used, as every verb does.
    """

    def __init__(self, path: Path, *, application_id: int, schema: Sequence[str]) -> None:
        self.path = path
        self._application_id = application_id
        self._schema = (f"PRAGMA application_id = {application_id}", *schema)
        self._closed = False
        # Held before SQLite opens the path, so that its number is nobody else's until the lock is there.
        path.touch()
        self._held = os.open(path, getattr(os, "O_PATH", os.O_RDONLY))
        try:
            # Each statement commits by itself but inside `with transaction()`.
            self.connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        except BaseException:
            os.close(self._held)
            raise
        try:
            self._lock()
            self._check_in_place()
            self.begun = self._is_begun()
        except BaseException:
            self._release()
            raise

    def select(self, statement: str, *values: str) -> list[Any]:
        """The rows; none before the first transaction."""
        return self.connection.execute(statement, values).fetchall() if self.begun else []

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block, or none."""
        if not self.begun:
            # A commit then waits for no disk: 0.01 ms, not 16 ms of an event loop. A kill loses nothing of it; a power
            # failure may lose the last calls, and breaks nothing.
            self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("BEGIN")
        try:
            if not self.begun:
                for statement in self._schema:
                    self.connection.execute(statement)
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.begun = True

    def close(self, *, remove: bool = False) -> None:
        """Unlocks the file, and removes it where it is to be, or holds nothing. May be called again."""
        if self._closed:
            return
        if remove or not self.begun:
            # Still locked: a run that opened it just before finds it gone (`_check_in_place`). Where an open file
            # cannot be removed, it stays.
            with suppress(OSError):
                self.path.unlink()
        self._release()

    def _release(self) -> None:
        self._closed = True
        self.connection.close()
        os.close(self._held)

    def _lock(self) -> None:
        try:
            # An exclusive lock, once taken, is held until the connection is closed; a kill frees it.
            self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.execute("BEGIN EXCLUSIVE")
            self.connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise DatabaseBusy(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise ForeignDatabase(str(error)) from error

    def _check_in_place(self) -> None:
        """Raises DatabaseRemoved where the path leads to another file than the one locked."""
        held = os.fstat(self._held)
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            now = None
        if now is None or (now.st_dev, now.st_ino) != (held.st_dev, held.st_ino):
            raise DatabaseRemoved(str(self.path))

    def _is_begun(self) -> bool:
        if self.connection.execute("PRAGMA application_id").fetchone()[0] == self._application_id:
            return True
        if self.connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise ForeignDatabase("it holds another program's tables")
        return False
