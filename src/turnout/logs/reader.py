"""The one reader of every command that takes logs: any schema in, rows under the contract's names out.

A row has `prompt` or `messages`, and, as far as the log tells them, `cheap_quality`, `expensive_quality`, `cheap_usd`,
`expensive_usd`, `cheap_answer`, `expensive_answer`, `group`, `id` and `weight`; and whatever else stood in the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from turnout.errors import LogError
from turnout.logs.columns import (
    CONTRACT,
    Columns,
    contract_names,
    grades_columns,
    names_of,
    own_schema,
    renamed,
    renamed_flags,
)
from turnout.logs.example import SIDES, Example, Schema
from turnout.logs.fields import LogRecord, NoPrompt, field, prompt_and_answer, unpack_json
from turnout.logs.files import Broken, Row, records_of, why_no_rows
from turnout.logs.overrides import check_flags, holds, override
from turnout.logs.parts import FILE_LINES, are_parts, file_as_model, with_model
from turnout.logs.pivot import Pivot
from turnout.logs.schemas import SCHEMAS
from turnout.logs.scores import ScoresById, add_scores, chosen_score, gather, grade_by, scores_around, usual_scale
from turnout.logs.sides import PriceOf, Understanding, find_sides
from turnout.logs.values import UNIT, OffScale, Scale, is_missing, quality

# Records looked at to tell a file's schema, and to tell which models answered in it.
_SCHEMA_RECORDS, _MODEL_RECORDS = 50, 2_000

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
        opened = [self._understood(path) for path in self._paths]
        self._check_sides(opened)
        scores = [file for file in opened if file.schema is not None and file.schema.name in _SCORES]
        logs = [file for file in opened if file not in scores]
        if scores and not logs:
            raise LogError(f"{scores[0].path}: reads as {scores[0].title}: it holds no prompts; name the log beside it")
        self.understanding = [file.understanding for file in logs]
        graded: ScoresById = {}
        for file in scores:
            yield from _gather_scores(file, graded)
        heads = [_Head.of(file, graded) for file in logs if file.example is not None]
        if len(heads) == len(logs) and are_parts(
            [head.models for head in heads], [file.one_answer_each for file in logs]
        ):
            yield from self._translated(heads)
            return
        for file in logs:
            if file.example is None:
                yield from self._native(file)
            else:
                yield from self._translated([head for head in heads if head.file is file])

    def _understood(self, path: Path) -> _File:
        notes: list[str] = []
        records = records_of(path, notes, self._columns.prompt)
        head = list(islice(records, _SCHEMA_RECORDS))
        if (group := self._columns.group) and not any(
            holds(record, group) for _, record in head if not isinstance(record, Broken)
        ):
            # It may be a rare one.
            head += islice(records, _MODEL_RECORDS)
        first = [record for _, record in head if not isinstance(record, Broken)]
        if not first:
            reasons = [record.reason for _, record in head if isinstance(record, Broken)]
            raise LogError(f"{path}: no row can be read: {reasons[0]}" if reasons else f"{path}: {why_no_rows(path)}")
        records = chain(head, records)
        if name := file_as_model(path, first, self._columns):
            first = [with_model(record, name) for record in first]
            records = ((line, with_model(record, name)) for line, record in records)
        file = _file(path, records, first, self._columns)
        file.understanding.note = "".join(notes)
        return file

    def _check_sides(self, opened: Sequence[_File]) -> None:
        """Raises LogError for a --cheap or --expensive that names nothing in the only file."""
        named = self._columns.cheap or self._columns.expensive
        if named and len(opened) == 1 and opened[0].example is None and self._tiers is None:
            raise LogError(f"{opened[0].path}: no column {named}; it has cheap_quality and expensive_quality")

    def _native(self, file: _File) -> RowStream:
        scale = self._columns.scale or UNIT
        for line, record in file.records:
            if isinstance(record, Broken):
                yield str(file.path), line, record
                continue
            try:
                yield str(file.path), line, _native_row(renamed(record, file.renames), file.columns, scale)
            except (ValueError, RecursionError) as error:
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


@dataclass(slots=True, kw_only=True)
class _File:
    """A log whose schema is known; its records still to be read. example None: Turnout's own columns.

    key: the column that records of one question have in common; "" the question itself. has_calls: whether its schema
    tells calls from what stands around them, and it holds such. around: the scores of what stands around them.
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
    has_calls: bool = False
    around: ScoresById = dataclass_field(default_factory=dict)
    understanding: Understanding = dataclass_field(init=False)

    def __post_init__(self) -> None:
        self.understanding = Understanding(
            path=self.path,
            schema=self.schema.name if self.schema is not None else "columns",
            title=self.title,
            native=self.example is None,
            unclear=self.unclear,
        )


@dataclass(slots=True)
class _Head:
    """A file whose first examples are read. models: those that answered in them. score: what grades an answer, of
    several scores."""

    file: _File
    known: list[tuple[int, Example | Broken]]
    rest: Iterator[tuple[int, Example | Broken]]
    score: str | None = None

    @classmethod
    def of(cls, file: _File, graded: ScoresById) -> _Head:
        """Raises LogError where the flags name what is not there, or have to say which score is meant."""
        examples, columns = _examples(file, file.around | graded), file.columns
        head = cls(file, list(islice(examples, _MODEL_RECORDS)), examples)
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

    def everything(self) -> Iterator[tuple[int, Example | Broken]]:
        """The examples, once. The first ones are held no longer."""
        known, self.known = self.known, []
        rest = (
            (line, grade_by(example, self.score) if isinstance(example, Example) else example)
            for line, example in self.rest
        )
        return chain(known, rest)


# They hold grades alone, by the id of what they grade.
_SCORES = ("feedback", "langfuse-scores")


def _file(
    path: Path, records: Iterable[tuple[int, Row | Broken]], first: Sequence[LogRecord], columns: Columns
) -> _File:
    renames = contract_names(dict.fromkeys(name for record in first for name in record))
    columns = renamed_flags(columns, renames)
    first = [renamed(record, renames) for record in first]
    if not columns.source and not grades_columns(first, columns) and not _is_row_flags(columns) and _is_native(first):
        check_flags(path, [Example(record=record) for record in first], columns)
        return _File(path=path, records=records, title="Turnout's own columns", renames=renames, columns=columns)
    schema = _schema(path, first, columns)
    if schema is not None:
        return _File(
            path=path,
            records=records,
            title=schema.title,
            renames=renames,
            columns=columns,
            schema=schema,
            example=schema.example,
            one_answer_each=not schema.both_answers,
            **_calls_within(path, first, schema),
        )
    own = own_schema(path, first, columns, lambda: _readable(path, columns.prompt))
    return _File(
        path=path,
        records=records,
        title=own.title,
        renames=renames,
        columns=columns,
        example=own.example,
        one_answer_each=own.one_answer_each,
        key=own.key,
        unclear=own.unclear,
    )


def _readable(path: Path, prompt: str = "") -> Iterator[LogRecord]:
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


def _calls_within(path: Path, first: Sequence[LogRecord], schema: Schema) -> dict[str, Any]:
    """What a file tells of calls and of what stands around them: all of it is read once more."""
    if not any(schema.kind(inner) != "call" for record in first for inner in _within(schema, record)):
        return {"has_calls": True}
    inner = (each for record in _readable(path) for each in _within(schema, record))
    has_calls, around = scores_around(schema, inner)
    return {"has_calls": has_calls, "around": around if has_calls else {}}


def _within(schema: Schema, record: LogRecord) -> Iterator[LogRecord]:
    return (inner for inner in schema.records(record) if isinstance(inner, Mapping))


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


def _gather_scores(file: _File, found: ScoresById) -> RowStream:
    """Adds the scores of a file that holds nothing else, by the id of what they are about. Yields those that cannot
    be read."""
    for line, example in _examples(file, {}):
        try:
            if isinstance(example, Broken):
                raise ValueError(example.reason)
            gather(found, example.id, example.scores)
        except ValueError as error:
            yield str(file.path), line, broken_by(error)


def _examples(file: _File, found: ScoresById) -> Iterator[tuple[int, Example | Broken]]:
    for line, record in file.records:
        if isinstance(record, Broken):
            yield line, record
            continue
        record = renamed(record, file.renames)
        try:
            inner_records = (record,) if file.schema is None else tuple(file.schema.records(record))
        except RecursionError as error:
            yield line, broken_by(error)
            continue
        for inner in inner_records:
            try:
                if not isinstance(inner, Mapping):
                    raise ValueError("not a JSON object")
                if _is_left_out(file, inner):
                    file.understanding.left_out += 1
                else:
                    yield line, _example(file, inner, found)
            except (KeyError, TypeError, AttributeError) as error:
                yield line, Broken(f"not a record of {file.title}: {type(error).__name__} at {error}")
            except (ValueError, RecursionError) as error:
                yield line, broken_by(error)


def _is_left_out(file: _File, record: LogRecord) -> bool:
    kind = file.schema.kind(record) if file.schema is not None else "call"
    return kind == "other" or (kind == "around" and file.has_calls)


def _example(file: _File, record: LogRecord, found: ScoresById) -> Example:
    assert file.example is not None
    example = file.example(record)
    example.record = record
    add_scores(example, found)
    is_log = file.schema is not None and file.schema.name not in _SCORES
    return override(example, file.columns) if is_log else example


def _row(file: _File, example: Example | Broken, scale: Scale | None) -> Row | Broken:
    """All that an example says, under the contract's names."""
    if isinstance(example, Broken):
        return example
    try:
        row = _shared(example, keyed=bool(file.key))
        for name, grade in example.grades.items():
            side = file.understanding.sides.get(name)
            if side and not is_missing(grade):
                row[f"{side}_quality"] = quality(grade, f"{side}_quality", example.scale or scale or UNIT)
        _add_answers(row, file, example)
    except ValueError as error:
        return broken_by(error)
    return row


def broken_by(error: ValueError | RecursionError) -> Broken:
    """The row that this error is about."""
    if isinstance(error, RecursionError):
        # Python 3.12 reads deeper JSON than its own functions can follow.
        return Broken("nested too deep")
    off_scale = error.value if isinstance(error, OffScale) else None
    return Broken(str(error), off_scale=off_scale, promptless=isinstance(error, NoPrompt))


def _shared(example: Example, *, keyed: bool) -> dict[str, Any]:
    """What is of the question. keyed: another record of the same key may hold the prompt."""
    prompt = example.prompt
    if example.no_prompt:
        raise NoPrompt(example.no_prompt)
    if is_missing(prompt) and not keyed:
        raise ValueError("prompt is empty")
    # A check of the user's own may know the right answer by another column.
    row = {name: value for name, value in example.record.items() if name not in CONTRACT}
    if not is_missing(prompt):
        row["prompt" if isinstance(prompt, str) else "messages"] = prompt
    for name in ("group", "id", "weight"):
        if not is_missing(value := getattr(example, name)):
            row[name] = value
    return row


def _add_answers(row: dict[str, Any], file: _File, example: Example) -> None:
    for suffix, values in (("usd", example.usd), ("answer", example.answers)):
        for name, value in values.items():
            side = file.understanding.sides.get(name)
            if side and not is_missing(value):
                row[f"{side}_{suffix}"] = value


def _pivoted(file: _File, rows: Iterable[tuple[int, Row | Broken]]) -> Iterator[tuple[int, Row | Broken]]:
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


def _native_row(record: LogRecord, columns: Columns, scale: Scale) -> Row:
    prompt = unpack_json(record["messages"]) if not is_missing(record.get("messages")) else record.get("prompt")
    row = dict(record)
    if isinstance(prompt, str) and prompt[:1] == "[":
        prompt = unpack_json(prompt)
    if isinstance(prompt, list):
        asked, answer = prompt_and_answer(prompt)
        row.pop("prompt", None)
        row.pop("messages", None)
        row["prompt" if isinstance(asked, str) else "messages"] = asked
        if answer is not None:
            row.setdefault("answer", answer)
    if columns.group:
        row["group"] = field(record, columns.group)
    if scale is not UNIT:
        for side in SIDES:
            if not is_missing(row.get(f"{side}_quality")):
                row[f"{side}_quality"] = quality(row[f"{side}_quality"], f"{side}_quality", scale)
    return row
