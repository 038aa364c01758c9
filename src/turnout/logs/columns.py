"""Logs of one's own columns: which holds the question, who answered, how well. By flags, else by usual names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from turnout.errors import LogError
from turnout.logs.example import SIDES, TIES, Example, plain_winner, won_by
from turnout.logs.fields import LogRecord, field, is_body, unpack_json
from turnout.logs.model_names import spellings
from turnout.logs.names import (
    GROUPS,
    IDS,
    MODELS,
    WINNERS,
    column_named,
    grade_column,
    is_no_quality,
    plain,
    question_column,
)
from turnout.logs.tables import grades_within, long_table, nested_table, wide_table, won_table
from turnout.logs.values import Scale, is_missing, number

# The flags that say which columns are the qualities of a row.
SIDE_FLAGS = ("--cheap", "--expensive")
_MODEL_PLACES = ("response.model", "response_body.model", "metadata.model", "completion.model")
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

    unclear: columns that may be qualities; which, the user has to say by unclear_flags.
    """

    title: str
    example: Callable[[LogRecord], Example]
    one_answer_each: bool = False
    key: str = ""
    unclear: tuple[str, ...] = ()
    unclear_flags: tuple[str, ...] = ()


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
    prompt = columns.prompt or question_column(names) or _body_column(first, names)
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
            title=f"columns {prompt}, {', '.join(sides.values())}", example=wide_table(names, prompt, group, sides)
        )
    model = columns.model or column_named(names, MODELS) or _model_within(first, prompt)
    grade = columns.quality or grade_column(names) or (_grade_within(first, names) if model else None)
    if model and grade and grade != model:
        key = _question_key(first, names, model)
        return OwnSchema(
            title=f"columns {prompt}, {model}, {grade}: a row a model",
            example=long_table(names, prompt, group, model, grade),
            one_answer_each=True,
            key=key,
        )
    if columns.model or columns.quality:
        lacking = "which model answered: --model COLUMN" if grade else "how good the answer was: --quality COLUMN"
        raise LogError(f"{path}: it has {names_of(first[0])}; say which column holds {lacking}")
    if nested := next((name for name in names if name != prompt and grades_within(first[0].get(name))), None):
        return OwnSchema(title=f"columns {prompt}, {nested}", example=nested_table(prompt, group, nested))
    winner = column_named(names, WINNERS)
    named = (columns.cheap, columns.expensive) if columns.cheap and columns.expensive else None
    if winner and (models := _winning_models(path, winner, every, named)):
        return OwnSchema(title=f"columns {prompt}, {winner}", example=won_table(prompt, group, winner, models))
    numeric = [name for name in names if name not in (prompt, group, model) and _is_quality_like(first, name)]
    if sides:
        missing = next(path for path in sides.values() if not _is_held(first, path))
        raise LogError(f"{path}: no column {missing}; it has {names_of(first[0])}")
    if len(numeric) == 2 and not model:
        wide = wide_table(names, prompt, group, {name: name for name in numeric})
        return OwnSchema(title=f"columns {prompt}, {', '.join(numeric)}", example=wide)
    return OwnSchema(
        title=f"prompts in {prompt}",
        example=wide_table(names, prompt, group, {}),
        unclear=tuple(numeric),
        unclear_flags=("--quality",) if model else ("--quality", "--model") if len(numeric) == 1 else SIDE_FLAGS,
    )


def grades_columns(first: Sequence[LogRecord], columns: Columns) -> bool:
    """Whether --cheap or --expensive names a column of the file, not a model: then no schema is looked for."""
    return any(_is_held(first, path) for path in (columns.cheap, columns.expensive) if path)


def names_of(record: LogRecord) -> str:
    """The first names of its columns, as a message shows them."""
    return ", ".join(list(record)[:12]) + (", ..." if len(record) > 12 else "")


def _body_column(first: Sequence[LogRecord], names: Iterable[str]) -> str | None:
    """The column of a batch's bodies, which elsewhere holds a call's parameters alone."""
    name = column_named(names, ("params",))
    return name if name and any(is_body(record.get(name)) for record in first) else None


def _winning_models(
    path: object, winner: str, every: Callable[[], Iterable[LogRecord]], named: tuple[str, str] | None
) -> tuple[str, str] | None:
    """The two models that win in these records, those that are named; None where none does. Raises LogError where
    there are not two, or where none of those named wins."""
    values = Counter(str(value) for record in every() if not is_missing(value := record.get(winner)))
    names = [value for value, _ in values.most_common() if plain_winner(value) not in TIES]
    if named and (not names or any(_is_winner(value, named) for value in names)):
        return named
    models = names if len(names) == 2 else [min(alike, key=len) for alike in spellings(names)]
    if len(models) == 2 and not named:
        first, second = sorted(models, key=names.index)
        return first, second
    if not models or len(models) > _MOST_MODELS or all(map(_is_numeric, models)):
        return None
    shown = ", ".join(names[:8])
    raise LogError(
        f"{path}: the column {winner} names {shown}; say which two models they are: --cheap NAME --expensive NAME"
    )


def _is_winner(value: str, models: tuple[str, str]) -> bool:
    with suppress(ValueError):
        return bool(won_by(value, *models))
    return False


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
    places = (f"{prompt}.model", f"{prompt}.body.model", *_MODEL_PLACES)
    return next((place for place in places if all(isinstance(field(each, place), str) for each in first)), None)


def _is_held(first: Sequence[LogRecord], path: str) -> bool:
    return any(field(record, path) is not None for record in first)


def _grade_within(first: Sequence[LogRecord], names: Iterable[str]) -> str | None:
    """Where an object within one column, and in no other, tells one grade, as `feedback.rating`."""
    found = {
        f"{name}.{grade}"
        for name in names
        for record in first
        if isinstance(inner := unpack_json(record.get(name)), Mapping) and (grade := grade_column(map(str, inner)))
    }
    return found.pop() if len(found) == 1 else None


def _is_quality_like(first: Sequence[LogRecord], name: str) -> bool:
    """Whether all that stands there are numbers, and its name is not that of an amount."""
    if not plain(name) or plain(name) in IDS or is_no_quality(name):
        return False
    values = [record.get(name) for record in first if not is_missing(record.get(name))]
    try:
        return bool([number(value, name) for value in values])
    except ValueError:
        return False
