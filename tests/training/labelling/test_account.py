"""The account: whatever ends a run, the next one counts no less than was spent, and finds what was bought."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from turnout.errors import LogError
from turnout.training.labelling.account import Account
from turnout.training.labelling.models import Answer

ONE = Decimal(1)


def _opened(folder: Path, **done: Decimal) -> Account:
    return Account(folder / "out.jsonl", done)


def test_every_end_of_a_row_is_counted_once(tmp_path: Path) -> None:
    """Finished, failed, broken off in a call, killed: what was spent, and the worst where nobody knows."""
    account = _opened(tmp_path)
    for row in ("finished", "failed", "broken", "killed", "again"):
        account.begun(row, 8 * ONE)
    account.finished("finished", ONE)
    account.left("failed", 2 * ONE, 0 * ONE, "the check raised", {})
    account.left("broken", ONE, 3 * ONE, "CancelledError", {})
    account.close()
    assert _opened(tmp_path).spent == 1 + 2 + 4 + 8 + 8
    # Killed, and then finished in another run: the first go still counts.
    account = _opened(tmp_path)
    account.begun("again", 8 * ONE)
    account.finished("again", ONE)
    account.close()
    assert _opened(tmp_path).spent == 1 + 2 + 4 + 8 + (8 + 1)


def test_rows_count_once_whether_the_account_tells_of_them_or_only_their_file(tmp_path: Path) -> None:
    """Rows labelled before there was an account count at what stands in them."""
    account = _opened(tmp_path)
    account.begun("a", 8 * ONE)
    account.finished("a", 5 * ONE)
    account.close()
    assert _opened(tmp_path, a=2 * ONE, b=3 * ONE).spent == 5 + 3


def test_what_an_unfinished_row_bought_is_found_again_until_it_is_finished(tmp_path: Path) -> None:
    """Texts, costs and all; the money for them is counted already."""
    answer = Answer(text="four \u00e9\n", cost_usd=Decimal("0.00001"), spent_usd=Decimal("0.00002"), cut=True)
    account = _opened(tmp_path)
    account.begun("a", ONE)
    account.left("a", Decimal("0.00002"), 0 * ONE, "outage", {"asked": answer})
    account.close()
    again = _opened(tmp_path)
    kept = again.bought("a")["asked"]
    assert (kept.text, kept.cost_usd, kept.cut, kept.spent_usd) == (answer.text, answer.cost_usd, True, 0)
    assert again.bought("b") == {}
    again.begun("a", ONE)
    again.finished("a", ONE)
    again.close()
    assert _opened(tmp_path).bought("a") == {}


def test_a_line_that_was_broken_off_costs_no_other_and_counts_at_its_worst(tmp_path: Path) -> None:
    """Cut anywhere in its last line, the account still counts no less than was spent, and can be added to."""
    account = _opened(tmp_path)
    account.begun("a", 8 * ONE)
    account.finished("a", ONE)
    account.begun("b", 8 * ONE)
    account.finished("b", ONE)
    account.close()
    whole = account.path.read_bytes()
    last = len(whole) - whole[:-1].rindex(b"\n") - 1
    for cut in range(2, last):
        account.path.write_bytes(whole[:-cut])
        again = _opened(tmp_path)
        assert again.spent == 1 + 8
        again.begun("c", ONE)
        again.close()
        assert _opened(tmp_path).spent == 1 + 8 + 1


def test_another_file_of_that_name_is_not_added_to(tmp_path: Path) -> None:
    """It is refused by line, with what to do."""
    (tmp_path / "out.jsonl.account").write_text("my notes\n")
    with pytest.raises(LogError, match=r"out.jsonl.account:1: is no account"):
        _opened(tmp_path)
