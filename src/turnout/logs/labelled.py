"""Labelled logs: a row a request, with how good each tier's answer was, as arrays to train and measure on."""

from __future__ import annotations

import math
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
from turnout.logs.broken import Broken, Row
from turnout.logs.columns import SIDE_FLAGS, Columns
from turnout.logs.example_rows import broken_by
from turnout.logs.reader import LogReader
from turnout.logs.rows import Numbers, OneSided, cheap_answers_of, group_of, numbers_of, prompt_or_messages, query_of
from turnout.logs.values import scale_flag
from turnout.ports.scoring import Query
from turnout.routing.tags import identity

Floats = NDArray[np.float64]

# Fewer teach nothing.
FEWEST_ROWS = 20
# Rows of one tag, at least, to learn of it.
COMMON = 2
# Of all rows at most, those that have another group than all the others.
STRAY = 0.05
# Files named in a message that is about all of them.
FILES_NAMED = 3
# Cheap models that are told apart.
MODELS_NAMED = 3
# Rows off the scale from which on they are no slips but another scale.
OFF_SCALE_SHARE = 0.02


@dataclass(frozen=True)
class Logs:
    """queries: [n]. cheap, expensive: qualities, [n]. cheap_usd, expensive_usd: [n], nan where not given.

    bad: the first rows that were skipped, as `file:line: reason`; skipped: how many. good: how many good rows
    were read, where only a sample of them is held (0: all are). most_bad: what is wrong with most rows, where more
    were skipped than are good; else "". understood: how each file was read, in one line each.
    weight: what a row counts for, [n]; all 1 where the logs tell none. answers: the cheap tier's, [n], "" where a row
    holds none; None where they were not asked for. second_answers: other ones of that model, likewise. cheap_models:
    whose they are, as far as the rows tell.
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
    understood: list[str] = field(default_factory=list)
    answers: list[str] | None = None
    second_answers: list[str] | None = None
    cheap_models: frozenset[str] = frozenset()

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
            answers=None if self.answers is None else [self.answers[row] for row in at],
            second_answers=None if self.second_answers is None else [self.second_answers[row] for row in at],
            cheap_models=self.cheap_models,
        )  # fmt: skip

    def tagged(self) -> Logs:
        """The same rows under the tags that something can be learnt of. A group that all rows share tells nothing,
        such as the one endpoint of a gateway, nor does what a few stray rows have instead: a request without the group
        would score as none of the rows does. Their system prompts are the tags then, where at least two kinds are
        common. A tag that no other row has is left out, so that a scorer file does not hold thousands of system
        prompts that were sent once."""
        tags = self.groups
        ((commonest, count),) = Counter(tags).most_common(1) if tags else (("", 0),)
        if commonest and len(tags) - count <= min(FEWEST_ROWS, STRAY * len(tags)):
            tags = [commonest] * len(tags)
        if len(set(tags)) == 1 and tags[0]:
            named = [identity(query.messages) for query in self.queries]
            tags = named if sum(count >= COMMON for count in Counter(named).values()) > 1 else tags
        counted = Counter(tags)
        kept = [tag if counted[tag] >= COMMON else "" for tag in tags]
        queries = [q if q.tag == tag else replace(q, tag=tag) for q, tag in zip(self.queries, kept, strict=True)]
        return replace(self, queries=queries)

    def evened(self, seed: int = 0) -> Logs:
        """As many rows, each counting the same: a row of twice the mean weight stands there twice.

        What a row of weight 1.3 counts for is given out by systematic sampling, so no row is off by one or more.
        """
        if self.weights is None or not np.ptp(self.weights):
            return self
        even = self.part(self.even_rows(seed))
        return replace(even, weights=None, bad=self.bad, skipped=self.skipped, good=self.good, most_bad=self.most_bad)

    def even_rows(self, seed: int = 0) -> NDArray[np.intp]:
        """Which rows those are, [n]."""
        if self.weights is None or not np.ptp(self.weights):
            return np.arange(len(self))
        ends = np.cumsum(self.weights) / self.weights.sum() * len(self)
        points = np.arange(len(self)) + np.random.default_rng(seed).random()
        rows: NDArray[np.intp] = np.searchsorted(ends, points).clip(0, len(self) - 1)
        return rows

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], *, answers: bool = False) -> Logs:
        """The logs of rows already in memory. Raises LogError at the first bad one."""
        gathering = _Gathering(strict=True, most=None, seed=0, answers=answers)
        for number, row in enumerate(rows, 1):
            gathering.take("row", number, row)
        return gathering.logs()


def read_logs(
    paths: Sequence[str | Path],
    *,
    columns: Columns | None = None,
    price_of: Callable[[str], float | None] = lambda model: None,
    strict: bool = False,
    most: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    answers: bool = False,
) -> Logs:
    """The logs in these files, bad rows skipped and counted.

    most: hold no more rows than these, drawn evenly from all good ones; every row is read and checked still.
    answers: hold the cheap tier's answers too.
    Raises LogError: for a file that cannot be read or understood, with `strict` for the first bad row, and where no
    row is good.
    """
    gathering = _Gathering(strict=strict, most=most, seed=seed, answers=answers)
    reader = LogReader(paths, columns, price_of)
    for name, line, row in reader.rows():
        gathering.take(name, line, row)
        if progress is not None and gathering.seen % 5000 == 0:
            progress(gathering.seen, 0)
    lines = [file.line for file in reader.understanding if file.line]
    try:
        logs = replace(gathering.logs(), understood=lines)
        if not len(logs):
            raise LogError(_no_good_row(logs, gathering.one_sided, reader))
    except LogError as error:
        raise LogError(f"{_named(paths)}: {error}") from None
    return logs


def _named(paths: Sequence[str | Path]) -> str:
    more = len(paths) - FILES_NAMED
    return ", ".join(map(str, paths[:FILES_NAMED])) + (f" and {more} more" if more > 0 else "")


def _no_good_row(logs: Logs, one_sided: int, reader: LogReader) -> str:
    file = next((file for file in reader.understanding if not file.native), None)
    buy = "`turnout label LOG -o FILE` asks the tiers for what is missing and judges it"
    if file is not None and file.unclear and file.unclear_flags == SIDE_FLAGS:
        columns = ", ".join(file.unclear)
        return f"which columns say how good the answers were? Pass --cheap COLUMN --expensive COLUMN, of {columns}"
    if file is not None and not file.labelled:
        hint = f"{file.hint}; else " if file.hint else ""
        return f"read as {file.title}, this tells not how good both tiers' answers were; {hint}{buy}"
    if one_sided and 2 * one_sided > logs.skipped:
        return f"{one_sided} of {logs.skipped} rows tell one side alone; {buy}"
    if not logs.skipped:
        return "no good row in these logs; there is no row at all"
    return f"no good row in these logs; the first bad one: {logs.bad[0]}; {logs.most_bad}"


class _Gathering:
    """Rows on their way to Logs. Holds a reservoir (Vitter's algorithm R): each row equally likely, one pass."""

    def __init__(self, *, strict: bool, most: int | None, seed: int, answers: bool = False) -> None:
        self._strict = strict
        self._answers = answers
        self._cheap_models: set[str] = set()
        self._most = most
        self._chance = random.Random(seed)
        self._held: list[tuple[int, Query, Numbers, tuple[str, str]]] = []
        self.bad = BadRows()
        self._off_scale, self._lowest, self._highest = 0, math.inf, -math.inf
        self._good = 0
        self.one_sided = 0

    def take(self, name: str, line: int, row: Row | Broken) -> None:
        try:
            if isinstance(row, Broken):
                raise ValueError(row.reason)
            numbers = numbers_of(row)
            prompt, group = prompt_or_messages(row), group_of(row)
            answer, model, second = cheap_answers_of(row) if self._answers else ("", "", "")
            # Of a plain text nothing more can be wrong; a conversation is looked into even where it is not kept.
            query = None if isinstance(prompt, str) else query_of(prompt, group)
        except ValueError as error:
            if self._strict:
                raise LogError(f"{name}:{line}: {error}") from error
            broken = row if isinstance(row, Broken) else broken_by(error)
            self.one_sided += isinstance(error, OneSided)
            self._note_scale(broken.off_scale)
            self.bad.add(f"{name}:{line}", broken.reason, broken.rows)
            return
        self._lowest = min(self._lowest, *numbers[:2])
        at = self._place()
        self._good += 1
        if model and len(self._cheap_models) < MODELS_NAMED:
            self._cheap_models.add(model)
        if at is not None:
            held = (self._good, query or query_of(prompt, group), numbers, (answer, second))
            self._held[at : at + 1] = [held]

    def _note_scale(self, grade: float | None) -> None:
        if grade is not None:
            self._off_scale += 1
            self._lowest, self._highest = min(self._lowest, grade), max(self._highest, grade)

    @property
    def seen(self) -> int:
        return self._good + self.bad.skipped

    def _place(self) -> int | None:
        if self._most is None or len(self._held) < self._most:
            return len(self._held)
        at = self._chance.randrange(self._good + 1)
        return at if at < self._most else None

    def logs(self) -> Logs:
        if self._off_scale > max(1, OFF_SCALE_SHARE * self.seen):
            # Rows of 0 and 1 of ten would pass for wrong and right.
            low, high = self._lowest, self._highest
            raise LogError(
                f"{self._off_scale} of {self.seen} rows have a quality outside of their scale, from {low:g} to "
                f"{high:g}: this is another scale; pass {scale_flag(low, high)}, or what it is"
            )
        held = sorted(self._held, key=lambda row: row[0])
        columns = np.array([numbers for _, _, numbers, _ in held], dtype=np.float64).reshape(len(held), 5)
        cheap, expensive, cheap_usd, expensive_usd, weight = (columns[:, place].copy() for place in range(5))
        if len(held) and not weight.sum() > 0:
            raise LogError("every row has a weight of 0")
        weights = weight if len(held) and np.ptp(weight) else None
        return Logs(
            [query for _, query, _, _ in held],
            cheap, expensive, cheap_usd, expensive_usd,
            self.bad.named, self.bad.skipped, self._good, weights, self.bad.warning(self._good),
            answers=[answers[0] for _, _, _, answers in held] if self._answers else None,
            second_answers=[answers[1] for _, _, _, answers in held] if self._answers else None,
            cheap_models=frozenset(self._cheap_models),
        )  # fmt: skip
