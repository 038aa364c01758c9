"""The journal beside a file of labelled logs: what all runs spent on it, and every answer that they bought for it.

`FILE.account`, an SQLite database, locked by the run that has it open. It says who was asked and who judged: labels of
others do not mix. The worst case of each call is committed before the call, its real cost and its answer after it. So
however a run ends, killed too, the next one counts no less than was spent and no more than the calls that were under
way could cost, and buys no answer twice.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from turnout.errors import LogError, UsageError
from turnout.labelling.models import Answer
from turnout.locked_database import DatabaseBusy, DatabaseRemoved, ForeignDatabase, LockedDatabase
from turnout.openai.messages import Message, canonical_json
from turnout.pricing import FREE

# The answers that a row bought, each by the digest of its question.
Bought = dict[str, Answer]

# Any number that no other program is known to use: it tells our databases from others'.
APPLICATION_ID = 0x7475726E
SCHEMA = (
    "CREATE TABLE policies (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE calls (id INTEGER PRIMARY KEY, row_digest TEXT NOT NULL, worst_usd TEXT NOT NULL, usd TEXT)",
    "CREATE TABLE answers (row_digest TEXT, question TEXT, answer TEXT NOT NULL, PRIMARY KEY (row_digest, question))",
    "CREATE TABLE failures (row_digest TEXT NOT NULL, reason TEXT NOT NULL)",
    "CREATE TABLE last_append (only INTEGER PRIMARY KEY CHECK (only = 1), offset INTEGER NOT NULL, line BLOB NOT NULL)",
)


class QuestionDigests:
    """Digests of the questions of one pass over one row. A judge may be asked the same twice: the repetition counts."""

    def __init__(self) -> None:
        self._repetitions: Counter[bytes] = Counter()

    def digest(self, model: str, messages: Sequence[Message], max_tokens: int) -> str:
        """16 hexadecimal digits."""
        question = canonical_json([model, list(messages), max_tokens])
        repetition, self._repetitions[question] = self._repetitions[question], self._repetitions[question] + 1
        content = canonical_json([model, list(messages), max_tokens, repetition])
        return hashlib.blake2b(content, digest_size=8).hexdigest()


def journal_path(labelled: Path) -> Path:
    """`FILE.account` for FILE."""
    return labelled.with_name(labelled.name + ".account")


class Journal:
    """The journal of the file `labelled`, for one run at a time: it stays locked until `close`.

    policies: who is asked, who judges, and the like; None: not compared. failures: how often each row failed for its
    own sake. Nothing is written before the first call; a journal without one is removed when it is closed. Every verb
    raises LogError where the database cannot be read or written. Raises LogError where another run has it open or the
    file is no journal, UsageError where FILE was begun with other policies.
    """

    def __init__(self, labelled: Path, policies: Mapping[str, Any] | None = None) -> None:
        self.path = journal_path(labelled)
        self._policies = dict(policies or {})
        self._database = self._open(labelled)
        try:
            if self._database.begun and policies is not None:
                self._compare(labelled)
            failures = self._select("SELECT row_digest, count(*) FROM failures GROUP BY row_digest")
            self.failures: Counter[str] = Counter(dict(failures))
        except BaseException:
            self.close()
            raise

    def _open(self, labelled: Path) -> LockedDatabase:
        try:
            with self._errors():
                return LockedDatabase(self.path, application_id=APPLICATION_ID, schema=SCHEMA)
        except OSError as error:
            raise LogError(f"{labelled}: cannot be written; {self.path.name} beside it: {error}") from error
        except DatabaseBusy as error:
            raise LogError(f"{labelled}: another run is adding to it; wait for it, or write to another -o") from error
        except DatabaseRemoved as error:
            raise LogError(f"{labelled}: another run was adding to it; run the same command again") from error
        except ForeignDatabase as error:
            raise LogError(f"{self.path}: {self._foreign_text()}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Unlocks the journal, and removes it where it holds nothing. May be called again."""
        self._database.close()

    def spent(self, labelled: Mapping[str, Decimal]) -> Decimal:
        """USD of all runs so far; calls without an end count at their worst. labelled: the rows of FILE by digest, and
        what their two answers cost: counted where no call of the row is in the journal."""
        calls = self._select("SELECT row_digest, coalesce(usd, worst_usd) FROM calls")
        rows = {row for row, _ in calls}
        unknown = (usd for row, usd in labelled.items() if row not in rows)
        return sum((Decimal(usd) for _, usd in calls), FREE) + sum(unknown, FREE)

    def bought(self, row: str) -> Bought:
        """The answers that earlier passes over this row bought, their cost counted already."""
        answers = self._select("SELECT question, answer FROM answers WHERE row_digest = ?", row)
        return {question: _answer(text) for question, text in answers}

    def begin_call(self, row: str, worst: Decimal) -> int:
        """Notes that a call for this row begins, and what it may cost in USD. Returns the call's number."""
        with self._transaction() as connection:
            statement = "INSERT INTO calls (row_digest, worst_usd) VALUES (?, ?)"
            number = connection.execute(statement, (row, str(worst))).lastrowid
        assert number is not None
        return number

    def end_call(self, call: int, spent: Decimal) -> None:
        """Notes that the call ended without an answer, for so many USD."""
        with self._transaction() as connection:
            connection.execute("UPDATE calls SET usd = ? WHERE id = ?", (str(spent), call))

    def record_answer(self, call: int, row: str, question: str, answer: Answer) -> None:
        """Notes that the call ended with this answer. question: its digest."""
        with self._transaction() as connection:
            connection.execute("UPDATE calls SET usd = ? WHERE id = ?", (str(answer.spent_usd), call))
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (row, question, _json(answer)))

    def record_failure(self, row: str, reason: str, keep: Collection[str]) -> None:
        """Notes that the row failed for its own sake. keep: the questions whose answers are still good."""
        self.failures[row] += 1
        bad = [(row, question) for question in self.bought(row).keys() - set(keep)]
        with self._transaction() as connection:
            connection.execute("INSERT INTO failures VALUES (?, ?)", (row, json.dumps(reason)))
            connection.executemany("DELETE FROM answers WHERE row_digest = ? AND question = ?", bad)

    def last_append(self) -> tuple[int, bytes] | None:
        """Where in FILE the last row was to begin, in bytes, and its line."""
        return next(iter(self._select("SELECT offset, line FROM last_append")), None)

    def begin_append(self, offset: int, line: bytes) -> None:
        """Notes which line is about to be added to FILE: an interrupted write is known by it."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO last_append VALUES (1, ?, ?)", (offset, line))

    def _foreign_text(self) -> str:
        with self.path.open("rb") as file:
            if not file.read(12).startswith(b'{"labelling"'):
                return "is no journal of labelling; move it, or write to another -o"
        return (
            "is a text account of an earlier version, which this version does not add to; finish the file with that "
            "version, or write to another -o; or move the account away: then only the rows of the file count as "
            "spent, and rows that are not done are asked anew"
        )

    def _compare(self, labelled: Path) -> None:
        begun = {name: json.loads(value) for name, value in self._select("SELECT name, value FROM policies")}
        other = [
            f"{name} {begun.get(name)}, not {value}"
            for name, value in self._policies.items()
            if begun.get(name) != value
        ]
        if other:
            raise UsageError(
                f"{labelled} was begun with {'; '.join(other)}: labels of the two do not mix; name a new file with -o"
            )

    def _select(self, statement: str, *values: str) -> list[Any]:
        with self._errors():
            return self._database.select(statement, *values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block, or none."""
        with self._errors("cannot be written"), self._database.transaction() as connection:
            if not self._database.begun:
                policies = [(name, json.dumps(value)) for name, value in self._policies.items()]
                connection.executemany("INSERT INTO policies VALUES (?, ?)", policies)
            yield connection

    @contextmanager
    def _errors(self, message: str = "cannot be read") -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LogError(f"{self.path}: {message}: {error}") from error


def _json(answer: Answer) -> str:
    """In ASCII: a lone surrogate, which SQLite's UTF-8 cannot hold, stays what it is."""
    cost = None if answer.cost_usd is None else str(answer.cost_usd)
    return json.dumps({"text": answer.text, "cost_usd": cost, "cut": answer.cut})


def _answer(text: str) -> Answer:
    """The answer with nothing spent on it: the cost of its call is counted."""
    fields = json.loads(text)
    cost = fields["cost_usd"]
    return Answer(text=fields["text"], cost_usd=None if cost is None else Decimal(cost), cut=fields["cut"])
