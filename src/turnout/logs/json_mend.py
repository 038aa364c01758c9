"""What can be read of a text that is no JSON: objects that Python wrote, and whole ones behind a broken one. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from turnout.logs.literals import LONGEST, python_value

# Texts in either kind of quotes, and what opens and closes.
_TOKENS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[\[{]|[\]}]", re.S)
_FIRST_NAME = re.compile(r"\{\s*[\"']([^\"'\\]+)[\"']")
# -Infinity, which a cut leaves a part of.
_LONGEST_WORD = 9
# Objects looked at behind a broken one: what is within it, and the next rows.
_MOST_TRIED = 200
# Of the names that rows have, the share that makes an object one of them.
_MOST = 0.5


def is_cut(text: str, error: ValueError | RecursionError) -> bool:
    """Whether the text may only end too early for a value, rather than be broken within."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos >= len(text) - _LONGEST_WORD or error.msg.startswith("Unterminated string")


def python_object(text: str) -> tuple[dict[Any, Any], int] | None:
    """The object that the text begins with as Python writes it, `{'a': None}`, and where it ends; None where it begins
    with none, or ends within it."""
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth <= 0:
            value = python_value(text[: token.end()])
            return (value, token.end()) if isinstance(value, dict) else None
    return None


def next_row(text: str, place: int, first: Mapping[str, Any]) -> tuple[int | None, int]:
    """Where the next row begins behind the broken one at this place, and how many rows are lost until there; None where
    none follows. first: a whole row of the text, {} where there is none yet.

    An object is a row where it has most of the names that a row has, which what stands within a broken one has not."""
    name = next(iter(first), None) or _first_name(text, place)
    starts = islice(_starts(text, place, name), _MOST_TRIED) if name else ()
    # Read as far as the next row alone: with many broken rows, each would read what follows anew.
    following: Iterable[tuple[int, dict[str, Any]]] = ((start, _object_at(text, start)) for start in starts)
    if not first:
        following = list(following)
        first = max((value for _, value in following), key=len, default={})
    lost = 1
    for start, value in following:
        if len(first.keys() & value.keys()) > _MOST * len(first):
            return start, lost
        lost += not value
    return None, lost


def _first_name(text: str, place: int) -> str:
    """What a broken object tells of its names; "" where there is no object."""
    named = _FIRST_NAME.match(text, place)
    return named[1] if named else ""


def _object_at(text: str, start: int) -> dict[str, Any]:
    """The whole object that begins there; {} where none does."""
    with suppress(ValueError, RecursionError):
        value, _ = json.JSONDecoder().raw_decode(text, start)
        return dict(value)
    written = python_object(text[start : start + LONGEST])
    return written[0] if written is not None else {}


def _starts(text: str, place: int, name: str) -> Iterator[int]:
    pattern = re.compile(r"(?<![\[:{\\])(\{\s*[\"']" + re.escape(name) + r"[\"']\s*:)")
    return (match.start(1) for match in pattern.finditer(text, place + 1))
