"""A field of a record by name or path, and the grade that a field holds. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from turnout.logs.literals import json_value, python_value
from turnout.logs.names import is_grade
from turnout.logs.values import is_missing, number

LogRecord = Mapping[str, Any]


# [{'role': ..., and {'role': ...
_PYTHON_OBJECTS = re.compile(r"\[?\s*\{\s*'[\w.]+'\s*:")
# Where a request's body holds what was asked.
_ASKED_IN_BODY = ("messages", "contents", "input", "prompt")
_EMPTY: tuple[Any, ...] = ({}, [], "{}", "[]")


def field(record: LogRecord, path: str) -> Any:
    """The value at a column's name, a JSON pointer (`/request_body/messages`) or a dotted path (`metadata.feature`);
    None where there is none. Texts that hold JSON are looked into on the way."""
    if path in record:
        return record[path]
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")] if path[:1] == "/" else None
    value: Any = record
    for step in steps or path.split("."):
        value = unpack_json(value)
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def first_field(record: LogRecord, *paths: str) -> Any:
    """The first of these fields that holds something: an empty list or object is nothing."""
    return next((value for path in paths if not (is_missing(value := field(record, path)) or value in _EMPTY)), None)


def unpack_json(value: Any) -> Any:
    """The JSON object or array that a text holds, or Python's way to write it; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "[") and value.rstrip()[-1:] in ("}", "]"):
        try:
            return json_value(value)
        except ValueError:
            literal = python_value(value) if _PYTHON_OBJECTS.match(value) else None
            return value if literal is None else literal
    return value


def is_body(value: Any) -> bool:
    """Whether it is the body of a request to a model, rather than its parameters alone."""
    held = unpack_json(value)
    return isinstance(held, Mapping) and any(name in held for name in _ASKED_IN_BODY)


def plain_grade(value: Any) -> Any:
    """The grade that an object of one grade holds, `{"rating": "thumbs_up"}`, also alone in a list; any other value as
    it is."""
    held = unpack_json(value)
    if isinstance(held, list) and len(held) == 1 and isinstance(held[0], Mapping):
        held = held[0]
    if not isinstance(held, Mapping):
        return value
    named = [name for name in held if is_grade(str(name)) and not is_missing(held[name])]
    return plain_grade(held[named[0]]) if len(named) == 1 else value


def mean_of(grades: Iterable[Any]) -> float | None:
    """The mean of those that are numbers, booleans, or texts, lists and objects that hold one; else None."""
    numbers = [each for grade in grades if (each := _grade(grade)) is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _grade(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = first_field(value, "avg", "value", "score", "result.score")
    if isinstance(value, list):
        return mean_of(value)
    if is_missing(value):
        return None
    with suppress(ValueError):
        return number(value, "the score")
    return None


def nested(record: LogRecord) -> dict[str, Any]:
    """An object whose dotted names are paths, `llm.input_messages.0.content`: the objects and lists that they mean."""
    tree: dict[str, Any] = {}
    for name, value in record.items():
        *path, last = name.split(".")
        inner = tree
        for step in path:
            following = inner.setdefault(step, {})
            inner = following if isinstance(following, dict) else {}
        inner[last] = value
    return {name: _lists_within(value) for name, value in tree.items()}


def _lists_within(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists_within(each) for name, each in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
