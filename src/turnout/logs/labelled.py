"""Labelled logs: a row a request, with how good each tier's answer was.

CSV (also .gz), JSON lines (also .gz) or Parquet. Required: `prompt` (or `messages`), `cheap_quality`,
`expensive_quality` in [0, 1]. Optional: `group`, `cheap_usd`, `expensive_usd`, `weight`, `id`, `cheap_answer`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.errors import LogError
from turnout.logs.bad_rows import BadRows
from turnout.logs.files import Broken, Row, need, rows_of
from turnout.logs.rows import (
    Numbers,
    OffScale,
    group_of,
    numbers_of,
    prompt_or_messages,
    query_of,
    scale_of,
)
from turnout.ports.scoring import Query
from turnout.routing.tags import identity

Floats = NDArray[np.float64]

# Rows of one tag, at least, to learn of it.
COMMON = 2
# Files named in a message that is about all of them.
FILES_NAMED = 3
REQUIRED = (("prompt", "messages"), ("cheap_quality",), ("expensive_quality",))


@dataclass(frozen=True)
class Logs:
    """queries: [n]. cheap, expensive: qualities, [n]. cheap_usd, expensive_usd: [n], nan where not told.

    bad: the first rows that were skipped, as `file:line: reason`; skipped: how many. good: how many good rows
    were read, where only a sample of them is held (0: all are). most_bad: what is wrong with most rows, where more
    were skipped than are good; else "". weight: what a row counts for, [n]; all 1 where the logs tell none.
    """

    queries: list[Query]
    cheap: Floats
    expensive: Floats
    cheap_usd: Floats
    expensive_usd: Floats
    bad: list[str] = field(default_factory=list)
    skipped: int = 0
    good: int = 0
    weights: Floats | None = None
    most_bad: str = ""

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def rows(self) -> int:
        """How many good rows were read."""
        return max(self.good, len(self))

    @property
    def weight(self) -> Floats:
        return np.ones(len(self)) if self.weights is None else self.weights

    @property
    def gain(self) -> Floats:
        """Expensive minus cheap quality, [n], in [-1, 1]."""
        return self.expensive - self.cheap

    @property
    def net_gain(self) -> Floats:
        """The gain less what the expensive answer's extra cost buys elsewhere, [n]; its mean is the gain's.

        A dollar is worth the quality that it buys on average over these rows. The gain itself where not every row
        tells its costs, where the expensive tier costs no more, and where it is no better.
        """
        if not self.has_costs:
            return self.gain
        extra, mean = self.expensive_usd - self.cheap_usd, float(self.gain.mean())
        # A cost far from all others, or in another unit, says nothing of the others.
        extra = extra.clip(*np.quantile(extra, (0.01, 0.99)))
        if extra.mean() <= 0 or mean <= 0:
            return self.gain
        return np.asarray(self.gain - mean * (extra / extra.mean() - 1.0))

    @property
    def groups(self) -> list[str]:
        return [query.tag for query in self.queries]

    @property
    def has_costs(self) -> bool:
        return bool(len(self) and np.isfinite(self.cheap_usd).all() and np.isfinite(self.expensive_usd).all())

    def part(self, rows: Sequence[int] | NDArray[np.intp]) -> Logs:
        """The logs of some rows."""
        at = np.asarray(rows, dtype=np.intp)
        return Logs(
            [self.queries[row] for row in at],
            self.cheap[at], self.expensive[at], self.cheap_usd[at], self.expensive_usd[at],
            weights=None if self.weights is None else self.weights[at],
        )  # fmt: skip

    def tagged(self) -> Logs:
        """The same rows under the tags that something can be learnt of. A group that all rows share tells nothing,
        such as the one endpoint of a gateway: their system prompts are the tags then, where at least two kinds are
        common. A tag that no other row has is left out, so that a scorer file does not hold thousands of system
        prompts that were sent once."""
        tags = self.groups
        if len(set(tags)) == 1 and tags[0]:
            named = [identity(query.messages) for query in self.queries]
            tags = named if sum(count >= COMMON for count in Counter(named).values()) > 1 else tags
        counted = Counter(tags)
        told = [tag if counted[tag] >= COMMON else "" for tag in tags]
        queries = [q if q.tag == tag else replace(q, tag=tag) for q, tag in zip(self.queries, told, strict=True)]
        return replace(self, queries=queries)

    def evened(self, seed: int = 0) -> Logs:
        """As many rows, each counting the same: a row of twice the mean weight stands there twice.

        What a row of weight 1.3 counts for is given out by systematic sampling, so no row is off by one or more.
        """
        if self.weights is None or not np.ptp(self.weights):
            return self
        ends = np.cumsum(self.weights) / self.weights.sum() * len(self)
        points = np.arange(len(self)) + np.random.default_rng(seed).random()
        even = self.part(np.searchsorted(ends, points).clip(0, len(self) - 1))
        return replace(even, weights=None, bad=self.bad, skipped=self.skipped, good=self.good, most_bad=self.most_bad)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Logs:
        """The logs of rows already in memory. Raises LogError at the first bad one."""
        gathering = _Gathering(strict=True, most=None, seed=0)
        for number, row in enumerate(rows, 1):
            gathering.take("row", number, row)
        return gathering.logs()


def read(
    paths: Sequence[str | Path],
    *,
    strict: bool = False,
    most: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Logs:
    """The logs in these files, bad rows skipped and counted.

    most: hold no more rows than these, drawn evenly from all good ones; every row is read and checked still.
    Raises LogError: for a file that cannot be read, for a file without the required columns, with `strict` for
    the first bad row, and where no row is good.
    """
    gathering = _Gathering(strict=strict, most=most, seed=seed)
    for path in map(Path, paths):
        for line, row in rows_of(path, lambda names: need(names, REQUIRED)):
            gathering.take(str(path), line, row)
            if progress is not None and line % 5000 == 0:
                progress(gathering.seen, 0)
    try:
        logs = gathering.logs()
        if not len(logs):
            raise LogError(_no_good_row(logs))
    except LogError as error:
        raise LogError(f"{_named(paths)}: {error}") from None
    return logs


def _named(paths: Sequence[str | Path]) -> str:
    more = len(paths) - FILES_NAMED
    return ", ".join(map(str, paths[:FILES_NAMED])) + (f" and {more} more" if more > 0 else "")


def _no_good_row(logs: Logs) -> str:
    if not logs.skipped:
        return "no good row in these logs; there is no row at all"
    return f"no good row in these logs; the first bad one: {logs.bad[0]}; {logs.most_bad}"


class _Gathering:
    """Rows on their way to Logs. Holds a reservoir (Vitter's algorithm R): each row equally likely, one pass."""

    def __init__(self, *, strict: bool, most: int | None, seed: int) -> None:
        self._strict = strict
        self._most = most
        self._chance = random.Random(seed)
        self._held: list[tuple[int, Query, Numbers]] = []
        self._bad = BadRows()
        # Rows with a quality above 1, and the largest.
        self._off_scale, self._largest = 0, 0.0
        self._good = 0

    def take(self, name: str, line: int, row: Row | Broken) -> None:
        try:
            if isinstance(row, Broken):
                raise ValueError(row.reason)
            numbers = numbers_of(row)
            prompt, group = prompt_or_messages(row), group_of(row)
            # Of a plain text nothing more can be wrong; a conversation is looked into even where it is not kept.
            query = None if isinstance(prompt, str) else query_of(prompt, group)
        except ValueError as error:
            if self._strict:
                raise LogError(f"{name}:{line}: {error}") from error
            if isinstance(error, OffScale):
                self._off_scale, self._largest = self._off_scale + 1, max(self._largest, error.value)
            self._bad.add(f"{name}:{line}", str(error))
            return
        at = self._place()
        self._good += 1
        if at is not None:
            held = (self._good, query or query_of(prompt, group), numbers)
            self._held[at : at + 1] = [held]

    @property
    def seen(self) -> int:
        return self._good + self._bad.skipped

    def _place(self) -> int | None:
        if self._most is None or len(self._held) < self._most:
            return len(self._held)
        at = self._chance.randrange(self._good + 1)
        return at if at < self._most else None

    def logs(self) -> Logs:
        if self._off_scale > self._good:
            # Rows of 0 and 1 of ten would pass for wrong and right.
            raise LogError(
                f"{self._off_scale} of {self.seen} rows have a quality above 1, the largest {self._largest:g}: "
                f"this is another scale; {scale_of(self._largest)}"
            )
        held = sorted(self._held, key=lambda row: row[0])
        columns = np.array([numbers for _, _, numbers in held], dtype=np.float64).reshape(len(held), 5)
        cheap, expensive, cheap_usd, expensive_usd, weight = (columns[:, place].copy() for place in range(5))
        if len(held) and not weight.sum() > 0:
            raise LogError("every row has a weight of 0")
        weights = weight if len(held) and np.ptp(weight) else None
        return Logs(
            [query for _, query, _ in held],
            cheap, expensive, cheap_usd, expensive_usd,
            self._bad.named, self._bad.skipped, self._good, weights, self._bad.told(self._good),
        )  # fmt: skip
