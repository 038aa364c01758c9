"""Logs of one's own columns: which holds the question, who answered, how well. By flags, else by usual names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from turnout.errors import LogError
from turnout.logs.example import SIDES, TIES, Example, plain_winner, won_by
from turnout.logs.fields import LogRecord, field, first_field, prompt_and_answer, unpack_json
from turnout.logs.names import (
    ANSWERS,
    CONTRACT_PROMPTS,
    COSTS,
    GROUPS,
    IDS,
    MODELS,
    PROMPTS,
    WINNERS,
    column_named,
    grade_column,
    is_no_quality,
    plain,
)
from turnout.logs.values import UNIT, Scale, is_missing, number

# More names than these that won are no models'.
_MOST_MODELS = 30
# What the contract names a row's columns.
CONTRACT = frozenset(
    [*(f"{side}_{what}" for side in SIDES for what in ("quality", "usd", "answer")), "prompt", "messages", "group"]
) | {"id", "weight"}
_SIDE_WORDS = {"cheap": ("cheap", "weak", "small"), "expensive": ("expensive", "strong", "large", "dear")}
_WHAT_WORDS = {
    "quality": ("quality", "score", "rating", "grade", "correct", "label"),
    "usd": ("usd", "cost", "cost_usd"),
    "answer": ("answer", "response", "output"),
}
_SPELLINGS = {
    spelling: f"{side}_{what}"
    for side, side_words in _SIDE_WORDS.items()
    for what, what_words in _WHAT_WORDS.items()
    for one in side_words
    for other in what_words
    for spelling in (f"{one}_{other}", f"{other}_{one}", f"{one}_model_{other}")
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSchema:
    """How the records of such a log are read. one_answer_each: each is one model's answer. key: the column that names
    the question of which several records are about; "" where the question itself does.

    unclear: columns that may be qualities; which, the user has to say.
    """

    title: str
    example: Callable[[LogRecord], Example]
    one_answer_each: bool = False
    key: str = ""
    unclear: tuple[str, ...] = ()


def contract_names(names: Iterable[str]) -> dict[str, str]:
    """The contract's name of each column that has another spelling of it, as ` Cheap Quality` or `score_cheap`."""
    names = list(names)
    renames: dict[str, str] = {}
    for name in names:
        spelling = plain(name)
        contract = spelling if spelling in CONTRACT else _SPELLINGS.get(spelling)
        if contract and contract not in names and contract not in renames.values():
            renames[name] = contract
    return renames


def renamed(record: LogRecord, renames: Mapping[str, str]) -> LogRecord:
    return {renames.get(name, name): value for name, value in record.items()} if renames else record


def renamed_flags(columns: Columns, renames: Mapping[str, str]) -> Columns:
    """The flags under the names that the records have once they are renamed."""
    return replace(
        columns,
        prompt=renames.get(columns.prompt, columns.prompt),
        cheap=renames.get(columns.cheap, columns.cheap),
        expensive=renames.get(columns.expensive, columns.expensive),
        group=renames.get(columns.group, columns.group),
        model=renames.get(columns.model, columns.model),
        quality=renames.get(columns.quality, columns.quality),
    )


def own_schema(
    path: object, first: Sequence[LogRecord], columns: Columns, every: Callable[[], Iterable[LogRecord]]
) -> OwnSchema:
    """Of these first records of a file. every: reads all of them. Raises LogError, which says what to pass."""
    names = dict.fromkeys(name for record in first for name in record)
    prompt = columns.prompt or column_named(names, PROMPTS)
    if not prompt and names.keys() >= {"custom_id", "response"}:
        raise LogError(
            f"{path}: is the output of an OpenAI batch, which holds no prompts; `turnout label` takes the batch's input"
        )
    if not prompt or not any(not is_missing(field(record, prompt)) for record in first):
        raise LogError(
            f"{path}: no column {columns.prompt or 'prompt or messages'}; it has {names_of(first[0])}; "
            "say which holds the question: --prompt COLUMN (or a JSON pointer, /request/messages)"
        )
    group = columns.group or column_named(names, GROUPS) or ""
    sides = {side: path for side, path in (("cheap", columns.cheap), ("expensive", columns.expensive)) if path}
    if not sides and not columns.model and not columns.quality:
        sides = {side: f"{side}_quality" for side in SIDES if f"{side}_quality" in names}
    if sides and all(_is_held(first, name) for name in sides.values()):
        return OwnSchema(
            title=f"columns {prompt}, {', '.join(sides.values())}", example=_wide(names, prompt, group, sides)
        )
    model = columns.model or column_named(names, MODELS) or _model_within(first, prompt)
    grade = columns.quality or grade_column(names)
    if model and grade and grade != model:
        key = _question_key(first, names, model)
        return OwnSchema(
            title=f"columns {prompt}, {model}, {grade}: a row a model",
            example=_long(names, prompt, group, model, grade),
            one_answer_each=True,
            key=key,
        )
    if columns.model or columns.quality:
        lacking = "which model answered: --model COLUMN" if grade else "how good the answer was: --quality COLUMN"
        raise LogError(f"{path}: it has {names_of(first[0])}; say which column holds {lacking}")
    if nested := next((name for name in names if name != prompt and _grades_within(first[0].get(name))), None):
        return OwnSchema(title=f"columns {prompt}, {nested}", example=_nested(prompt, group, nested))
    winner = column_named(names, WINNERS)
    named = (columns.cheap, columns.expensive) if columns.cheap and columns.expensive else None
    if winner and (models := named or _winning_models(path, winner, every)):
        return OwnSchema(title=f"columns {prompt}, {winner}", example=_won(prompt, group, winner, models))
    numeric = [name for name in names if name not in (prompt, group) and _is_quality_like(first, name)]
    if sides:
        missing = next(path for path in sides.values() if not _is_held(first, path))
        raise LogError(f"{path}: no column {missing}; it has {names_of(first[0])}")
    if len(numeric) == 2:
        wide = _wide(names, prompt, group, {name: name for name in numeric})
        return OwnSchema(title=f"columns {prompt}, {', '.join(numeric)}", example=wide)
    return OwnSchema(
        title=f"prompts in {prompt}",
        example=_wide(names, prompt, group, {}),
        unclear=tuple(numeric) if len(numeric) > 2 else (),
    )


def grades_columns(first: Sequence[LogRecord], columns: Columns) -> bool:
    """Whether --cheap or --expensive names a column of the file, not a model: then no schema is looked for."""
    return any(_is_held(first, path) for path in (columns.cheap, columns.expensive) if path)


def names_of(record: LogRecord) -> str:
    """The first names of its columns, as a message shows them."""
    return ", ".join(list(record)[:12]) + (", ..." if len(record) > 12 else "")


def _wide(names: Iterable[str], prompt: str, group: str, sides: Mapping[str, str]) -> Callable[[LogRecord], Example]:
    """sides: the column of each grade, by model or side."""
    model = column_named(names, MODELS)

    def example(record: LogRecord) -> Example:
        # A row may hold the one or the other.
        question = first_field(record, *(CONTRACT_PROMPTS if prompt in CONTRACT_PROMPTS else (prompt,)))
        messages, answer = prompt_and_answer(question)
        answers = {side: record.get(f"{side}_answer") for side in SIDES}
        if answer is not None:
            answers.setdefault(str(record.get(model) or "") if model else "", answer)
        return Example(
            prompt=messages,
            grades={side: field(record, path) for side, path in sides.items()},
            usd={side: record.get(f"{side}_usd") for side in SIDES},
            answers=answers,
            group=field(record, group) if group else None,
            id=record.get("id"),
            weight=record.get("weight"),
        )

    return example


def _long(names: Iterable[str], prompt: str, group: str, model: str, grade: str) -> Callable[[LogRecord], Example]:
    cost, text = column_named(names, COSTS), column_named(names, ANSWERS)

    def example(record: LogRecord) -> Example:
        messages, answer = prompt_and_answer(field(record, prompt))
        name = str(field(record, model) or "")
        usd = record.get(cost) if cost else None
        text_of_answer = record.get(text) if text and text != prompt else None
        answer = text_of_answer if isinstance(text_of_answer, str) and text_of_answer else answer
        return Example(
            prompt=messages,
            grades={name: field(record, grade)},
            usd={} if is_missing(usd) else {name: usd},
            answers={} if answer is None else {name: answer},
            group=field(record, group) if group else None,
            id=record.get("id"),
            weight=record.get("weight"),
        )

    return example


def _won(prompt: str, group: str, winner: str, models: tuple[str, str]) -> Callable[[LogRecord], Example]:
    """One question, and which of two models answered it better."""

    def example(record: LogRecord) -> Example:
        messages, _ = prompt_and_answer(field(record, prompt))
        return Example(
            prompt=messages,
            grades=dict(zip(models, won_by(record.get(winner), *models), strict=True)),
            usd={side: record.get(f"{side}_usd") for side in SIDES},
            answers={side: record.get(f"{side}_answer") for side in SIDES},
            group=field(record, group) if group else None,
            id=record.get("id"),
            weight=record.get("weight"),
            scale=UNIT,
        )

    return example


def _nested(prompt: str, group: str, grades: str) -> Callable[[LogRecord], Example]:
    """One question, and a column that holds each model's grade."""

    def example(record: LogRecord) -> Example:
        messages, _ = prompt_and_answer(field(record, prompt))
        return Example(
            prompt=messages,
            grades=_grades_within(record.get(grades)),
            group=field(record, group) if group else None,
            id=record.get("id"),
            weight=record.get("weight"),
        )

    return example


def _grades_within(value: Any) -> dict[str, Any]:
    """The grades by model of `{"gpt-4o": 0.5, ...}` or `[{"model": "gpt-4o", "score": 0.5}, ...]`; {} where it holds
    none of two models."""
    value = unpack_json(value)
    if isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
        names = dict.fromkeys(name for each in value for name in each)
        model, grade = column_named(names, MODELS), grade_column(names)
        value = {str(each.get(model)): each.get(grade) for each in value} if model and grade else {}
    if not isinstance(value, Mapping) or len(value) < 2 or any(map(is_no_quality, map(str, value))):
        return {}
    are_grades = all(isinstance(grade, int | float) for grade in value.values())
    return dict(value) if are_grades else {}


def _winning_models(path: object, winner: str, every: Callable[[], Iterable[LogRecord]]) -> tuple[str, str] | None:
    """The two names that win in these records; None where none does. Raises LogError where there are not two."""
    values = Counter(str(value) for record in every() if not is_missing(value := record.get(winner)))
    models = [value for value, _ in values.most_common() if plain_winner(value) not in TIES]
    if len(models) == 2:
        first, second = sorted(models, key=list(values).index)
        return first, second
    if not models or len(models) > _MOST_MODELS or all(map(_is_numeric, models)):
        return None
    shown = ", ".join(models[:8])
    raise LogError(
        f"{path}: the column {winner} names {shown}; say which two models they are: --cheap NAME --expensive NAME"
    )


def _is_numeric(text: str) -> bool:
    return text.strip().lstrip("+-").replace(".", "", 1).isdigit()


def _question_key(first: Sequence[LogRecord], names: Iterable[str], model: str) -> str:
    """The column whose values several models' records share; "" where none has."""
    for name in (named for one in IDS if (named := column_named(names, (one,)))):
        models: dict[str, set[str]] = {}
        for record in first:
            models.setdefault(str(record.get(name)), set()).add(str(field(record, model)))
        if any(len(each) > 1 for each in models.values()):
            return name
    return ""


def _model_within(first: Sequence[LogRecord], prompt: str) -> str | None:
    """Where a logged body or its metadata names the model."""
    places = (f"{prompt}.model", "response.model", "response_body.model", "metadata.model", "completion.model")
    return next((place for place in places if all(isinstance(field(each, place), str) for each in first)), None)


def _is_held(first: Sequence[LogRecord], path: str) -> bool:
    return any(field(record, path) is not None for record in first)


def _is_quality_like(first: Sequence[LogRecord], name: str) -> bool:
    """Whether all that stands there are numbers, and its name is not that of an amount."""
    if not plain(name) or plain(name) in IDS or is_no_quality(name):
        return False
    values = [record.get(name) for record in first if not is_missing(record.get(name))]
    try:
        return bool([number(value, name) for value in values])
    except ValueError:
        return False
