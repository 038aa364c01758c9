"""The account: whatever ends a run, the next one counts no less than was spent, and finds what was bought."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from turnout.errors import LogError, UsageError
from turnout.labelling.journal import Journal
from turnout.labelling.models import Answer

ONE = Decimal(1)


def _opened(folder: Path, **done: Decimal) -> Journal:
    return Journal(folder / "out.jsonl", done)


def _row(journal: Journal, row: str, *costs: Decimal) -> None:
    """Calls that were answered for so much, each of which might have cost 8."""
    for n, cost in enumerate(costs):
        journal.calling(row, 8 * ONE)
        journal.answered(row, f"question {n}", Answer(text="yes", spent_usd=cost))


def test_every_end_of_a_call_is_counted_once_and_a_kill_costs_no_more_than_the_call(tmp_path: Path) -> None:
    """Answered, failed, killed in it: what was spent, and the worst of that call alone where nobody knows."""
    journal = _opened(tmp_path)
    _row(journal, "finished", ONE, ONE)
    journal.finished("finished")
    journal.calling("failed", 8 * ONE)
    journal.called("failed", 2 * ONE)
    journal.failed("failed", "the check raised", ())
    _row(journal, "killed", ONE)
    journal.calling("killed", 8 * ONE)
    journal.close()
    assert _opened(tmp_path).spent == 2 + 2 + (1 + 8)
    # And finished in another run: the call that was killed still counts.
    journal = _opened(tmp_path)
    assert list(journal.bought("killed")) == ["question 0"]
    _row(journal, "killed", ONE)
    journal.finished("killed")
    journal.close()
    assert _opened(tmp_path).spent == 2 + 2 + (1 + 8) + 1


def test_rows_count_once_whether_the_account_tells_of_them_or_only_their_file(tmp_path: Path) -> None:
    """Rows labelled before there was an account count at what stands in them."""
    journal = _opened(tmp_path)
    _row(journal, "a", 5 * ONE)
    journal.finished("a")
    journal.close()
    assert _opened(tmp_path, a=2 * ONE, b=3 * ONE).spent == 5 + 3


def test_what_an_unfinished_row_bought_is_found_again_until_it_is_finished(tmp_path: Path) -> None:
    """Texts, costs and all; the money for them is counted already."""
    text = "four \u00e9\r\n\u2028\x00\ud800"
    answer = Answer(text=text, cost_usd=Decimal("0.00001"), spent_usd=Decimal("0.00002"), cut=True)
    journal = _opened(tmp_path)
    journal.answered("a", "asked", answer)
    journal.close()
    again = _opened(tmp_path)
    kept = again.bought("a")["asked"]
    assert (kept.text, kept.cost_usd, kept.cut, kept.spent_usd) == (text, answer.cost_usd, True, 0)
    assert again.bought("b") == {}
    assert _opened(tmp_path, a=ONE).bought("a") == {}


def test_a_row_that_failed_is_known_with_the_answers_that_are_still_good(tmp_path: Path) -> None:
    """So that it comes last, and its judge is asked anew."""
    journal = _opened(tmp_path)
    for _ in range(2):
        _row(journal, "a", ONE, ONE)
        journal.failed("a", "the judge said nothing", ("question 0",))
    journal.close()
    for each in (journal, _opened(tmp_path)):
        assert each.failures == {"a": 2}
        assert list(each.bought("a")) == ["question 0"]


def test_a_file_that_was_begun_with_others_is_refused(tmp_path: Path) -> None:
    """Other models, another judge: their labels do not mix. An account that only failed to begin is no beginning."""
    policies = {"cheap": "small", "judge": "a"}
    journal = Journal(tmp_path / "out.jsonl", {}, policies)
    journal.calling("a", ONE)
    journal.close()
    Journal(tmp_path / "out.jsonl", {}, policies)
    with pytest.raises(UsageError, match=r"was begun with judge a, not b: .* name a new file with -o"):
        Journal(tmp_path / "out.jsonl", {}, {**policies, "judge": "b"})
    whole = journal.path.read_bytes()
    for end in range(1, whole.index(b"\n")):
        journal.path.write_bytes(whole[:end])
        again = Journal(tmp_path / "out.jsonl", {}, {**policies, "judge": "b"})
        again.calling("a", ONE)
        again.close()
        assert Journal(tmp_path / "out.jsonl", {}, {**policies, "judge": "b"}).spent == 1


def test_a_line_that_was_broken_off_costs_no_other_and_counts_at_its_worst(tmp_path: Path) -> None:
    """Cut anywhere in its last line, the account still counts no less than was spent, and can be added to."""
    journal = _opened(tmp_path)
    _row(journal, "a", ONE)
    journal.finished("a")
    _row(journal, "b", ONE)
    journal.close()
    whole = journal.path.read_bytes()
    last = len(whole) - whole[:-1].rindex(b"\n") - 1
    for cut in range(2, last):
        journal.path.write_bytes(whole[:-cut])
        again = _opened(tmp_path)
        assert again.spent == 1 + 8
        assert again.bought("b") == {}
        again.calling("c", ONE)
        again.close()
        assert _opened(tmp_path).spent == 1 + 8 + 1


def test_another_file_of_that_name_is_not_added_to(tmp_path: Path) -> None:
    """It is refused by line, with what to do."""
    (tmp_path / "out.jsonl.account").write_text("my notes\n")
    with pytest.raises(LogError, match=r"out.jsonl.account:1: is no account"):
        _opened(tmp_path)
