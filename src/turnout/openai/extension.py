"""The body field `turnout` of a request: what a caller asks of Turnout itself. Never sent on to a provider. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from turnout.errors import InvalidRequest

# Returns what is wrong with a value, or None.
Check = Callable[[Any], str | None]


# A tag stands for a feature of the app; it is kept with every decision and answer.
LONGEST_TAG = 256


def _tag(value: Any) -> str | None:
    good = isinstance(value, str) and len(value) <= LONGEST_TAG
    return None if good else f"must be a text of at most {LONGEST_TAG} characters"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a text"


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _tier(value: Any) -> str | None:
    return None if value in ("cheap", "expensive") else 'must be "cheap" or "expensive"'


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _share(value: Any) -> str | None:
    return None if _is_number(value) and 0 <= value <= 1 else "must be a number between 0 and 1"


def _milliseconds(value: Any) -> str | None:
    return None if _is_number(value) and value > 0 else "must be a number of milliseconds above 0"


def _priority(value: Any) -> str | None:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 9
    return None if good else "must be a whole number from 0 to 9"


# What a model may do without and still answer the question.
OPTIONAL = ("logprobs", "reasoning_effort", "top_logprobs")


def _optional(value: Any) -> str | None:
    good = isinstance(value, list) and all(name in OPTIONAL for name in value)
    return None if good else f"must be a list of some of {', '.join(OPTIONAL)}"


KEYS: Mapping[str, Check] = {
    "cache": _boolean,
    "deadline_ms": _milliseconds,
    "optional": _optional,
    "priority": _priority,
    "semantic": _boolean,
    "tag": _tag,
    "threshold": _share,
    "tier": _tier,
    "webhook_url": _text,
}


def check_extension(extension: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object without its nulls. Raises InvalidRequest, whose `param` names the key that is unknown or wrong."""
    for name, value in extension.items():
        check = KEYS.get(name)
        where = f"turnout.{name[:40]}"
        if check is None:
            raise InvalidRequest(f"{where} is not known; known are {', '.join(KEYS)}", param=where)
        # OpenAI takes null for an absent value everywhere.
        if value is not None and (problem := check(value)):
            raise InvalidRequest(f"{where} {problem}", param=where)
    return {name: value for name, value in extension.items() if value is not None}
