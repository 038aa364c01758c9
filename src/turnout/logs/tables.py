"""How a row of one's own columns tells a question and its grades: a column a model, a row a model, a winner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from turnout.logs.conversations import prompt_and_answer
from turnout.logs.example import SIDES, Example, won_by
from turnout.logs.fields import LogRecord, field, first_field, plain_grade, unpack_json
from turnout.logs.names import ANSWERS, CONTRACT_PROMPTS, COSTS, MODELS, column_named, grade_column, is_no_quality
from turnout.logs.values import UNIT, is_missing


def wide_table(
    names: Iterable[str], prompt: str, group: str, sides: Mapping[str, str]
) -> Callable[[LogRecord], Example]:
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


def long_table(names: Iterable[str], prompt: str, group: str, model: str, grade: str) -> Callable[[LogRecord], Example]:
    cost, text = column_named(names, COSTS), column_named(names, ANSWERS)

    def example(record: LogRecord) -> Example:
        messages, answer = prompt_and_answer(field(record, prompt))
        named = unpack_json(field(record, model))
        name = str((first_field(named, "name", "id", "model") if isinstance(named, Mapping) else named) or "")
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


def won_table(prompt: str, group: str, winner: str, models: tuple[str, str]) -> Callable[[LogRecord], Example]:
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


def nested_table(prompt: str, group: str, grades: str) -> Callable[[LogRecord], Example]:
    """One question, and a column that holds each model's grade."""

    def example(record: LogRecord) -> Example:
        messages, _ = prompt_and_answer(field(record, prompt))
        return Example(
            prompt=messages,
            grades=grades_within(record.get(grades)),
            group=field(record, group) if group else None,
            id=record.get("id"),
            weight=record.get("weight"),
        )

    return example


def grades_within(value: Any) -> dict[str, Any]:
    """The grades by model of `{"gpt-4o": 0.5, ...}` or `[{"model": "gpt-4o", "score": 0.5}, ...]`; {} where it holds
    none of two models."""
    value = unpack_json(value)
    if isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
        names = dict.fromkeys(name for each in value for name in each)
        model, grade = column_named(names, MODELS), grade_column(names)
        value = {str(each.get(model)): each.get(grade) for each in value} if model and grade else {}
    if not isinstance(value, Mapping) or len(value) < 2 or any(map(is_no_quality, map(str, value))):
        return {}
    value = {name: plain_grade(grade) for name, grade in value.items()}
    are_grades = all(isinstance(grade, int | float) for grade in value.values())
    return dict(value) if are_grades else {}
