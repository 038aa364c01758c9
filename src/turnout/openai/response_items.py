"""What of OpenAI's Responses protocol a chat completion has no place for, and where a chat carries it. Pure.

A message carries the items that it was made of as `response_items`, as they came: reasoning, encrypted or plain, and
what tools did that the provider runs. A chunk carries the provider's own events as `response_events` beside its
choices. Neither is sent to a chat model or to a caller of chat completions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from turnout.openai.answers import Body, dumps, loads

ITEMS = "response_items"
EVENTS = "response_events"
_MARK = f'"{ITEMS}":'.encode()
# What a chat completion can say: all other items are the provider's own.
_CHAT_ITEMS = frozenset({"message", "function_call"})
# Parts of a message that stand as they came: they name what only the provider holds.
OWN_PARTS = frozenset({"input_file", "input_image"})
# Of `include`: for the turns that follow.
ENCRYPTED = "reasoning.encrypted_content"


def can_be_given_back(item: Mapping[str, Any]) -> bool:
    """Whether a reasoning item holds its reasoning; an id and a summary alone are nothing that a model can read."""
    return bool(item.get("encrypted_content") or item.get("content"))


def are_more_than_chat(items: Iterable[Mapping[str, Any]]) -> bool:
    """Whether these items of one turn say more than a chat's message can."""
    for item in items:
        kind = item.get("type", "message")
        if kind == "reasoning":
            if can_be_given_back(item):
                return True
        elif kind not in _CHAT_ITEMS or item.get("phase"):
            return True
    return False


def are_readable(items: Any) -> bool:
    """Whether these are output items in which all that is read here stands where it belongs."""
    return isinstance(items, list) and all(isinstance(item, Mapping) and _is_readable(item) for item in items)


def _is_readable(item: Mapping[str, Any]) -> bool:
    match item.get("type"):
        case "message":
            parts = item.get("content")
            return isinstance(parts, list) and all(
                isinstance(part, Mapping)
                and isinstance(part.get("type"), str)
                and isinstance(part.get("refusal" if part["type"] == "refusal" else "text"), str)
                for part in parts
            )
        case "reasoning":
            parts = item.get("summary") or []
            return isinstance(parts, list) and all(
                isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in parts
            )
        case "function_call":
            return all(isinstance(item.get(name), str) for name in ("call_id", "name", "arguments"))
        case kind:
            return isinstance(kind, str)


def turn_of(items: Sequence[Mapping[str, Any]]) -> list[Body]:
    """The output items of one turn as the message of a chat that goes on; none where nothing was said."""
    texts: list[str] = []
    calls: list[Body] = []
    for item in items:
        content = item.get("content")
        if item.get("type", "message") == "message":
            texts += [content] if isinstance(content, str) else map(_said, content or ())
        elif item.get("type") == "function_call":
            function = {"name": item["name"], "arguments": item["arguments"]}
            calls.append({"id": item["call_id"], "type": "function", "function": function})
    text = "".join(texts)
    carried = {ITEMS: [dict(item) for item in items]} if are_more_than_chat(items) else {}
    if not (text or calls or carried):
        return []
    return [{"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {}), **carried}]


def _said(part: Mapping[str, Any]) -> str:
    said = part.get("text") or part.get("refusal")
    return said if isinstance(said, str) else ""


def missing_place(
    messages: Iterable[Mapping[str, Any]], params: Mapping[str, Any], beside: Mapping[str, Any]
) -> str | None:
    """The parameter of a Responses request that no chat completion can ask for; None where all can be asked so. beside:
    what stands beside the chat (`ChatRequest.beside_chat`)."""
    if any("function" not in tool for tool in params.get("tools") or ()):
        return "tools"
    for name in ("tool_choice", "truncation"):
        if name in beside:
            return name
    for message in messages:
        if ITEMS in message and message.get("role") != "assistant":
            return "input"
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") in OWN_PARTS for part in content):
            return "input"
    return None


def chat_messages(messages: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The messages as a chat model takes them: what only another provider can read is left out."""
    bare = []
    for message in messages:
        if ITEMS in message:
            message = {name: value for name, value in message.items() if name != ITEMS}
            if message.get("content") is None and not message.get("tool_calls"):
                continue
        bare.append(message)
    return tuple(bare)


def chat_answer(body: bytes) -> bytes:
    """The `chat.completion` JSON as callers of chat completions get it."""
    # No text holds the mark: there its quotes are escaped.
    if _MARK not in body:
        return body
    answer = loads(body)
    for choice in answer["choices"]:
        choice["message"].pop(ITEMS, None)
    return dumps(answer)


def chat_chunk(chunk: Mapping[str, Any]) -> Body | None:
    """The chunk as callers of chat completions get it; None where nothing is left of it."""
    bare = {name: value for name, value in chunk.items() if name != EVENTS}
    choices = [_bare(choice) for choice in chunk.get("choices") or ()]
    kept = [choice for choice in choices if choice.get("delta") or choice.get("finish_reason")]
    return {**bare, "choices": kept} if kept or not choices else None


def _bare(choice: Mapping[str, Any]) -> Body:
    delta = {name: value for name, value in (choice.get("delta") or {}).items() if name != ITEMS}
    return {**choice, "delta": delta}
