"""A log that is open: its schema is known, by its first records and the flags; its rows are still to come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from turnout.errors import LogError
from turnout.logs.amounts import AmountReader
from turnout.logs.broken import Broken, Row
from turnout.logs.columns import Columns, contract_names, grades_columns, names_of, own_schema, renamed, renamed_flags
from turnout.logs.example import Example, Schema
from turnout.logs.example_rows import AMOUNTS
from turnout.logs.fields import LogRecord
from turnout.logs.files import records_of, why_no_rows
from turnout.logs.overrides import check_flags, holds
from turnout.logs.parts import file_as_model, with_model
from turnout.logs.schemas import SCHEMAS
from turnout.logs.scores import ScoresById, scores_around
from turnout.logs.sides import Understanding

# Records looked at to tell a file's schema, and to tell which models answered in it.
SCHEMA_RECORDS, MODEL_RECORDS = 50, 2_000
# What records of another schema raise.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(slots=True, kw_only=True)
class LogFile:
    """A log whose schema is known; its records still to be read. example None: Turnout's own columns.

    key: the column that records of one question have in common; "" the question itself. has_calls: whether its schema
    tells calls from what stands around them, and it holds such. around: the scores of what stands around them.
    amounts: reads its costs and weights.
    """

    path: Path
    records: Iterable[tuple[int, Row | Broken]]
    title: str
    renames: Mapping[str, str]
    columns: Columns = dataclass_field(default_factory=Columns)
    schema: Schema | None = None
    example: Callable[[LogRecord], Example] | None = None
    one_answer_each: bool = False
    key: str = ""
    unclear: tuple[str, ...] = ()
    unclear_flags: tuple[str, ...] = ()
    has_calls: bool = False
    around: ScoresById = dataclass_field(default_factory=dict)
    amounts: AmountReader = dataclass_field(init=False)
    understanding: Understanding = dataclass_field(init=False)

    def __post_init__(self) -> None:
        self.amounts = AmountReader(self._every_amount)
        self.understanding = Understanding(
            path=self.path,
            schema=self.schema.name if self.schema is not None else "columns",
            title=self.title,
            native=self.example is None,
            unclear=self.unclear,
            unclear_flags=self.unclear_flags,
        )

    @property
    def is_scores(self) -> bool:
        """Whether it holds grades alone, by the id of what they grade."""
        return self.schema is not None and self.schema.name in ("feedback", "langfuse-scores")

    def within(self, record: LogRecord) -> Iterable[Any]:
        """The records within a record. Raises what a record of another schema does: ValueError, KeyError, TypeError,
        AttributeError."""
        record = renamed(record, self.renames)
        return (record,) if self.schema is None else self.schema.records(record)

    def note_currency(self) -> None:
        """Says, once its rows are read, that its costs are in another currency than Turnout's."""
        if self.amounts.currency not in ("", "USD"):
            self.understanding.add_note(
                f"its costs are in {self.amounts.currency} and stay so: shares of them hold, sums in USD do not"
            )

    def _every_amount(self) -> Iterator[Any]:
        for record in readable(self.path, self.columns.prompt):
            with suppress(*_UNREADABLE):
                for inner in self.within(record):
                    example = Example(usd={name: inner.get(name) for name in AMOUNTS})
                    if self.example is not None:
                        example = self.example(inner)
                    yield from (*example.usd.values(), example.weight)

    def look_around(self, first: Sequence[LogRecord]) -> None:
        """Fills in has_calls and around: all of the file is read once more, unless these first records hold calls
        alone."""
        self.has_calls, schema = True, self.schema
        if schema is not None and any(schema.kind(inner) != "call" for inner in self._all_within(first)):
            self.has_calls, around = scores_around(schema, self._all_within(readable(self.path)))
            self.around = around if self.has_calls else {}

    def _all_within(self, records: Iterable[LogRecord]) -> Iterator[LogRecord]:
        for record in records:
            # What cannot be read is told where its answers are read.
            with suppress(*_UNREADABLE):
                yield from (inner for inner in self.within(record) if isinstance(inner, Mapping))


def open_file(path: Path, columns: Columns) -> LogFile:
    """Raises LogError for a file that cannot be read or understood."""
    notes: list[str] = []
    records = records_of(path, notes, columns.prompt)
    head = list(islice(records, SCHEMA_RECORDS))
    if (group := columns.group) and not any(
        holds(record, group) for _, record in head if not isinstance(record, Broken)
    ):
        # It may be a rare one.
        head += islice(records, MODEL_RECORDS)
    first = [record for _, record in head if not isinstance(record, Broken)]
    if not first:
        reasons = [record.reason for _, record in head if isinstance(record, Broken)]
        raise LogError(f"{path}: no row can be read: {reasons[0]}" if reasons else f"{path}: {why_no_rows(path)}")
    records = chain(head, records)
    if name := file_as_model(path, first, columns):
        first = [with_model(record, name) for record in first]
        records = ((line, with_model(record, name)) for line, record in records)
    file = _file(path, records, first, columns)
    for note in notes:
        file.understanding.add_note(note)
    return file


def _file(
    path: Path, records: Iterable[tuple[int, Row | Broken]], first: Sequence[LogRecord], columns: Columns
) -> LogFile:
    renames = contract_names(dict.fromkeys(name for record in first for name in record))
    columns = renamed_flags(columns, renames)
    first = [renamed(record, renames) for record in first]
    if not columns.source and not grades_columns(first, columns) and not _is_row_flags(columns) and _is_native(first):
        check_flags(path, [Example(record=record) for record in first], columns)
        return LogFile(path=path, records=records, title="Turnout's own columns", renames=renames, columns=columns)
    schema = _schema(path, first, columns)
    if schema is not None:
        file = LogFile(
            path=path,
            records=records,
            title=schema.title,
            renames=renames,
            columns=columns,
            schema=schema,
            example=schema.example,
            one_answer_each=not schema.both_answers,
        )
        file.look_around(first)
        return file
    own = own_schema(path, first, columns, lambda: readable(path, columns.prompt))
    return LogFile(
        path=path,
        records=records,
        title=own.title,
        renames=renames,
        columns=columns,
        example=own.example,
        one_answer_each=own.one_answer_each,
        key=own.key,
        unclear=own.unclear,
        unclear_flags=own.unclear_flags,
    )


def readable(path: Path, prompt: str = "") -> Iterator[LogRecord]:
    """All records of a file that can be read."""
    return (record for _, record in records_of(path, None, prompt) if not isinstance(record, Broken))


def _schema(path: Path, first: Sequence[LogRecord], columns: Columns) -> Schema | None:
    """The schema that is named, or told beyond doubt; None where the flags or the usual names tell the columns."""
    if columns.source:
        schema = _schema_named(path, first, columns.source)
        if schema.both_answers and (flag := "model" if columns.model else "quality" if columns.quality else ""):
            raise LogError(f"{path}: --{flag} is of a row a model; a record of {schema.title} grades two answers")
        return schema
    if grades_columns(first, columns) or (columns.prompt and columns.model and columns.quality):
        return None
    found = next((schema for schema in SCHEMAS if 2 * sum(map(schema.matches, first)) > len(first)), None)
    return None if found is not None and found.both_answers and _is_row_flags(columns) else found


def _is_row_flags(columns: Columns) -> bool:
    """Whether the flags say what a row of one answer holds."""
    return bool(columns.prompt or columns.model or columns.quality)


def _is_native(first: Sequence[LogRecord]) -> bool:
    names = {name for record in first for name in record}
    return not names.isdisjoint(("prompt", "messages")) and not names.isdisjoint(("cheap_quality", "expensive_quality"))


def _schema_named(path: Path, first: Sequence[LogRecord], name: str) -> Schema:
    schemas = [schema for schema in SCHEMAS if schema.name == name]
    if not schemas:
        known = ", ".join(sorted({schema.name for schema in SCHEMAS}))
        raise LogError(f"--from {name}: no such format; there are {known}")
    schema = next((schema for schema in schemas if any(map(schema.matches, first))), None)
    if schema is None:
        raise LogError(
            f"{path}: does not look like {schemas[0].title}: a record has {', '.join(schemas[0].signs)}; "
            f"this one has {names_of(first[0])}"
        )
    return schema
