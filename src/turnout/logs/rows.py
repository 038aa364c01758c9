"""One row of logs, checked: its prompt, its numbers. Pure. What is wrong is told by a ValueError."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from turnout.errors import InvalidRequest
from turnout.openai.messages import as_messages, canonical_json
from turnout.ports.scoring import Query
from turnout.routing.tags import identity

# cheap and expensive quality, cheap and expensive cost, weight.
Numbers = tuple[float, float, float, float, float]
# The largest weight and cost: a sum of millions of them, and its square, still is a number.
MOST = 1e9
# Characters told of a value that is wrong.
SHOWN = 60
# Where the scales end that people and models grade on.
SCALES = (5.0, 10.0, 100.0)
QUALITIES = ("cheap_quality", "expensive_quality")


def nothing(value: Any) -> bool:
    """Whether a value is not told: null, an empty cell, or the NaN that pandas writes for either."""
    return value is None or (isinstance(value, str) and not value) or (isinstance(value, float) and math.isnan(value))


def prompt_or_messages(row: Mapping[str, Any]) -> Any:
    """The text or the message list of a row. Raises ValueError."""
    told = row.get("messages")
    if nothing(told):
        told = row.get("prompt")
        if isinstance(told, str):
            return _text(told)
    if nothing(told) or (isinstance(told, list) and not told):
        raise ValueError("prompt is empty")
    if not isinstance(told, str):
        return told
    read = _json(told)
    return _text(read) if isinstance(read, str) else read


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"messages is not JSON ({error})") from None
    except RecursionError:
        raise ValueError("messages is not JSON (nested too deep)") from None


class OffScale(ValueError):
    """A quality above 1: alone a slip, in most rows another scale. value: how far it goes."""

    def __init__(self, message: str, value: float) -> None:
        super().__init__(message)
        self.value = value


def scale_of(largest: float) -> str:
    """What to do with qualities that go so far."""
    end = next((end for end in SCALES if largest <= end), largest)
    return f"if your scale goes to {end:g}, divide by {end:g}"


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


def query_of(prompt: Any, group: str) -> Query:
    """The query of a checked prompt and of its row's group, else of its system prompt. Raises ValueError."""
    try:
        if not isinstance(prompt, str):
            # First of all: what is nested too deep for it is too deep for the check of the messages.
            canonical_json(prompt)
        messages = as_messages(prompt)
        return Query(messages=messages, tag=group or identity(messages))
    except InvalidRequest as error:
        raise ValueError(error.message) from error


def group_of(row: Mapping[str, Any]) -> str:
    """The tag; "" where there is none. Raises ValueError."""
    tag = row.get("group")
    if nothing(tag):
        return ""
    if isinstance(tag, list | dict | bytes):
        raise ValueError(f"group is a {type(tag).__name__}, not a text")
    return _unicode(str(tag), "group")


def prompt_of(row: Mapping[str, Any]) -> Any:
    """The checked text (a string) or messages (a tuple) of a row of any logs, labelled or not. Raises ValueError."""
    prompt = prompt_or_messages(row)
    return prompt if isinstance(prompt, str) else query_of(prompt, "").messages


def numbers_of(row: Mapping[str, Any]) -> Numbers:
    """The numbers of a row; costs nan where they are not told. Raises ValueError."""
    weight = _optional(row, "weight")
    try:
        cheap, expensive = (_quality(row, name) for name in QUALITIES)
    except OffScale as error:
        error.value = max(error.value, *_told(row))
        raise
    return (
        cheap,
        expensive,
        _optional(row, "cheap_usd"),
        _optional(row, "expensive_usd"),
        1.0 if math.isnan(weight) else weight,
    )


def _told(row: Mapping[str, Any]) -> Iterator[float]:
    """The qualities of a row that are numbers, whatever they are."""
    for name in QUALITIES:
        try:
            yield min(_number(row.get(name), name), MOST)
        except ValueError:
            yield 0.0


def _quality(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if nothing(value):
        raise ValueError(f"{name} is missing")
    number = _number(value, name)
    if 1.0 < number < math.inf:
        raise OffScale(f"{name} is {number:g}, outside [0, 1]; {scale_of(number)}", number)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} is {number:g}, outside [0, 1]")
    return number


def _optional(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if nothing(value):
        return math.nan
    number = _number(value, name)
    if number > MOST:
        raise ValueError(f"{name} is {number:g}, above {MOST:g}")
    if not number >= 0:
        raise ValueError(f"{name} is {number:g}; it is 0 or more")
    return number


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large") from None
    except ValueError:
        shown = str(value) if len(value) <= SHOWN else f"{value[:SHOWN]}..."
        raise ValueError(f"{name} is {shown!r}, not a number") from None
    except TypeError:
        raise ValueError(f"{name} is a {type(value).__name__}, not a number") from None
