"""A row under the contract's names: of an example, or of a record that has those names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.logs.amounts import AmountReader
from turnout.logs.broken import Broken, Row
from turnout.logs.columns import CONTRACT, Columns
from turnout.logs.conversations import NoPrompt, prompt_and_answer
from turnout.logs.example import SIDES, Example
from turnout.logs.fields import LogRecord, field, plain_grade, unpack_json
from turnout.logs.values import UNIT, OffScale, Scale, is_missing, quality

# Columns that hold a cost or a weight.
AMOUNTS = ("cheap_usd", "expensive_usd", "weight")


def row_of(example: Example, sides: Mapping[str, str], scale: Scale | None, *, keyed: bool) -> Row | Broken:
    """All that an example says. sides: which model is which. keyed: another record of the same key may hold the
    prompt."""
    try:
        row = _shared(example, keyed=keyed)
        for name, grade in example.grades.items():
            side = sides.get(name)
            if side and not is_missing(grade):
                row[f"{side}_quality"] = quality(grade, f"{side}_quality", example.scale or scale or UNIT)
        _add_answers(row, sides, example)
    except ValueError as error:
        return broken_by(error)
    return row


def broken_by(error: ValueError) -> Broken:
    """The row that this error is about."""
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


def _add_answers(row: dict[str, Any], sides: Mapping[str, str], example: Example) -> None:
    for suffix, values in (("usd", example.usd), ("answer", example.answers)):
        for name, value in values.items():
            side = sides.get(name)
            if side and not is_missing(value):
                row[f"{side}_{suffix}"] = value


def native_row(record: LogRecord, columns: Columns, scale: Scale, amounts: AmountReader) -> Row:
    """Of a record with Turnout's own columns. Raises ValueError."""
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
    for name in AMOUNTS:
        if name in row:
            row[name] = amounts.read(row[name], name)
    for name in (f"{side}_quality" for side in SIDES):
        row |= {name: plain_grade(row[name])} if name in row else {}
        if scale is not UNIT and not is_missing(row.get(name)):
            row[name] = quality(row[name], name, scale)
    return row
