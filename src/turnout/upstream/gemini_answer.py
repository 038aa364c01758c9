"""What litellm's class for Gemini cannot read of its answers and events, and what it leaves out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from turnout.openai.answers import Body

_CODE = ("executableCode", "codeExecutionResult")


def mend_gemini(data: Any) -> bool:
    """Makes of an answer, or of an event, what the class reads: arguments of each call, a list of parts, counts that
    are numbers or none at all. Whether there was anything to mend."""
    if not isinstance(data, dict):
        return False
    found = _mend_usage(data)
    for candidate in _candidates(data):
        content = candidate.get("content")
        if isinstance(content, dict) and "parts" in content and not isinstance(content["parts"], list):
            content["parts"], found = [], True
    return add_arguments(data) or found


def add_arguments(data: Any) -> bool:
    """Gives each call of a tool that takes none an empty object, which Gemini leaves out and the class cannot read;
    whether there was one."""
    found = False
    for candidate in _candidates(data):
        for part in _parts(candidate):
            call = part.get("functionCall")
            if isinstance(call, dict) and call.get("args") is None:
                call["args"] = {}
                found = True
    return found


def _mend_usage(data: Body) -> bool:
    if "usageMetadata" not in data:
        return False
    usage = data["usageMetadata"]
    read = _readable(usage) if isinstance(usage, dict) else {}
    data["usageMetadata"] = read
    return bool(read != usage)


def _readable(usage: Body) -> Body:
    """The usage with its counts as numbers; empty where one is no number."""
    readable: Body = {}
    for name, value in usage.items():
        if name.endswith("Count") and value is not None:
            if isinstance(value, str) and value.isascii() and value.isdigit():
                value = int(value[:18])
            if not isinstance(value, int) or isinstance(value, bool):
                return {}
        elif name.endswith("Details") and not _are_details(value):
            continue
        if value is not None:
            readable[name] = value
    return readable


def _are_details(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict) and isinstance(each.get("tokenCount", 0), int) for each in value
    )


def left_out(data: Any) -> dict[int, Body]:
    """By choice, the fields of a message or a delta for what the class leaves out: the code that Gemini ran and what
    came of it, and what a search has found."""
    fields: dict[int, Body] = {}
    for at, candidate in enumerate(_candidates(data)):
        index = candidate.get("index")
        code = [{name: part[name] for name in _CODE if name in part} for part in _parts(candidate)]
        ran = [each for each in code if each]
        own: Body = {"code_execution": ran} if ran else {}
        if found := candidate.get("groundingMetadata"):
            own["grounding_metadata"] = found
        if own:
            fields[index if isinstance(index, int) else at] = own
    return fields


def add_left_out(body: Body, data: Any) -> None:
    """Puts it into the messages of a `chat.completion`."""
    fields = left_out(data)
    for choice in body["choices"]:
        choice["message"] |= fields.get(choice["index"], {})


def _candidates(data: Any) -> Iterator[Body]:
    candidates = data.get("candidates") if isinstance(data, Mapping) else None
    yield from (each for each in (candidates if isinstance(candidates, list) else ()) if isinstance(each, dict))


def _parts(candidate: Body) -> Iterator[Body]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    yield from (each for each in (parts if isinstance(parts, list) else ()) if isinstance(each, dict))
