"""The account beside a file of labelled logs: what all runs spent on it, and what they bought for rows not done yet.

`FILE.account`, JSON lines. Before a row's first call its worst case is written down, after its end what it really
cost, so that whatever ends a run, the next one counts no less than was spent. A row that was not finished leaves the
answers that it bought: they are not bought again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from turnout.errors import LogError
from turnout.messages import Message, canonical_json
from turnout.pricing import FREE
from turnout.training.labelling.models import Answer

# The answers that a row bought, each by the digest of what was asked.
Bought = dict[str, Answer]


def asked_digest(model: str, messages: Sequence[Message], max_tokens: int, nth: int) -> str:
    """Of one question of a row; nth: how often the row asked the very same before."""
    told = canonical_json([model, list(messages), max_tokens, nth])
    return hashlib.blake2b(told, digest_size=8).hexdigest()


@contextmanager
def alone(labelled: Path) -> Iterator[None]:
    """No other run adds to this file while the block lasts: two would each spend what one budget has left. Raises
    LogError where another is at it. Where the system has no file locks, nothing is checked."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = account_of(labelled)
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LogError(f"{labelled}: cannot be written; {path.name} beside it: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LogError(f"{labelled}: another run is adding to it; wait for it, or write to another -o") from error
        try:
            yield
        finally:
            if not os.fstat(lock).st_size:
                path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def account_of(labelled: Path) -> Path:
    return labelled.with_name(labelled.name + ".account")


class Account:
    """spent: in USD, of all runs so far. Raises LogError where it cannot be read or written.

    done: the rows that are labelled, by digest, and what their two answers cost: counted where no account tells more.
    """

    def __init__(self, labelled: Path, done: Mapping[str, Decimal]) -> None:
        self.path = account_of(labelled)
        self._file: int | None = None
        self._kept: dict[str, Bought] = {}
        self._whole = True
        costs = dict(done)
        if self.path.exists():
            costs |= self._read()
        self.spent = sum(costs.values(), FREE)

    def bought(self, row: str) -> Bought:
        """The answers that earlier goes at this row bought."""
        return dict(self._kept.get(row, {}))

    def begun(self, row: str, worst: Decimal) -> None:
        """From now on this may be spent on the row. Raises LogError."""
        self._append({"row": row, "held_usd": str(worst)})

    def finished(self, row: str, spent: Decimal) -> None:
        """The row is labelled, for so much. Raises LogError."""
        self._kept.pop(row, None)
        self._append({"row": row, "usd": str(spent)})

    def left(self, row: str, spent: Decimal, uncertain: Decimal, why: str, bought: Bought) -> None:
        """The row is not labelled. uncertain: what a call that was broken off may cost besides. Raises LogError."""
        told: dict[str, Any] = {"row": row, "usd": str(spent), "why": why}
        if uncertain:
            told["uncertain_usd"] = str(uncertain)
        if bought:
            self._kept[row] = dict(bought)
            told["answers"] = {asked: _answer_told(answer) for asked, answer in bought.items()}
        self._append(told)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # ------------------------------------------------------------------------------------------ the file

    def _append(self, told: Mapping[str, Any]) -> None:
        line = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                line = line if self._whole else b"\n" + line
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            raise LogError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def _read(self) -> dict[str, Decimal]:
        """What each row cost in all."""
        costs: dict[str, Decimal] = {}
        held: dict[str, Decimal] = {}
        number, broken = 0, 0
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    self._whole = line.endswith(b"\n")
                    if not line.strip():
                        continue
                    try:
                        self._line(json.loads(line), costs, held)
                    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
                        # Broken off in the writing: before the row's first call, or so that its worst case stands.
                        broken = broken or number
        except OSError as error:
            raise LogError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        if broken and not costs and not held:
            raise LogError(f"{self.path}:{broken}: is no account of labelling; move it away, or write to another -o")
        return {row: costs.get(row, FREE) + held.get(row, FREE) for row in {*costs, *held}}

    def _line(self, told: Any, costs: dict[str, Decimal], held: dict[str, Decimal]) -> None:
        row = str(told["row"])
        if "held_usd" in told:
            worst = _usd(told["held_usd"])
            # Begun before and never ended, so killed in the middle: its worst case counts for good.
            costs[row] = costs.get(row, FREE) + held.pop(row, FREE)
            held[row] = worst
            return
        usd = _usd(told["usd"]) + _usd(told.get("uncertain_usd", "0"))
        bought = {asked: _answer(answer) for asked, answer in told.get("answers", {}).items()}
        costs[row] = costs.get(row, FREE) + usd
        held.pop(row, None)
        if bought:
            self._kept[row] = bought
        elif "why" not in told:
            self._kept.pop(row, None)


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
