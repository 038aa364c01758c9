"""What the user's flags say of a log whose schema is known: they count more than the schema. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.errors import LogError
from turnout.logs.columns import Columns, names_of
from turnout.logs.conversations import prompt_and_answer
from turnout.logs.example import Example
from turnout.logs.fields import LogRecord, field
from turnout.logs.values import is_missing


def override(example: Example, columns: Columns) -> Example:
    """The example, with what the flags name in its record. Raises ValueError."""
    record = example.record
    if columns.prompt:
        example.prompt, answer = prompt_and_answer(field(record, columns.prompt))
        example.no_prompt = ""
        if answer is not None:
            example.answers.setdefault(example.model, answer)
    if columns.model:
        name = str(field(record, columns.model) or "")
        for by_model in (example.grades, example.usd, example.answers):
            if example.model in by_model:
                by_model[name] = by_model.pop(example.model)
        example.model = name
    if columns.quality:
        grade = field(record, columns.quality)
        example.grades = {} if is_missing(grade) else {example.model: grade}
        if example.grades:
            example.scale, example.scores, example.from_zero_to_hundred = None, {}, False
    if columns.group:
        example.group = field(record, columns.group)
    return example


def check_flags(path: object, examples: Sequence[Example], columns: Columns) -> None:
    """Raises LogError for a flag that names what none of these first records of a file holds."""
    records = [example.record for example in examples]
    for flag in ("prompt", "model", "quality", "group"):
        name = getattr(columns, flag)
        if not name or not records or any(holds(record, name) for record in records):
            continue
        scores = dict.fromkeys(score for example in examples for score in example.scores if score)
        if flag == "quality" and name in scores:
            continue
        more = f", and the scores {', '.join(scores)}" if scores and flag == "quality" else ""
        raise LogError(f"{path}: no column {name} (--{flag}); it has {names_of(records[0])}{more}")


def holds(record: LogRecord, path: str) -> bool:
    """Whether a record has this column, or something at this path."""
    return path in record or field(record, path) is not None
