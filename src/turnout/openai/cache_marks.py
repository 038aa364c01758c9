"""Marks of what a provider is to keep in its prompt cache (Anthropic's `cache_control`). Pure. No text is changed."""

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
