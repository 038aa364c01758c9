"""What a provider's prompt cache knows a request by: marks of what it is to keep (Anthropic's `cache_control`), and one
order of tools, for it compares bytes. Pure. No text is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnout.openai.messages import Message

# Anthropic refuses more in one request.
MOST_MARKS = 4
_MARK: Mapping[str, str] = {"type": "ephemeral"}
_SYSTEM = ("system", "developer")
# Roles of turns whose end the next turn's prompt begins with.
_SPOKEN = ("user", "tool", "function")

Tools = Sequence[Mapping[str, Any]]


def with_marks(messages: Sequence[Message], tools: Tools) -> tuple[tuple[Message, ...], Tools]:
    """The messages and tools with marks at the end of the tools, of the system prompt and of the last two turns, in
    that order, as many as the caller's own leave room for."""
    left = MOST_MARKS - _marks(list(messages)) - _marks(list(tools))
    marked = list(messages)
    if tools and left > 0 and not _marks(list(tools)):
        tools = [*tools[:-1], {**tools[-1], "cache_control": _MARK}]
        left -= 1
    system = [place for place, message in enumerate(marked) if message.get("role") in _SYSTEM][-1:]
    spoken = [place for place, message in enumerate(marked) if message.get("role") in _SPOKEN][-2:]
    for place in (*system, *reversed(spoken)):
        if left > 0 and not _marks(marked[place]) and (message := _marked(marked[place])) is not None:
            marked[place] = message
            left -= 1
    return tuple(marked), tools


def _marked(message: Message) -> Message | None:
    """The message with a mark at its end; None where there is nothing that can bear one."""
    content = message.get("content")
    if isinstance(content, str):
        # An empty text may not bear one.
        if not content:
            return None
        return {**message, "content": [{"type": "text", "text": content, "cache_control": _MARK}]}
    if not isinstance(content, list | tuple) or not content:
        return None
    *before, last = content
    bears = last.get("type") in ("text", "image_url") and last.get("text") != ""
    return {**message, "content": [*before, {**last, "cache_control": _MARK}]} if bears else None


def _marks(value: Any) -> int:
    if isinstance(value, Mapping):
        own = int(bool(value.get("cache_control")))
        return own + sum(_marks(value.get(name)) for name in ("content", "function", "tool_calls"))
    return sum(map(_marks, value)) if isinstance(value, list | tuple) else 0


def in_stable_order(tools: Tools) -> list[Mapping[str, Any]]:
    """The tools by name, the keys of their JSON by the alphabet, whatever order the caller lists them in. The
    properties of a strict tool keep their order, for the model fills them in it; tools keep theirs where the caller
    marked one of them (`cache_control`)."""
    marked = any("cache_control" in tool for tool in tools)
    ordered = list(tools) if marked else sorted(tools, key=_name)
    return [_sorted(tool, strict=bool(_function(tool).get("strict"))) for tool in ordered]


def _function(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = tool.get("function")
    return function if isinstance(function, Mapping) else tool


def _name(tool: Mapping[str, Any]) -> str:
    return str(_function(tool).get("name"))


def _sorted(value: Any, *, strict: bool, keep: bool = False) -> Any:
    """keep: this table's own keys stay in their order."""
    if isinstance(value, Mapping):
        keys = value if keep else sorted(value)
        return {key: _sorted(value[key], strict=strict, keep=strict and key == "properties") for key in keys}
    if isinstance(value, list | tuple):
        return [_sorted(item, strict=strict) for item in value]
    return value
