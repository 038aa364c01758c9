"""What a request's conversation is known by: an id that the caller gives, or how the conversation began. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from turnout.openai.human_words import example_length, words_of
from turnout.openai.messages import Messages, text_of
from turnout.openai.requests import ChatRequest

# Characters of a text by which a conversation's beginning is known, at each end: a long one must cost no time.
_END = 4_000
# Messages among which the first human turn is looked for.
_MOST_OPENING = 20
_SYSTEM = frozenset({"system", "developer"})
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
    """The texts that a conversation begins with: its system prompt and the first turn of a human, without what agents
    wrap around it; the first user turn where no human spoke."""
    contents = (message.get("content") for message in messages)
    example = example_length(content if isinstance(content, str) else "" for content in contents)
    for at, message in enumerate(messages[:_MOST_OPENING]):
        if at < example and message.get("role") not in _SYSTEM:
            continue
        text = words_of(message)
        spoken = message.get("role") == "user"
        if spoken and not text:
            continue
        yield f"{message.get('role')} {len(text)} "
        yield text if len(text) <= 2 * _END else text[:_END] + text[-_END:]
        if spoken:
            return
    yield "".join(text_of(message)[:_END] for message in messages[:_MOST_OPENING] if message.get("role") == "user")


def has_answer(messages: Messages) -> bool:
    """Whether anybody but the user and the system has spoken: an earlier turn's answer is there."""
    return any(message.get("role") in _ANSWERING for message in messages)


def is_tool_turn(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it is the turn of a loop that is running: the last message is a tool's result, or a user's that holds no
    human's words, such as a reminder or a result told as text; or an answer that is to be continued."""
    role = messages[-1].get("role")
    return role in ("tool", "function", "assistant") or (
        role == "user" and len(messages) > 1 and not words_of(messages[-1])
    )
