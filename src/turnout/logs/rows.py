"""One row under the contract's names, checked: its question, its numbers. Pure. What is wrong raises ValueError."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from turnout.errors import InvalidRequest
from turnout.logs.literals import json_value
from turnout.logs.values import is_missing, optional_amount, quality
from turnout.openai.messages import as_messages, canonical_json
from turnout.ports.scoring import Query
from turnout.routing.tags import identity

# cheap and expensive quality, cheap and expensive cost, weight.
Numbers = tuple[float, float, float, float, float]
QUALITIES = ("cheap_quality", "expensive_quality")


class OneSided(ValueError):
    """A row that tells how good one tier's answer was, but not the other's."""


def prompt_or_messages(row: Mapping[str, Any]) -> Any:
    """The text or the message list of a row. Raises ValueError."""
    question = row.get("messages")
    if is_missing(question):
        question = row.get("prompt")
        if isinstance(question, str):
            return _checked_text(question)
    if is_missing(question) or (isinstance(question, list) and not question):
        raise ValueError("prompt is empty")
    if not isinstance(question, str):
        return question
    parsed = _json(question)
    return _checked_text(parsed) if isinstance(parsed, str) else parsed


def _json(text: str) -> Any:
    try:
        return json_value(text)
    except ValueError as error:
        raise ValueError(f"messages is not JSON ({error})") from None


def _checked_text(prompt: str) -> str:
    if not prompt.strip():
        raise ValueError("prompt is empty")
    return _checked_unicode(prompt, "prompt")


def _checked_unicode(text: str, name: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            hint = "; convert the file from what it is: iconv -f ENCODING -t UTF-8" if _is_undecoded(text) else ""
            raise ValueError(f"{name} is not valid UTF-8{hint}") from None
    return text


def _is_undecoded(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


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
    if is_missing(tag):
        return ""
    if isinstance(tag, list | dict | bytes):
        raise ValueError(f"group is a {type(tag).__name__}, not a text")
    return _checked_unicode(str(tag), "group")


def cheap_answers_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """The cheap tier's answer, its model and a second answer of it, each "" where it is not told. Raises ValueError."""
    found = []
    for name in ("cheap_answer", "cheap_model", "second_answer"):
        value = row.get(name)
        if is_missing(value):
            found.append("")
            continue
        if isinstance(value, list | dict | bytes):
            raise ValueError(f"{name} is a {type(value).__name__}, not a text")
        found.append(_checked_unicode(str(value), name))
    return found[0], found[1], found[2]


def prompt_of(row: Mapping[str, Any]) -> Any:
    """The checked text (a string) or messages (a tuple) of a row of any logs, labelled or not. Raises ValueError."""
    prompt = prompt_or_messages(row)
    return prompt if isinstance(prompt, str) else query_of(prompt, "").messages


def grades_of(row: Mapping[str, Any]) -> dict[str, float]:
    """The qualities that a row tells, by column. Raises ValueError, OffScale."""
    return {name: quality(row[name], name) for name in QUALITIES if not is_missing(row.get(name))}


def amounts_of(row: Mapping[str, Any]) -> tuple[float, float, float]:
    """Cheap and expensive cost, nan where they are missing, and the weight of a row. Raises ValueError."""
    weight = optional_amount(row.get("weight"), "weight")
    cheap, expensive = (optional_amount(row.get(name), name) for name in ("cheap_usd", "expensive_usd"))
    return cheap, expensive, 1.0 if math.isnan(weight) else weight


def numbers_of(row: Mapping[str, Any]) -> Numbers:
    """The numbers of a row; costs nan where they are missing. Raises ValueError, OffScale, OneSided."""
    missing = [name for name in QUALITIES if is_missing(row.get(name))]
    if len(missing) == 1:
        raise OneSided(f"{missing[0]} is missing: the row tells one side alone")
    cheap, expensive = (quality(row.get(name), name) for name in QUALITIES)
    return cheap, expensive, *amounts_of(row)
