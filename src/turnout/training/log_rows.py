"""One row of logs, checked: its prompt, its numbers. Pure. What is wrong is told by a ValueError."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from turnout.errors import InvalidRequest
from turnout.messages import as_messages, canonical_json
from turnout.ports import Query
from turnout.routing.tags import identity

# cheap and expensive quality, cheap and expensive cost, weight.
Numbers = tuple[float, float, float, float, float]


def prompt_or_messages(row: Mapping[str, Any]) -> Any:
    """The text or the message list of a row. Raises ValueError."""
    told = row.get("messages")
    if told is None or told == "":
        told = row.get("prompt")
        if isinstance(told, str):
            return _text(told)
    if told is None or (isinstance(told, str | list) and not told):
        raise ValueError("prompt is empty")
    if isinstance(told, str):
        try:
            return json.loads(told)
        except ValueError as error:
            raise ValueError(f"messages is not JSON ({error})") from None
    return told


def _text(prompt: str) -> str:
    if not prompt.strip():
        raise ValueError("prompt is empty")
    return _unicode(prompt, "prompt")


def _unicode(text: str, name: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name} is not valid UTF-8") from None
    return text


def query_of(prompt: Any, row: Mapping[str, Any]) -> Query:
    """The query of a checked prompt and of the row's group, else of its system prompt. Raises ValueError."""
    try:
        if not isinstance(prompt, str):
            canonical_json(prompt)
        messages = as_messages(prompt)
        return Query(messages=messages, tag=group_of(row) or identity(messages))
    except InvalidRequest as error:
        raise ValueError(error.message) from error


def group_of(row: Mapping[str, Any]) -> str:
    """The tag; "" where there is none. Raises ValueError."""
    tag = row.get("group")
    return "" if tag is None else _unicode(str(tag), "group")


def prompt_of(row: Mapping[str, Any]) -> Any:
    """The checked text (a string) or messages (a tuple) of a row of any logs, labelled or not. Raises ValueError."""
    prompt = prompt_or_messages(row)
    return prompt if isinstance(prompt, str) else query_of(prompt, {}).messages


def numbers_of(row: Mapping[str, Any]) -> Numbers:
    weight = _optional(row, "weight")
    return (
        _quality(row, "cheap_quality"),
        _quality(row, "expensive_quality"),
        _optional(row, "cheap_usd"),
        _optional(row, "expensive_usd"),
        1.0 if math.isnan(weight) else weight,
    )


def _quality(row: Mapping[str, Any], name: str) -> float:
    number = _number(row.get(name), name)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} is {number:g}, outside [0, 1]")
    return number


def _optional(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if value is None or value == "":
        return math.nan
    number = _number(value, name)
    if number < 0 or not math.isfinite(number):
        raise ValueError(f"{name} is {number:g}; it is 0 or more")
    return number


def _number(value: Any, name: str) -> float:
    if value is None or value == "":
        raise ValueError(f"{name} is missing")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}, not a number") from None
