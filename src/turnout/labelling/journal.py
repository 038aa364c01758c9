"""The account beside a file of labelled logs: what all runs spent on it, and what they bought for rows not done yet.

`FILE.account`, JSON lines. The first says who was asked and who judged: labels of others do not mix with them. Before
each call its worst case is written down, after it what it really cost, and the answer. So whatever ends a run, a kill
too, the next one counts no less than was spent and no more than the calls that were under way could cost, and no answer
is bought twice.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from turnout.errors import LogError, UsageError
from turnout.labelling.lock import journal_path
from turnout.labelling.models import Answer
from turnout.openai.messages import Message, canonical_json
from turnout.pricing import FREE

# What the first line tells of.
HEAD = "labelling"
# The answers that a row bought, each by the digest of what was asked.
Bought = dict[str, Answer]


class Questions:
    """The questions of one go at one row, counted: a judge may be asked the very same twice."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def digest(self, model: str, messages: Sequence[Message], max_tokens: int) -> str:
        first = _digest(model, messages, max_tokens, 0)
        nth, self._asked[first] = self._asked[first], self._asked[first] + 1
        return _digest(model, messages, max_tokens, nth) if nth else first


def _digest(model: str, messages: Sequence[Message], max_tokens: int, nth: int) -> str:
    told = canonical_json([model, list(messages), max_tokens, nth])
    return hashlib.blake2b(told, digest_size=8).hexdigest()


class Journal:
    """spent: in USD, of all runs before this one. failures: how often each row failed for its own sake. Raises LogError
    where it cannot be read or written.

    done: the rows that are labelled, by digest, and what their two answers cost: counted where no account tells more.
    terms: who is asked, who judges, and the like; None: not compared. Raises UsageError where FILE was begun by others.
    """

    def __init__(self, labelled: Path, done: Mapping[str, Decimal], policies: Mapping[str, Any] | None = None) -> None:
        self.path = journal_path(labelled)
        self.failures: Counter[str] = Counter()
        self._file: int | None = None
        self._policies = dict(policies or {})
        self._begun: Mapping[str, Any] | None = None
        self._kept: dict[str, Bought] = {}
        self._costs: dict[str, Decimal] = {}
        # Of calls that were begun, and of whose end nothing is written.
        self._held: dict[str, Decimal] = {}
        self._whole = True
        if self.path.exists():
            self._read()
        if policies is not None and self._begun is not None:
            _compare(labelled, self._begun, self._policies)
        told = {row: self._costs.get(row, FREE) + self._held.get(row, FREE) for row in {*self._costs, *self._held}}
        self.spent = sum((dict(done) | told).values(), FREE)
        for row in done:
            self._kept.pop(row, None)

    def bought(self, row: str) -> Bought:
        """The answers that earlier goes at this row bought."""
        return dict(self._kept.get(row, {}))

    def calling(self, row: str, worst: Decimal) -> None:
        """A call for this row begins, which may cost so much. Raises LogError."""
        self._append({"row": row, "held_usd": str(worst)})

    def called(self, row: str, spent: Decimal) -> None:
        """It ended without an answer, for so much. Raises LogError."""
        self._append({"row": row, "usd": str(spent)})

    def answered(self, row: str, asked: str, answer: Answer) -> None:
        """It ended with an answer. asked: the digest of the question. Raises LogError."""
        self._kept.setdefault(row, {})[asked] = answer
        self._append({"row": row, "usd": str(answer.spent_usd), "asked": asked, "answer": _answer_told(answer)})

    def finished(self, row: str) -> None:
        """The row is labelled. Raises LogError."""
        self._kept.pop(row, None)
        self._append({"row": row, "done": True})

    def failed(self, row: str, why: str, keep: Collection[str]) -> None:
        """The row cannot be labelled, for its own sake. keep: which of its answers are still good. Raises LogError."""
        self._keep(row, keep)
        self._append({"row": row, "failed": why, "keep": list(keep)})

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _keep(self, row: str, keep: Collection[str]) -> None:
        self.failures[row] += 1
        self._kept[row] = {asked: answer for asked, answer in self._kept.get(row, {}).items() if asked in keep}

    def _append(self, told: Mapping[str, Any]) -> None:
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                if self._begun is None:
                    # Nothing is there, or a first line that was broken off.
                    os.ftruncate(self._file, 0)
                    self._begun = self._policies
                    self._write(_line({HEAD: self._policies}))
                elif not self._whole:
                    self._write(b"\n")
            self._write(_line(told))
        except OSError as error:
            raise LogError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def _write(self, line: bytes) -> None:
        assert self._file is not None
        while line:
            line = line[os.write(self._file, line) :]

    def _read(self) -> None:
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    self._whole = line.endswith(b"\n")
                    if not line.strip():
                        continue
                    try:
                        self._take(json.loads(line))
                    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
                        # Broken off in the writing: before a call began, or so that its worst case stands.
                        if self._begun is None and (self._whole or not _line({HEAD: {}}).startswith(line[:9])):
                            raise LogError(
                                f"{self.path}:{number}: is no account of labelling; move it, or write to another -o"
                            ) from None
        except OSError as error:
            raise LogError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def _take(self, told: Any) -> None:
        """One line. Raises ValueError and the like where it is none of ours."""
        if self._begun is None:
            self._begun = dict(told[HEAD])
            return
        row = str(told["row"])
        if "held_usd" in told:
            # Begun before and never ended, so killed in the middle: its worst case counts for good.
            self._costs[row] = self._costs.get(row, FREE) + self._held.pop(row, FREE)
            self._held[row] = _usd(told["held_usd"])
        elif "usd" in told:
            answer = _answer(told["answer"]) if "answer" in told else None
            self._costs[row] = self._costs.get(row, FREE) + _usd(told["usd"])
            self._held.pop(row, None)
            if answer is not None:
                self._kept.setdefault(row, {})[str(told["asked"])] = answer
        elif "failed" in told:
            self._keep(row, told["keep"])


def _compare(labelled: Path, begun: Mapping[str, Any], policies: Mapping[str, Any]) -> None:
    other = [f"{name} {begun.get(name)}, not {now}" for name, now in policies.items() if begun.get(name) != now]
    if other:
        raise UsageError(
            f"{labelled} was begun with {'; '.join(other)}: labels of the two do not mix; name a new file with -o"
        )


def _line(told: Mapping[str, Any]) -> bytes:
    # A lone surrogate, which no UTF-8 holds, stays what it is: or the answer would be another.
    return json.dumps(told, ensure_ascii=True).encode() + b"\n"


def _usd(text: Any) -> Decimal:
    told = Decimal(str(text))
    if not told.is_finite() or told < 0:
        raise ValueError(text)
    return told


def _answer_told(answer: Answer) -> dict[str, Any]:
    usd = None if answer.cost_usd is None else str(answer.cost_usd)
    return {"text": answer.text, "cost_usd": usd, "cut": answer.cut}


def _answer(told: Mapping[str, Any]) -> Answer:
    usd = told["cost_usd"]
    return Answer(text=str(told["text"]), cost_usd=None if usd is None else _usd(usd), cut=bool(told["cut"]))
