"""One run at a time adds to a file of labelled logs: the account beside it is locked meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from turnout.errors import LogError


@contextmanager
def alone(labelled: Path) -> Iterator[None]:
    """No other run adds to this file while the block lasts: two would each spend what one budget has left. Raises
    LogError where another is at it. Where the system has no file locks, nothing is checked."""
    if find_spec("fcntl") is None:
        yield
        return
    path = journal_path(labelled)
    lock = _locked(labelled, path)
    try:
        yield
    finally:
        if not os.fstat(lock).st_size:
            path.unlink(missing_ok=True)
        os.close(lock)


def _locked(labelled: Path, path: Path) -> int:
    import fcntl

    while True:
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LogError(
                f"{labelled}: cannot be written; {path.name} beside it: {error.strerror or error}"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise LogError(f"{labelled}: another run is adding to it; wait for it, or write to another -o") from error
        if _is_at(lock, path):
            return lock
        # Whoever had it before removed it between our opening and our locking: nobody else would meet this lock.
        os.close(lock)


def _is_at(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def journal_path(labelled: Path) -> Path:
    return labelled.with_name(labelled.name + ".account")
