"""The one reader of every command that takes logs: any schema in, rows under the contract's names out.

A row has `prompt` or `messages`, and, as far as the log tells them, `cheap_quality`, `expensive_quality`, `cheap_usd`,
`expensive_usd`, `cheap_answer`, `expensive_answer`, `group`, `id` and `weight`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from turnout.errors import LogError
from turnout.logs.fields import NoPrompt, Record, field, first_field, prompt_and_answer, unpacked
from turnout.logs.files import Broken, Row, records_of
from turnout.logs.schemas import SCHEMAS, SIDES, Example, Schema
from turnout.logs.values import UNIT, OffScale, Scale, is_missing, number, quality
from turnout.openai.messages import canonical_json

# Records looked at to tell a file's schema, and to tell which models answered in it.
_SCHEMA_RECORDS, _MODEL_RECORDS = 50, 5_000
_CONTRACT_PROMPTS = ("messages", "prompt")
_PROMPTS = (*_CONTRACT_PROMPTS, "question", "query", "instruction", "input", "text", "request", "user_input")
_MODELS = ("model", "model_name", "model_id", "llm")
_GRADES = ("quality", "score", "rating", "grade", "thumb", "thumbs", "feedback", "label", "correct")
_GROUPS = ("group", "endpoint", "feature", "category", "subject", "task", "eval_name")
_COMMON = ("id", "weight")
# Which of two models is the cheap one is beyond doubt where it costs at most half of what the other does.
_SURE_RATIO = 2.0

# What the contract names a row's columns; a header may write them with blanks and capitals.
_CONTRACT = frozenset(
    [*(f"{side}_{what}" for side in SIDES for what in ("quality", "usd", "answer")), "prompt", "messages", "group"]
) | set(_COMMON)

Rows = Iterator[tuple[str, int, Row | Broken]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the user says of a log. Each a column's name, a JSON pointer or a dotted path; "" leaves it to the reader.

    cheap, expensive: the columns of the two qualities, or the names of the two models. source: a schema's name
    (`--from`). scale: of the grades.
    """

    source: str = ""
    prompt: str = ""
    cheap: str = ""
    expensive: str = ""
    group: str = ""
    model: str = ""
    quality: str = ""
    scale: Scale | None = None


@dataclass(slots=True, kw_only=True)
class Understanding:
    """How one file is read. models: those whose answers it grades or holds, with how often; sides: which is which.

    merged: records that were read into another one's row, of the same question.
    """

    path: Path
    schema: str
    title: str
    native: bool = False
    labelled: bool = True
    merged: int = 0
    models: Counter[str] = dataclass_field(default_factory=Counter)
    sides: dict[str, str] = dataclass_field(default_factory=dict)

    @property
    def line(self) -> str:
        """In one line, as a command tells it; "" for Turnout's own columns, which need no telling."""
        if self.native:
            return ""
        sides = ", ".join(
            f"{side} = {name}"
            for name, side in sorted(self.sides.items(), key=lambda item: item[1])
            if name not in SIDES
        )
        return f"{self.path}: read as {self.title}" + (f"; {sides}" if sides else "")


class LogReader:
    """Reads logs. `understanding` tells, after `rows` began, how each file is read.

    price_of: what a model costs, in any unit, None where nobody knows: it tells the cheap model from the expensive one.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        columns: Columns | None = None,
        price_of: Callable[[str], float | None] = lambda model: None,
    ) -> None:
        self._paths = [Path(path) for path in paths]
        self._columns = columns or Columns()
        self._price_of = price_of
        self.understanding: list[Understanding] = []

    def rows(self) -> Rows:
        """Each row as (file, line, row). Raises LogError for a file that cannot be read or understood."""
        opened = [self._understood(path) for path in self._paths]
        scores = [file for file in opened if file.schema is not None and file.schema.name in _SCORES]
        graded = self._scores(scores)
        logs = [file for file in opened if file not in scores]
        if scores and not logs:
            raise LogError(f"{scores[0].path}: reads as {scores[0].title}: it holds no prompts; name the log beside it")
        self.understanding = [file.understanding for file in logs]
        for file in logs:
            yield from self._native(file) if file.example is None else self._translated(file, graded)

    def _understood(self, path: Path) -> _File:
        records = records_of(path)
        head = list(islice(records, _SCHEMA_RECORDS))
        first = [record for _, record in head if not isinstance(record, Broken)]
        everything = chain(head, records)
        if not first:
            reasons = [record.reason for _, record in head if isinstance(record, Broken)]
            raise LogError(f"{path}: no row can be read: {reasons[0]}" if reasons else f"{path}: is empty")
        names = dict.fromkeys(name for record in first for name in record)
        renames = {name: plain for name in names if (plain := _plain(name)) in _CONTRACT and plain not in names}
        first = [_renamed(record, renames) for record in first]
        return _File(path, everything, *_schema_of(path, first, self._columns), renames)

    def _scores(self, files: Iterable[_File]) -> dict[str, list[Any]]:
        """The grades of files that hold nothing else, by the id of what they grade."""
        grades: dict[str, list[Any]] = {}
        for file in files:
            for _, record in file.records:
                if isinstance(record, Broken) or file.example is None:
                    continue
                example = file.example(record)
                grades.setdefault(str(example.id), []).extend(example.grades.values())
        return grades

    def _native(self, file: _File) -> Rows:
        columns, scale = self._columns, self._columns.scale or UNIT
        for line, record in file.records:
            if isinstance(record, Broken):
                yield str(file.path), line, record
                continue
            try:
                yield str(file.path), line, _native_row(_renamed(record, file.renames), columns, scale)
            except ValueError as error:
                yield str(file.path), line, broken_by(error)

    def _translated(self, file: _File, graded: Mapping[str, Sequence[Any]]) -> Rows:
        examples = _examples(file, graded)
        known = list(islice(examples, _MODEL_RECORDS))
        _find_sides(
            file, [example for _, example in known if isinstance(example, Example)], self._columns, self._price_of
        )
        everything = chain(known, examples)
        scale = self._columns.scale
        if file.one_answer_each:
            yield from _pivoted(file, everything, scale)
            return
        for line, example in everything:
            yield str(file.path), line, example if isinstance(example, Broken) else _row(file, example, scale)


@dataclass(slots=True)
class _File:
    """A log whose schema is known; its records still to be read. example None: Turnout's own columns."""

    path: Path
    records: Iterable[tuple[int, Row | Broken]]
    schema: Schema | None
    title: str
    example: Callable[[Record], Example] | None
    one_answer_each: bool = False
    renames: Mapping[str, str] = dataclass_field(default_factory=dict)
    understanding: Understanding = dataclass_field(init=False)

    def __post_init__(self) -> None:
        name = self.schema.name if self.schema is not None else "columns"
        self.understanding = Understanding(path=self.path, schema=name, title=self.title, native=self.example is None)


_SCORES = ("feedback", "langfuse-scores")
# Each of their records holds one question and both answers' grades.
_BOTH_ANSWERS = ("arena", "preference", "routellm", "routerbench")


def _schema_of(
    path: Path, first: Sequence[Record], columns: Columns
) -> tuple[Schema | None, str, Callable[[Record], Example] | None, bool]:
    if columns.source:
        schemas = [schema for schema in SCHEMAS if schema.name == columns.source]
        if not schemas:
            known = ", ".join(sorted({schema.name for schema in SCHEMAS}))
            raise LogError(f"--from {columns.source}: no such format; there are {known}")
        schema = next((schema for schema in schemas if any(map(schema.matches, first))), None)
        if schema is None:
            raise LogError(
                f"{path}: does not look like {schemas[0].title}: a record has {', '.join(schemas[0].signs)}; "
                f"this one has {_names(first[0])}"
            )
        return schema, schema.title, schema.example, schema.name not in _BOTH_ANSWERS
    names = dict.fromkeys(name for record in first for name in record)
    # The names of models may be those of columns: of a log of one's own, which no schema is looked for in.
    own = any(
        field(record, path) is not None for path in (columns.cheap, columns.expensive) if path for record in first
    )
    if not (columns.prompt or columns.model or columns.quality or own):
        if ("prompt" in names or "messages" in names) and {"cheap_quality", "expensive_quality"} & set(names):
            return None, "Turnout's own columns", None, False
        for schema in SCHEMAS:
            if 2 * sum(map(schema.matches, first)) > len(first):
                return schema, schema.title, schema.example, schema.name not in _BOTH_ANSWERS
    return None, *_own_columns(path, first, names, columns)


def _own_columns(
    path: Path, first: Sequence[Record], names: Mapping[str, None], columns: Columns
) -> tuple[str, Callable[[Record], Example], bool]:
    """Columns of the user's own: named by flags, else by their usual names."""
    prompt = columns.prompt or _named(names, _PROMPTS)
    if not prompt or not any(not is_missing(field(record, prompt)) for record in first):
        raise LogError(
            f"{path}: no column {columns.prompt or 'prompt or messages'}; it has {_names(first[0])}; "
            "say which holds the question: --prompt COLUMN (or a JSON pointer, /request/messages)"
        )
    group = columns.group or _named(names, _GROUPS) or ""
    sides = {side: path for side, path in (("cheap", columns.cheap), ("expensive", columns.expensive)) if path}
    if sides and all(any(field(record, path) is not None for record in first) for path in sides.values()):
        return f"columns {prompt}, {', '.join(sides.values())}", _wide(prompt, group, sides), False
    model, grade = columns.model or _named(names, _MODELS), columns.quality or _named(names, _GRADES)
    if model and grade:
        return f"columns {prompt}, {model}, {grade}: a row a model", _long(prompt, group, model, grade), True
    numeric = [name for name in names if name not in (prompt, group, *_COMMON) and _is_numeric(first, name)]
    if sides:
        missing = next(path for path in sides.values() if all(field(record, path) is None for record in first))
        raise LogError(f"{path}: no column {missing}; it has {_names(first[0])}")
    if len(numeric) == 2:
        return f"columns {prompt}, {', '.join(numeric)}", _wide(prompt, group, {name: name for name in numeric}), False
    return f"prompts in {prompt}", _wide(prompt, group, {}), False


def _wide(prompt: str, group: str, sides: Mapping[str, str]) -> Callable[[Record], Example]:
    def example(record: Record) -> Example:
        # A row may hold the one or the other.
        question = first_field(record, *(_CONTRACT_PROMPTS if prompt in _CONTRACT_PROMPTS else (prompt,)))
        asked, answer = prompt_and_answer(question)
        return Example(
            prompt=asked,
            grades={side: field(record, path) for side, path in sides.items()},
            usd={side: record.get(f"{side}_usd") for side in SIDES},
            answers={} if answer is None else {"": answer},
            group=field(record, group) if group else None,
            id=record.get("id"),
            weight=record.get("weight"),
        )

    return example


def _long(prompt: str, group: str, model: str, grade: str) -> Callable[[Record], Example]:
    def example(record: Record) -> Example:
        asked, answer = prompt_and_answer(field(record, prompt))
        name = str(field(record, model) or "")
        usd = first_field(record, "cost_usd", "cost", "usd", "total_cost")
        text = first_field(record, "answer", "response", "output") or answer
        return Example(
            prompt=asked,
            grades={name: field(record, grade)},
            usd={} if usd is None else {name: usd},
            answers={name: text} if isinstance(text, str) else {},
            group=field(record, group) if group else None,
            id=record.get("id"),
            weight=record.get("weight"),
        )

    return example


def _examples(file: _File, graded: Mapping[str, Sequence[Any]]) -> Iterator[tuple[int, Example | Broken]]:
    assert file.example is not None
    for line, record in file.records:
        if isinstance(record, Broken):
            yield line, record
            continue
        record = _renamed(record, file.renames)
        for inner in file.schema.records(record) if file.schema is not None else (record,):
            try:
                if not isinstance(inner, Mapping):
                    raise ValueError("not a JSON object")
                example = file.example(inner)
                example.record = inner
                _add_scores(example, graded)
                yield line, example
            except (KeyError, TypeError, AttributeError) as error:
                yield line, Broken(f"not a record of {file.title}: {type(error).__name__} at {error}")
            except ValueError as error:
                yield line, broken_by(error)


def _add_scores(example: Example, graded: Mapping[str, Sequence[Any]]) -> None:
    if graded and (grades := graded.get(str(example.id))):
        names = [*example.answers, *example.usd, *example.grades, ""]
        numbers = [number(grade, "the score") for grade in grades]
        example.grades[names[0]] = sum(numbers) / len(numbers)


def _find_sides(
    file: _File, examples: Sequence[Example], columns: Columns, price_of: Callable[[str], float | None]
) -> None:
    """Which model is the cheap one: as the user says, else, of two, the one that costs less beyond doubt."""
    understanding = file.understanding
    for example in examples:
        understanding.models.update(name for name, grade in example.grades.items() if name and not is_missing(grade))
    understanding.labelled = bool(understanding.models)
    models = [name for name in understanding.models if name not in SIDES]
    if not models:
        understanding.sides = {side: side for side in SIDES}
        return
    if columns.cheap and columns.expensive:
        understanding.sides = {
            _model_named(name, models, file.path): side
            for side, name in zip(SIDES, (columns.cheap, columns.expensive), strict=True)
        }
        return
    sure = _cheap_first(models, price_of) or _cheap_first(models, lambda name: _mean_usd(examples, name))
    if sure:
        understanding.sides = dict(zip(sure, SIDES, strict=True))
        return
    if len(models) == 1:
        side = "cheap" if columns.cheap else "expensive" if columns.expensive else ""
        understanding.sides = {models[0]: side} if side else {}
        understanding.labelled = bool(side)
        return
    shown = ", ".join(name for name, _ in understanding.models.most_common(8))
    raise LogError(
        f"{file.path}: read as {file.title}, it tells of the models {shown}: say which two they are: "
        f"--cheap {_quoted(models[0])} --expensive {_quoted(models[1])}, or others"
    )


def _cheap_first(models: Sequence[str], cost_of: Callable[[str], float | None]) -> list[str] | None:
    """The two models, the cheap one first; None where there are not two, or where it is not beyond doubt."""
    costs = {name: cost for name in models if (cost := cost_of(name))}
    if len(models) != 2 or len(costs) != 2:
        return None
    first, second = sorted(costs, key=lambda name: costs[name])
    return [first, second] if costs[second] >= _SURE_RATIO * costs[first] else None


def _mean_usd(examples: Iterable[Example], name: str) -> float | None:
    costs = [number(usd, "cost") for example in examples if not is_missing(usd := example.usd.get(name))]
    return sum(costs) / len(costs) if costs else None


def _model_named(name: str, models: Sequence[str], path: Path) -> str:
    """The model of the log that this name means, with or without its provider."""
    short = name.rsplit("/", 1)[-1]
    alike = [model for model in models if model == name] or [m for m in models if m.rsplit("/", 1)[-1] == short]
    if alike:
        return alike[0]
    raise LogError(f"{path}: no answer of {name}; it tells of {', '.join(sorted(models)[:8])}")


def _row(file: _File, example: Example, scale: Scale | None) -> Row | Broken:
    """The row of an example that holds all that is known of its question."""
    try:
        row = _shared(example)
        for name, grade in example.grades.items():
            side = file.understanding.sides.get(name)
            if side and not is_missing(grade):
                row[f"{side}_quality"] = quality(grade, f"{side}_quality", example.scale or scale or UNIT)
        _add_answers(row, file, example)
    except ValueError as error:
        return broken_by(error)
    return row


def broken_by(error: ValueError) -> Broken:
    """The row that this error is about."""
    off_scale = error.value if isinstance(error, OffScale) else None
    return Broken(str(error), off_scale=off_scale, promptless=isinstance(error, NoPrompt))


def _shared(example: Example) -> dict[str, Any]:
    prompt = example.prompt
    if is_missing(prompt):
        raise ValueError("prompt is empty")
    # A check of the user's own may know the right answer by another column.
    row = {name: value for name, value in example.record.items() if name not in _CONTRACT}
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


def _pivoted(file: _File, examples: Iterable[tuple[int, Example | Broken]], scale: Scale | None) -> Rows:
    """One row a question, out of records of one answer each. Several grades of one side count as their mean."""
    rows: dict[bytes, tuple[int, dict[str, Any]]] = {}
    grades: dict[tuple[bytes, str], list[float]] = {}
    for line, example in examples:
        row = example if isinstance(example, Broken) else _row(file, example, scale)
        if isinstance(row, Broken):
            yield str(file.path), line, row
            continue
        key = _question_key(row)
        file.understanding.merged += key in rows
        _, held = rows.setdefault(key, (line, {}))
        for side in SIDES:
            if (name := f"{side}_quality") in row:
                grades.setdefault((key, side), []).append(row[name])
        for name, value in row.items():
            held.setdefault(name, value)
    for key, (line, row) in rows.items():
        for side in SIDES:
            if of_side := grades.get((key, side)):
                row[f"{side}_quality"] = sum(of_side) / len(of_side)
        yield str(file.path), line, row


def _question_key(row: Mapping[str, Any]) -> bytes:
    shaping = [row.get("prompt"), row.get("messages"), row.get("group") if isinstance(row.get("group"), str) else None]
    return hashlib.blake2b(canonical_json(shaping), digest_size=16).digest()


def _native_row(record: Record, columns: Columns, scale: Scale) -> Row:
    prompt = unpacked(record["messages"]) if not is_missing(record.get("messages")) else record.get("prompt")
    row = dict(record)
    if isinstance(prompt, str) and prompt[:1] == "[":
        prompt = unpacked(prompt)
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


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _renamed(record: Record, renames: Mapping[str, str]) -> Record:
    return {renames.get(name, name): value for name, value in record.items()} if renames else record


def _named(names: Iterable[str], usual: Sequence[str]) -> str | None:
    """The column that has one of the usual names, written in whatever case."""
    by_plain = {_plain(name): name for name in names}
    return next((by_plain[name] for name in usual if name in by_plain), None)


def _is_numeric(first: Sequence[Record], name: str) -> bool:
    values = [record.get(name) for record in first if not is_missing(record.get(name))]
    try:
        return bool([number(value, name) for value in values])
    except ValueError:
        return False


def _names(record: Record) -> str:
    return ", ".join(list(record)[:12]) + (", ..." if len(record) > 12 else "")


def _quoted(name: str) -> str:
    return f"'{name}'" if any(character in name for character in ' |;&()$<>*?"\\') else name
