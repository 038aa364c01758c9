"""The one reader of every command that takes logs: any schema in, rows under the contract's names out.

A row has `prompt` or `messages`, and, as far as the log tells them, `cheap_quality`, `expensive_quality`, `cheap_usd`,
`expensive_usd`, `cheap_answer`, `expensive_answer`, `group`, `id` and `weight`; and whatever else stood in the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from turnout.errors import LogError
from turnout.logs.broken import Broken, Row
from turnout.logs.columns import Columns, renamed
from turnout.logs.example import Example
from turnout.logs.example_rows import broken_by, native_row, row_of
from turnout.logs.fields import LogRecord, plain_grade
from turnout.logs.opened import MODEL_RECORDS, LogFile, open_file
from turnout.logs.overrides import check_flags, override
from turnout.logs.parts import FILE_LINES, are_parts
from turnout.logs.pivot import Pivot
from turnout.logs.scores import ScoresById, add_scores, chosen_score, gather, grade_by, usual_scale
from turnout.logs.sides import PriceOf, Understanding, find_sides
from turnout.logs.values import UNIT, Scale, is_missing

# Each row as (file, line, row).
RowStream = Iterator[tuple[str, int, Row | Broken]]


class LogReader:
    """Reads logs. `understanding` says, after `rows` began, how each file is read.

    price_of: tells the cheap model from the expensive one. tiers: the cheap and the expensive model, where only their
    answers are of use.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        columns: Columns | None = None,
        price_of: PriceOf = lambda model: None,
        tiers: tuple[str, str] | None = None,
    ) -> None:
        self._paths = [Path(path) for path in paths]
        self._columns = columns or Columns()
        self._price_of = price_of
        self._tiers = tiers
        self.understanding: list[Understanding] = []

    def rows(self) -> RowStream:
        """Each row as (file, line, row). Raises LogError for a file that cannot be read or understood."""
        opened = [open_file(path, self._columns) for path in self._paths]
        self._check_sides(opened)
        scores = [file for file in opened if file.is_scores]
        logs = [file for file in opened if file not in scores]
        if scores and not logs:
            raise LogError(f"{scores[0].path}: reads as {scores[0].title}: it holds no prompts; name the log beside it")
        self.understanding = [file.understanding for file in logs]
        graded: ScoresById = {}
        for file in scores:
            yield from _gather_scores(file, graded)
        heads = [_Head.of(file, graded) for file in logs if file.example is not None]
        self._check_scale(heads, logs)
        if len(heads) == len(logs) and are_parts(
            [head.models for head in heads], [file.one_answer_each for file in logs]
        ):
            yield from self._translated(heads)
        else:
            for file in logs:
                if file.example is None:
                    yield from self._native(file)
                else:
                    yield from self._translated([head for head in heads if head.file is file])
        for file in logs:
            file.note_currency()

    def _check_sides(self, opened: Sequence[LogFile]) -> None:
        """Raises LogError for a --cheap or --expensive that names nothing in the only file."""
        named = self._columns.cheap or self._columns.expensive
        if named and len(opened) == 1 and opened[0].example is None and self._tiers is None:
            raise LogError(f"{opened[0].path}: no column {named}; it has cheap_quality and expensive_quality")

    def _check_scale(self, heads: Sequence[_Head], logs: Sequence[LogFile]) -> None:
        """Raises LogError for a --scale on which no grade of these logs stands."""
        fixed = [head.file for head in heads if head.has_own_scale]
        if self._columns.scale is None or not fixed:
            return
        if len(fixed) == len(logs):
            raise LogError(
                f"{fixed[0].path}: read as {fixed[0].title}, it tells which answer is better, not a grade that stands "
                "on a scale; leave --scale out"
            )
        for file in fixed:
            file.understanding.add_note("--scale is not of its grades")

    def _native(self, file: LogFile) -> RowStream:
        scale = self._columns.scale or UNIT
        for line, record in file.records:
            if isinstance(record, Broken):
                yield str(file.path), line, record
                continue
            try:
                yield str(file.path), line, native_row(renamed(record, file.renames), file.columns, scale, file.amounts)
            except ValueError as error:
                yield str(file.path), line, broken_by(error)

    def _translated(self, heads: Sequence[_Head]) -> RowStream:
        """The rows of one file, or of several that hold a model's answers to the same questions each."""
        first = [example for head in heads for example in head.first]
        for head in heads:
            find_sides(head.file.understanding, first, self._columns, self._price_of, self._tiers)
        scale = self._columns.scale or usual_scale(first)
        rows = (
            (place * FILE_LINES + line, _row(head.file, example, scale))
            for place, head in enumerate(heads)
            for line, example in head.everything()
        )
        for place, row in _pivoted(heads[0].file, rows) if heads[0].file.one_answer_each else rows:
            yield str(heads[place // FILE_LINES].file.path), place % FILE_LINES, row


@dataclass(slots=True)
class _Head:
    """A file whose first examples are read. models: those that answered in them. score: what grades an answer, of
    several scores."""

    file: LogFile
    known: list[tuple[int, Example | Broken]]
    rest: Iterator[tuple[int, Example | Broken]]
    score: str | None = None

    @classmethod
    def of(cls, file: LogFile, graded: ScoresById) -> _Head:
        """Raises LogError where the flags name what is not there, or have to say which score is meant."""
        examples, columns = _examples(file, file.around | graded), file.columns
        head = cls(file, list(islice(examples, MODEL_RECORDS)), examples)
        check_flags(file.path, head.first, columns)
        head.score = chosen_score(file.path, head.first, columns.quality)
        for example in head.first:
            grade_by(example, head.score)
        return head

    @property
    def first(self) -> list[Example]:
        return [example for _, example in self.known if isinstance(example, Example)]

    @property
    def models(self) -> set[str]:
        return {name for example in self.first for name in (*example.grades, *example.answers) if name}

    @property
    def has_own_scale(self) -> bool:
        graded = [example for example in self.first if example.grades]
        return bool(graded) and all(example.scale is not None for example in graded)

    def everything(self) -> Iterator[tuple[int, Example | Broken]]:
        """The examples, once. The first ones are held no longer."""
        known, self.known = self.known, []
        rest = (
            (line, grade_by(example, self.score) if isinstance(example, Example) else example)
            for line, example in self.rest
        )
        return chain(known, rest)


def _gather_scores(file: LogFile, found: ScoresById) -> RowStream:
    """Adds the scores of a file that holds nothing else, by the id of what they are about. Yields those that cannot
    be read."""
    for line, example in _examples(file, {}):
        try:
            if isinstance(example, Broken):
                raise ValueError(example.reason)
            gather(found, example.id, example.scores)
        except ValueError as error:
            yield str(file.path), line, broken_by(error)


def _examples(file: LogFile, found: ScoresById) -> Iterator[tuple[int, Example | Broken]]:
    for line, record in file.records:
        if isinstance(record, Broken):
            yield line, record
            continue
        try:
            inner_records = list(file.within(record))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield line, _not_of(file, error)
            continue
        for inner in inner_records:
            try:
                if not isinstance(inner, Mapping):
                    raise ValueError("not a JSON object")
                if _is_left_out(file, inner):
                    file.understanding.left_out += 1
                else:
                    yield line, _example(file, inner, found)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                yield line, _not_of(file, error)


def _not_of(file: LogFile, error: Exception) -> Broken:
    if isinstance(error, ValueError):
        return broken_by(error)
    return Broken(f"not a record of {file.title}: {type(error).__name__} at {error}")


def _is_left_out(file: LogFile, record: LogRecord) -> bool:
    kind = file.schema.kind(record) if file.schema is not None else "call"
    return kind == "other" or (kind == "around" and file.has_calls)


def _example(file: LogFile, record: LogRecord, found: ScoresById) -> Example:
    assert file.example is not None
    example = file.example(record)
    example.record = record
    add_scores(example, found)
    example = example if file.schema is None or file.is_scores else override(example, file.columns)
    example.grades = {name: plain_grade(grade) for name, grade in example.grades.items()}
    example.usd = {name: file.amounts.read(usd, "the cost") for name, usd in example.usd.items()}
    example.weight = file.amounts.read(example.weight, "weight")
    return example


def _row(file: LogFile, example: Example | Broken, scale: Scale | None) -> Row | Broken:
    if isinstance(example, Broken):
        return example
    return row_of(example, file.understanding.sides, scale, keyed=bool(file.key))


def _pivoted(file: LogFile, rows: Iterable[tuple[int, Row | Broken]]) -> Iterator[tuple[int, Row | Broken]]:
    """One row a question, those that cannot be read first."""
    pivot = Pivot()
    for line, row in rows:
        if isinstance(row, Broken):
            yield line, row
        else:
            named = row.get(file.key) if file.key else None
            pivot.add(line, row, None if is_missing(named) else str(named))
    file.understanding.merged = pivot.merged
    yield from pivot.rows()
