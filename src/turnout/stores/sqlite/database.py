"""One SQLite file, written by one thread a process: what comes at the same time is committed together. Another thread
moves what is committed from the log into the file, so that no step waits for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from turnout.ports.runtime import Clock
from turnout.stores.sqlite.schema import COLUMNS_ADDED, SCHEMA

T = TypeVar("T")
DatabaseStep = Callable[[sqlite3.Connection], Any]

# Committed together: enough to share the cost of a commit, few enough that none waits long.
BATCH = 200
# How long another process may hold the file.
BUSY_S = 10.0
# Between two checkpoints, and after how many pages of the log (64 MiB) the writer makes one itself.
CHECKPOINT_S = 0.5
MOST_LOG_PAGES = 16_384


class Database:
    """The file, opened when first used and once more after a fork. Created readable by its owner alone: it holds
    prompts."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._writer: _Writer | None = None

    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """The result of this step, as one transaction."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._writer is None or self._writer.pid != os.getpid():
                self._writer = _Writer(self._path)
            self._writer.steps.put((step, future, loop))
        return await future

    async def close(self) -> None:
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None and writer.pid == os.getpid():
            writer.steps.put(None)
            await asyncio.to_thread(writer.thread.join)


class TimedDatabase:
    """The file, for steps that are given the time as well. unavailable: raised where it cannot be used."""

    def __init__(self, path: str, clock: Clock, unavailable: Callable[[str], Exception]) -> None:
        self._database = Database(path)
        self._clock = clock
        self._unavailable = unavailable

    async def run(self, step: Callable[[sqlite3.Connection, float], T]) -> T:
        """The result of this step, as one transaction."""
        try:
            return await self._database.run(lambda db: step(db, self._clock.time()))
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(f"the file of the jobs cannot be used: {error}") from error

    async def purge(self, query: str, values: Sequence[str], at_once: int | None = None) -> int:
        """How many rows this query deleted, at most `at_once` a step; the log holds them no more either."""
        purged = 0
        while True:
            deleted = await self.run(lambda db, now: db.execute(query, values).rowcount)
            purged += deleted
            if at_once is None or deleted < at_once:
                break
        await self._database.run(truncate_log)
        return purged

    async def close(self) -> None:
        await self._database.close()


class _Writer:
    """The thread that holds the connection."""

    def __init__(self, path: Path) -> None:
        self.pid = os.getpid()
        self.steps: queue.SimpleQueue[tuple[DatabaseStep, asyncio.Future[Any], asyncio.AbstractEventLoop] | None] = (
            queue.SimpleQueue()
        )
        self._path = path
        self._written, self._ended = threading.Event(), threading.Event()
        self._checkpoints = threading.Thread(target=self._checkpoint, name="turnout.jobs.checkpoint", daemon=True)
        self.thread = threading.Thread(target=self._run, name="turnout.jobs.sqlite", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        open_ = True
        while open_:
            batch = [self.steps.get()]
            while len(batch) < BATCH and not self.steps.empty():
                batch.append(self.steps.get())
            open_ = None not in batch
            work = [item for item in batch if item is not None]
            try:
                if connection is None:
                    connection = _open(self._path)
                    self._checkpoints.start()
                self._written.set()
                steps = [step for step, _, _ in work]
                results = _commit(connection, steps)
                if truncate_log in steps:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except (sqlite3.Error, OSError) as error:
                results = [error] * len(work)
            _deliver([(future, loop, result) for (_, future, loop), result in zip(work, results, strict=True)])
        self._ended.set()
        self._written.set()
        if connection is not None:
            self._checkpoints.join()
            connection.close()

    def _checkpoint(self) -> None:
        """On a connection of its own: it holds no writer up, and leaves to the next one what a reader still needs."""
        connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
        while not self._ended.wait(CHECKPOINT_S):
            self._written.wait()
            self._written.clear()
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error:
                # Busy: the next one moves it.
                continue
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Before SQLite makes it: its own files beside it take over the mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    # Survives the process' death; the last moments before a power cut may be lost.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {MOST_LOG_PAGES}")
    # What is deleted is overwritten: a purged user's words are not left in free pages.
    connection.execute("PRAGMA secure_delete = ON")
    for table, column, kind in COLUMNS_ADDED:
        columns = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
        if columns and column not in columns:
            # A file of before. Another process may add it at the same moment.
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    connection.executescript(SCHEMA)
    return connection


def truncate_log(connection: sqlite3.Connection) -> None:
    """A step behind which the write-ahead log, with what it held of deleted rows, is emptied into the file; where
    another process reads at that moment, at its next checkpoint."""


def _commit(connection: sqlite3.Connection, steps: list[DatabaseStep]) -> list[Any]:
    """What each step returned or raised; one that fails takes back what it did itself, and nothing else."""
    results: list[Any] = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        if len(steps) == 1:
            # Without a savepoint of its own: it is the whole transaction.
            try:
                results.append(steps[0](connection))
            except Exception as error:
                connection.execute("ROLLBACK")
                return [error]
            connection.execute("COMMIT")
            return results
        for step in steps:
            connection.execute("SAVEPOINT step")
            try:
                results.append(step(connection))
            except Exception as error:
                connection.execute("ROLLBACK TO step")
                results.append(error)
            connection.execute("RELEASE step")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return results


def _deliver(results: list[tuple[asyncio.Future[Any], asyncio.AbstractEventLoop, Any]]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, deque[tuple[asyncio.Future[Any], Any]]] = {}
    for future, loop, result in results:
        by_loop.setdefault(loop, deque()).append((future, result))
    for loop, mine in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, loop, mine)


def _settle(loop: asyncio.AbstractEventLoop, results: deque[tuple[asyncio.Future[Any], Any]]) -> None:
    """One in each turn of the loop: what is done with a result holds up other requests for its own time alone, and
    the writer does not wait for the interpreter until all is done."""
    while results:
        future, result = results.popleft()
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
        if results:
            loop.call_soon(_settle, loop, results)
        return
