"""The journal of a warming: what was spent survives any end."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from turnout.errors import LogError, UsageError
from turnout.warming.journal import WarmJournal


def test_a_call_without_an_end_counts_at_its_worst(tmp_path: Path) -> None:
    """As after a kill: one call ended, one was under way and was tried again."""
    path = tmp_path / "p.jsonl.warm"
    journal = WarmJournal(path)
    journal.end(journal.begin("a", Decimal("0.5")), Decimal("0.1"))
    journal.raise_worst(journal.begin("b", Decimal("0.5")), Decimal("0.75"))
    journal.end(journal.begin("c", Decimal("0.5")), Decimal("0.1"), unstored_at=7.0)
    journal.close(done=False)
    again = WarmJournal(path)
    assert (again.spent(), again.unstored()) == (Decimal("0.95"), {"c": 7.0})
    again.close(done=True)
    assert not path.exists()


def test_two_runs_do_not_share_it(tmp_path: Path) -> None:
    """The second one says so; once the first is over, it may."""
    path = tmp_path / "p.jsonl.warm"
    first = WarmJournal(path)
    with pytest.raises(LogError, match="another run"):
        WarmJournal(path)
    first.close(done=False)
    WarmJournal(path).close(done=True)


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    """A text, and another program's database."""
    path = tmp_path / "p.jsonl.warm"
    path.write_text("mine, and longer than the head of a database " * 10)
    with pytest.raises(UsageError, match="no journal"):
        WarmJournal(path)
    assert path.read_text().startswith("mine")


def test_one_that_noted_nothing_leaves_nothing_behind(tmp_path: Path) -> None:
    """As after a budget too small for any prompt; one with a call stays for the next run."""
    path = tmp_path / "p.jsonl.warm"
    WarmJournal(path).close(done=False)
    assert not path.exists()
    journal = WarmJournal(path)
    journal.begin("a", Decimal(1))
    journal.close(done=False)
    assert path.exists()
