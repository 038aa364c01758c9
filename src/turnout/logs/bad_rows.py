"""The rows of logs that were skipped: how many, the first ones by name, and what was wrong most often."""

from __future__ import annotations

import re
from collections import Counter

# How many bad rows are named one by one.
NAMED = 20
# Reasons that are distinguished. Those that come later are counted, but cannot be the commonest.
KINDS = 200
# Places remembered of each reason.
PLACES = 3
# A text that was wrong. It may be anybody's prompt, and what is reported of all rows is written into scorer files.
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
        self._places: dict[str, list[str]] = {}

    def add(self, where: str, reason: str, rows: int = 1) -> None:
        """Counts the rows that are lost for this reason, at this place."""
        self.skipped += rows
        if len(self.named) < NAMED:
            self.named.append(f"{where}: {reason}")
        reason = _TEXT.sub("'...'", reason)
        kind = _NUMBER.sub("", reason)
        if kind in self._first or len(self._first) < KINDS:
            self._counted[kind] += rows
            self._first.setdefault(kind, reason)
            if len(places := self._places.setdefault(kind, [])) < PLACES:
                places.append(where)

    @property
    def kinds(self) -> int:
        return len(self._first)

    @property
    def reasons(self) -> list[tuple[str, int, list[str]]]:
        """Each reason, any text in it left out, with how many rows it cost and its first places, commonest first."""
        return [(self._first[kind], count, self._places[kind]) for kind, count in self._counted.most_common()]

    @property
    def commonest(self) -> str:
        """The first reason of the commonest kind, any text in it left out; "" where no row is bad."""
        return self._first[self._counted.most_common(1)[0][0]] if self._counted else ""

    def warning(self, rows: int) -> str:
        """What is wrong with most rows, where more were skipped than the `rows` that are good; else ""."""
        if self.skipped <= rows:
            return ""
        times = self._counted.most_common(1)[0][1]
        return (
            f"{self.skipped} of {self.skipped + rows} rows were skipped, {times} of them as this one: {self.commonest}"
        )
