"""Records that hold two models' answers beside each other: who won, or how good each was. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from turnout.logs.conversations import prompt_and_answer, transcript
from turnout.logs.example import Example, example_of_answer, won_by
from turnout.logs.fields import LogRecord, first_field
from turnout.logs.names import column_named
from turnout.logs.values import UNIT, is_missing

# Where battles say which model won; the last heads three columns of one winner each.
WINNERS = ("winner", "preference", "preferred", "preferred_model", "better", "choice", "vote", "winner_model_a")
# How people name the columns of the two models, and what they add to other columns that are of the one or the other.
_MODEL_COLUMNS = (
    ("model_a", "model_b", "a", "b"), ("model_1", "model_2", "1", "2"), ("model1", "model2", "1", "2"),
    ("left_model", "right_model", "left", "right"), ("model_left", "model_right", "left", "right"),
)  # fmt: skip
_GRADES = ("score", "rating", "grade", "quality", "correct")
_QUESTIONS = ("conversation_a", "prompt", "question", "instruction", "query", "messages")


def model_columns(names: Iterable[str]) -> tuple[str, str, str, str] | None:
    """The columns of the two models, and what stands for each in other columns' names; None where there are none."""
    names = list(names)
    for one, other, first, second in _MODEL_COLUMNS:
        columns = column_named(names, (one,)), column_named(names, (other,))
        if columns[0] and columns[1]:
            return columns[0], columns[1], first, second
    return None


def is_battle(record: LogRecord) -> bool:
    """Whether a record names two models, and which won or how good each was."""
    found = model_columns(record)
    return found is not None and (
        column_named(record, WINNERS) is not None or _grade_columns(record, *found[2:]) is not None
    )


def _grade_columns(record: LogRecord, *suffixes: str) -> list[str] | None:
    """The column of each model's grade; None where one has none."""
    found = [
        name
        for suffix in suffixes
        if (name := column_named(record, [f"{grade}_{suffix}" for grade in _GRADES]
                                 + [f"{suffix}_{grade}" for grade in _GRADES]
                                 + [f"model_{suffix}_{grade}" for grade in _GRADES]))
    ]  # fmt: skip
    return found if len(found) == len(suffixes) else None


def battle(record: LogRecord) -> Example:
    found = model_columns(record)
    assert found is not None
    one, other = str(record[found[0]]), str(record[found[1]])
    if one == other:
        raise ValueError("both answers are of one model")
    question = next((name for name in _QUESTIONS if not is_missing(first_field(record, name))), "prompt")
    asked, _ = prompt_and_answer(first_field(record, question))
    if column_named(record, WINNERS) is not None:
        both, scale = won_by(_winner(record), one, other, suffixes=found[2:]), UNIT
        values: dict[str, Any] = dict(zip((one, other), both, strict=True))
    else:
        grades = _grade_columns(record, *found[2:])
        assert grades is not None
        values, scale = {one: record[grades[0]], other: record[grades[1]]}, None
    return Example(
        prompt=asked,
        grades=values,
        scale=scale,
        id=first_field(record, "question_id", "id"),
        group=first_field(record, "category", "task") if isinstance(record.get("category"), str) else None,
    )


def _winner(record: LogRecord) -> Any:
    if not is_missing(named := record.get(column_named(record, WINNERS[:-1]) or "")):
        return named
    columns = ("winner_model_a", "winner_model_b", "winner_tie")
    won = (name.removeprefix("winner_") for name in columns if str(record.get(name)) in ("1", "1.0", "True"))
    return next(won, "")


def _preferred(record: LogRecord) -> tuple[str | None, str | None]:
    return tuple(column_named(record, (f"{side}_model", f"model_{side}")) for side in ("chosen", "rejected"))  # type: ignore[return-value]


def names_preferred(record: LogRecord) -> bool:
    """Whether a record names the models of a chosen and of a rejected answer."""
    return None not in _preferred(record)


def chosen_and_rejected(record: LogRecord) -> Example:
    chosen, rejected = (str(record[name or ""]) for name in _preferred(record))
    question = first_field(record, "prompt", "instruction", "question", "input") or record["chosen"]
    asked, _ = prompt_and_answer(transcript(question))
    if chosen == rejected:
        raise ValueError("both answers are of one model")
    return Example(prompt=asked, grades={chosen: 1.0, rejected: 0.0}, scale=UNIT, id=record.get("id"))


def chosen_and_rejected_of_nobody(record: LogRecord) -> Example:
    """Which answer is the better one is told, but not whose it is."""
    return example_of_answer(transcript(record["chosen"]), None, id=record.get("id"))
