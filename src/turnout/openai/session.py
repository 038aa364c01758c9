"""What a request's conversation is known by: an id that the caller gives, or how the conversation began. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from turnout.openai.messages import Messages, text_of
from turnout.openai.requests import ChatRequest

# Characters of a text by which a conversation's beginning is known, at each end: a long one must cost no time.
_END = 4_000
_ANSWERING = frozenset({"assistant", "tool", "function"})


def take_session_id(request: ChatRequest, header: str, fields: Sequence[str]) -> tuple[str, ChatRequest]:
    """The id that the caller gives its conversation, "" for none, and the request without what names it. The
    first that is given counts: the header (`x-session-id`), `metadata.session_id`, `prompt_cache_key`, the fields."""
    extra = request.extra
    if not extra:
        return header, request
    metadata = extra.get("metadata") or {}
    named = [header, metadata.get("session_id"), *(extra.get(name) for name in ("prompt_cache_key", *fields))]
    given = next((text for value in named if (text := _id(value))), "")
    kept = {name: value for name, value in extra.items() if name != "prompt_cache_key" and name not in fields}
    if "session_id" in metadata:
        kept["metadata"] = {name: value for name, value in metadata.items() if name != "session_id"}
        if not kept["metadata"]:
            del kept["metadata"]
    return given, request if len(kept) == len(extra) and "session_id" not in metadata else replace(request, extra=kept)


def _id(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def opening(messages: Messages) -> Iterable[str]:
    """The texts that a conversation begins with: its system prompt and its first user turn."""
    for message in messages:
        text = text_of(message)
        yield f"{message.get('role')} {len(text)} "
        yield text if len(text) <= 2 * _END else text[:_END] + text[-_END:]
        if message.get("role") == "user":
            return


def has_answer(messages: Messages) -> bool:
    """Whether anybody but the user and the system has spoken: an earlier turn's answer is there."""
    return any(message.get("role") in _ANSWERING for message in messages)


def is_tool_turn(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last message is a tool's result: the turn of a loop that is running."""
    return messages[-1].get("role") in ("tool", "function")
