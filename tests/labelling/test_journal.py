"""The journal: however a run ends, the next one counts no less than was spent, and finds what was bought."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from turnout.errors import LogError, UsageError
from turnout.labelling.journal import Journal, journal_path
from turnout.labelling.models import Answer

ONE = Decimal(1)


def _open(folder: Path) -> Journal:
    return Journal(folder / "out.jsonl")


def _spent(folder: Path, **labelled: Decimal) -> Decimal:
    with _open(folder) as journal:
        return journal.spent(labelled)


def _buy(journal: Journal, row: str, *costs: Decimal) -> None:
    """Calls that were answered for so much, each of which might have cost 8."""
    for n, cost in enumerate(costs):
        call = journal.begin_call(row, 8 * ONE)
        journal.record_answer(call, row, f"question {n}", Answer(text="yes", spent_usd=cost))


def test_every_end_of_a_call_is_counted_once_and_a_kill_costs_no_more_than_the_call(tmp_path: Path) -> None:
    """Answered, failed, killed in it: what was spent, and the worst of that call alone where nobody knows."""
    with _open(tmp_path) as journal:
        _buy(journal, "finished", ONE, ONE)
        journal.end_call(journal.begin_call("failed", 8 * ONE), 2 * ONE)
        journal.record_failure("failed", "the check raised", ())
        _buy(journal, "killed", ONE)
        journal.begin_call("killed", 8 * ONE)
    assert _spent(tmp_path) == 2 + 2 + (1 + 8)
    # And labelled in another run: the call that was killed still counts.
    with _open(tmp_path) as journal:
        assert list(journal.bought("killed")) == ["question 0"]
        _buy(journal, "killed", ONE)
    assert _spent(tmp_path, killed=2 * ONE) == 2 + 2 + (1 + 8) + 1


KILLED = """
import sys
from decimal import Decimal
from pathlib import Path
from turnout.labelling.journal import Journal
from turnout.labelling.models import Answer

journal = Journal(Path(sys.argv[1]), {"cheap": "small"})
for n in range(1000000):
    call = journal.begin_call("row", Decimal(1000))
    print("begun", n, flush=True)
    journal.record_answer(call, "row", f"question {n}", Answer(text="x" * 5000, spent_usd=Decimal(1)))
    print("answered", n, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 2, 7, 30])
def test_a_kill_loses_no_answer_and_no_cost_and_frees_the_file(tmp_path: Path, lines: int) -> None:
    """kill -9 while it writes: what it had told is there, the call under way counts at its worst, nothing else."""
    running = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "out.jsonl")], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    for _ in range(lines):
        running.stdout.readline()
    with pytest.raises(LogError, match="another run is adding to it"):
        _open(tmp_path)
    running.send_signal(signal.SIGKILL)
    printed = lines + len(running.stdout.read().splitlines())
    running.wait()
    running.stdout.close()
    begun, answered = (printed + 1) // 2, printed // 2
    with _open(tmp_path) as journal:
        bought, spent = len(journal.bought("row")), journal.spent({})
    # The line that tells of a write comes after it.
    assert answered <= bought <= answered + 1
    open_calls, ended = divmod(spent, 1000)
    assert ended == bought
    assert begun <= bought + open_calls <= begun + 1
    assert open_calls <= 1


def test_rows_count_once_whether_the_journal_or_only_their_file_knows_them(tmp_path: Path) -> None:
    """Rows without a call in the journal count at what stands in them."""
    with _open(tmp_path) as journal:
        _buy(journal, "a", 5 * ONE)
    assert _spent(tmp_path, a=2 * ONE, b=3 * ONE) == 5 + 3


def test_what_a_row_bought_is_found_again(tmp_path: Path) -> None:
    """Texts, costs and all; the money for them is counted already."""
    text = "four \u00e9\r\n\u2028\x00\ud800"
    answer = Answer(text=text, cost_usd=Decimal("0.00001"), spent_usd=Decimal("0.00002"), cut=True)
    with _open(tmp_path) as journal:
        journal.record_answer(journal.begin_call("a", ONE), "a", "question", answer)
    with _open(tmp_path) as journal:
        kept = journal.bought("a")["question"]
        assert journal.bought("b") == {}
    assert (kept.text, kept.cost_usd, kept.cut, kept.spent_usd) == (text, answer.cost_usd, True, 0)
    assert _spent(tmp_path) == answer.spent_usd


def test_a_row_that_failed_is_known_with_the_answers_that_are_still_good(tmp_path: Path) -> None:
    """So that it comes last, and its judge is asked anew."""
    for _ in range(2):
        with _open(tmp_path) as journal:
            _buy(journal, "a", ONE, ONE)
            journal.record_failure("a", "the judge said nothing \ud800", ("question 0",))
            seen = (dict(journal.failures), list(journal.bought("a")))
    with _open(tmp_path) as journal:
        assert (dict(journal.failures), list(journal.bought("a"))) == seen == ({"a": 2}, ["question 0"])


def test_a_file_that_was_begun_with_others_is_refused(tmp_path: Path) -> None:
    """Other models, another judge: their labels do not mix. A run that asked nothing has begun nothing."""
    policies = {"cheap": "small", "judge": "a", "--max-tokens": 9}
    with Journal(tmp_path / "out.jsonl", {**policies, "judge": "z"}):
        pass
    with Journal(tmp_path / "out.jsonl", policies) as journal:
        journal.begin_call("a", ONE)
    Journal(tmp_path / "out.jsonl", policies).close()
    with pytest.raises(UsageError, match=r"was begun with judge a, not b: .* name a new file with -o"):
        Journal(tmp_path / "out.jsonl", {**policies, "judge": "b"})
    # And is not locked by the refusal.
    assert _spent(tmp_path) == 1


@pytest.mark.parametrize("content", [b"my notes\n", b"SQLite format 3\x00 but broken" * 100])
def test_another_file_of_that_name_is_not_added_to(tmp_path: Path, content: bytes) -> None:
    """It is refused with what to do, and stays as it was."""
    journal_path(tmp_path / "out.jsonl").write_bytes(content)
    with pytest.raises(LogError, match=r"out.jsonl.account: .*"):
        _open(tmp_path)
    assert journal_path(tmp_path / "out.jsonl").read_bytes() == content


def test_another_programs_database_is_not_added_to(tmp_path: Path) -> None:
    """Its tables are no journal's."""
    database = sqlite3.connect(journal_path(tmp_path / "out.jsonl"))
    database.execute("CREATE TABLE notes (note)")
    database.close()
    with pytest.raises(LogError, match=r"is no journal of labelling; move it, or write to another -o"):
        _open(tmp_path)


def test_the_text_account_of_an_earlier_version_is_refused_and_kept(tmp_path: Path) -> None:
    """The error says what to do, and nothing is lost."""
    path = journal_path(tmp_path / "out.jsonl")
    text = '{"labelling": {"cheap": "small"}}\n{"row": "a", "held_usd": "1"}\n'
    path.write_text(text)
    with pytest.raises(LogError, match=r"text account of an earlier version.*that version, or write to another -o"):
        _open(tmp_path)
    assert path.read_text() == text


def test_a_second_run_is_refused_and_an_empty_journal_goes(tmp_path: Path) -> None:
    """A run that asked nothing leaves nothing behind; one that did keeps its journal."""
    with _open(tmp_path), pytest.raises(LogError, match=r"out\.jsonl: another run is adding to it"):
        _open(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with _open(tmp_path) as journal:
        journal.begin_call("a", ONE)
    assert journal_path(tmp_path / "out.jsonl").exists()


def test_never_do_two_runs_write_at_once_however_they_come_and_go(tmp_path: Path) -> None:
    """Six at it at once, some of whom remove the empty journal when they leave: nobody writes to a removed one."""
    written = [0]

    def comes_and_goes(folder: Path, number: int) -> None:
        for n in range(12):
            try:
                with _open(folder) as journal:
                    os.sched_yield()
                    if n == 2 * number:
                        journal.begin_call(f"{number}", ONE)
                        written[0] += 1
            except LogError:
                continue

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for place in range(20):
        folder = tmp_path / str(place)
        folder.mkdir()
        written[0] = 0
        threads = [threading.Thread(target=comes_and_goes, args=(folder, number)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # What was noted is counted, whoever removed what meanwhile.
        assert _spent(folder) == written[0]
    sys.setswitchinterval(before)


def test_a_disk_that_is_full_ends_with_an_error_of_ours(tmp_path: Path) -> None:
    """And leaves what was there."""
    with _open(tmp_path) as journal:
        _buy(journal, "a", ONE)
        journal._database.connection.execute("PRAGMA max_page_count = 1")
        call = journal.begin_call("a", 8 * ONE)
        with pytest.raises(LogError, match="cannot be written: database or disk is full"):
            journal.record_answer(call, "a", "long", Answer(text="x" * 50_000, spent_usd=ONE))
    assert _spent(tmp_path) == 1 + 8
