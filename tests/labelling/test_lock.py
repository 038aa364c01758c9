"""One run at a time: the lock beside a file of labelled logs."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from turnout.errors import LogError
from turnout.labelling.journal import Journal
from turnout.labelling.lock import _is_at, alone, journal_path


def test_never_are_two_alone_with_a_file_however_they_come_and_go(tmp_path: Path) -> None:
    """Six at it at once, each of whom removes the empty account when it leaves: a lock on a removed file is none."""
    inside, both, entered = [0], [0], [0]

    def comes_and_goes() -> None:
        for _ in range(3000):
            try:
                with alone(tmp_path / "out.jsonl"):
                    inside[0] += 1
                    entered[0] += 1
                    for _ in range(20):
                        os.sched_yield()
                        both[0] += inside[0] > 1
                    inside[0] -= 1
            except LogError:
                continue

    # The race is between two steps of a microsecond each.
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=comes_and_goes) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)
    # How often anybody gets in hangs on the machine; that nobody is with another does not.
    assert entered[0] > 0
    assert both[0] == 0


def test_a_lock_on_a_file_that_was_removed_is_none(tmp_path: Path) -> None:
    """Nor on one that another has put in its place."""
    path = tmp_path / "x"
    lock = os.open(path, os.O_RDWR | os.O_CREAT)
    assert _is_at(lock, path)
    path.unlink()
    assert not _is_at(lock, path)
    path.touch()
    assert not _is_at(lock, path)
    os.close(lock)


def test_an_account_that_holds_anything_stays(tmp_path: Path) -> None:
    """An empty one is nobody's, and goes; a second run is refused meanwhile."""
    with alone(tmp_path / "out.jsonl"), pytest.raises(LogError, match="another run"), alone(tmp_path / "out.jsonl"):
        pass
    assert not journal_path(tmp_path / "out.jsonl").exists()
    with alone(tmp_path / "out.jsonl"):
        journal = Journal(tmp_path / "out.jsonl", {})
        journal.finished("a")
        journal.close()
    assert journal_path(tmp_path / "out.jsonl").exists()
