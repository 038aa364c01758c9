"""The rows of logs that were skipped: how many, the first ones by name, and what was wrong most often."""

from __future__ import annotations

import re
from collections import Counter

# How many bad rows are named one by one.
NAMED = 20
# Reasons told apart. Those that come later are counted, but cannot be the commonest.
KINDS = 200
# A text that was wrong. It may be anybody's prompt, and what is told of all rows is written into scorer files.
_TEXT = re.compile(r"(['\"]).*\1")
# What else differs between two reasons of one kind: a number that was wrong, or a place.
_NUMBER = re.compile(r"-?\d[\d.e+-]*|\b(?:nan|inf)\b")


class BadRows:
    """Counts bad rows as they come. named: the first of them, as `file:line: reason`."""

    def __init__(self) -> None:
        self.named: list[str] = []
        self.skipped = 0
        self._counted: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, where: str, reason: str) -> None:
        self.skipped += 1
        if len(self.named) < NAMED:
            self.named.append(f"{where}: {reason}")
        reason = _TEXT.sub("'...'", reason)
        kind = _NUMBER.sub("", reason)
        if kind in self._first or len(self._first) < KINDS:
            self._counted[kind] += 1
            self._first.setdefault(kind, reason)

    @property
    def kinds(self) -> int:
        return len(self._first)

    @property
    def commonest(self) -> str:
        """The first reason of the commonest kind, any text in it left out; "" where no row is bad."""
        return self._first[self._counted.most_common(1)[0][0]] if self._counted else ""

    def told(self, rows: int) -> str:
        """What is wrong with most rows, where more were skipped than the `rows` that are good; else ""."""
        if self.skipped <= rows:
            return ""
        times = self._counted.most_common(1)[0][1]
        return (
            f"{self.skipped} of {self.skipped + rows} rows were skipped, {times} of them as this one: {self.commonest}"
        )
