"""OpenAI's answers: complete ones and the chunks of a stream, and how each is made from the other. Pure.

A stream can be served from a stored complete answer (`chunks_of`), and a complete answer from a stream that was read
to its end (`builder.AnswerBuilder`), so one cache entry serves both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from turnout.openai.json_size import count_nested, is_too_much

Body = dict[str, Any]
DONE = b"data: [DONE]\n\n"

_LINE_ENDS = [(character.encode(), b"\\u%04x" % ord(character)) for character in "\u0085\u2028\u2029"]

# What a message is without: OpenAI's client knows the role from the first delta, and `index` from where a call stands.
_NOT_CONTENT = frozenset({"role"})
# What a message says in words.
_WRITTEN = ("content", "refusal", "reasoning_content")
# Of a delta, the fields whose pieces make one text.
TEXT_FIELDS = frozenset({"content", "refusal", "reasoning_content", "reasoning"})
# What stands beside an answer's choices, and is not the same in its chunks.
_NOT_FRAME = frozenset({"object", "choices", "usage"})
# What stands beside a choice's message, and has a place of its own in its chunks.
_CHOICE = frozenset({"index", "message", "logprobs", "finish_reason"})


def dumps(body: Mapping[str, Any]) -> bytes:
    """The compact JSON bytes of an answer. A lone surrogate of the provider's is sent as its escape."""
    try:
        return orjson.dumps(body)
    except TypeError:
        # A lone surrogate, or an integer of more than 64 bits.
        return json.dumps(body, separators=(",", ":")).encode()


def loads(data: bytes) -> Any:
    """The JSON value of bytes that `dumps` wrote. Raises ValueError."""
    try:
        return orjson.loads(data)
    except ValueError:
        # What only json takes: a lone surrogate's escape, NaN.
        return json.loads(data)


def load_foreign(data: bytes) -> Any:
    """The JSON value of bytes that somebody else wrote. Raises ValueError, also where it holds more values than are
    read, or is nested so deeply that it could not be written again."""
    if is_too_much(data):
        raise ValueError("it holds too many values")
    try:
        value = loads(data)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    if count_nested(data) > _DEEPEST and _is_too_deep(value):
        raise ValueError(_TOO_DEEP)
    return value


# What orjson writes is at most 254 levels deep, and what it writes stands in objects of ours.
_DEEPEST, _OURS = 200, 54
_TOO_DEEP = "it is nested too deeply"
_NESTED = (dict, list)


def _is_too_deep(value: Any) -> bool:
    inside = value
    for _ in range(_OURS):
        inside = [inside]
    try:
        orjson.dumps(inside)
    except TypeError:
        # Or it holds what only json writes.
        return _is_deeper(value, _DEEPEST)
    return False


def _is_deeper(value: Any, levels: int) -> bool:
    layer = [value]
    while layer and levels >= 0:
        levels -= 1
        layer = [
            inner
            for each in layer
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, _NESTED) and inner
        ]
    return bool(layer)


def one_line(data: bytes) -> bytes:
    """This JSON in one line for any reader: what Unicode takes for a line's end, and readers such as Python's
    `splitlines` with it, stands there as JSON's escape."""
    if not data.isascii():
        for line_end, escape in _LINE_ENDS:
            data = data.replace(line_end, escape)
    return data


def event(body: Mapping[str, Any]) -> bytes:
    """One server-sent event holding this object."""
    return b"data: " + one_line(dumps(body)) + b"\n\n"


def typed_event(body: Mapping[str, Any]) -> bytes:
    """One server-sent event holding this object, named by its `type`."""
    name: str = body["type"]
    return b"event: " + name.encode() + b"\n" + event(body)


def is_content(chunk: Mapping[str, Any]) -> bool:
    """Whether the chunk bears content: text, a tool call, a refusal, whatever else, or a finish; not a role alone. A
    call of a tool that the provider runs counts as soon as it begins."""
    if any("_call" in event["type"] for event in chunk.get("response_events") or ()):
        return True
    for choice in chunk.get("choices") or ():
        if choice.get("finish_reason"):
            return True
        delta = choice.get("delta") or {}
        if any(value and name not in _NOT_CONTENT for name, value in delta.items()):
            return True
    return False


def chunk_text(chunk: Mapping[str, Any]) -> str:
    """The text that the chunk adds to the first choice."""
    for choice in chunk.get("choices") or ():
        if choice.get("index", 0) == 0:
            return _text((choice.get("delta") or {}).get("content"))
    return ""


def body_text(body: Mapping[str, Any]) -> str:
    """The text of the first choice; "" where it holds none (a tool call, a refusal)."""
    for choice in body.get("choices") or ():
        return _text((choice.get("message") or {}).get("content"))
    return ""


def _text(content: Any) -> str:
    """The text of a message's content, which some providers give as parts; "" where it is neither."""
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def count_characters(body: Mapping[str, Any]) -> int | None:
    """How many characters of text and of tool arguments the answer holds; None where it holds nothing at all."""
    messages = [choice.get("message") or {} for choice in body.get("choices") or ()]
    if not any(value for message in messages for name, value in message.items() if name not in _NOT_CONTENT):
        return None
    said = sum(len(_text(message.get(name))) for message in messages for name in _WRITTEN)
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    parts = [call.get(part) or {} for call in calls for part in ("function", "custom")]
    return said + sum(len(value) for part in parts for value in part.values() if isinstance(value, str))


def without_finish(chunk: Mapping[str, Any]) -> Body:
    """The chunk as one of a stream that goes on."""
    return {**chunk, "choices": [{**choice, "finish_reason": None} for choice in chunk["choices"]]}


def finish_reason(body: Mapping[str, Any]) -> str | None:
    """The first choice's finish reason."""
    for choice in body.get("choices") or ():
        reason: str | None = choice.get("finish_reason")
        return reason
    return None


def chunks_of(body: Mapping[str, Any], *, include_usage: bool) -> Iterator[Body]:
    """The chunks that stream this complete answer: per choice its content and its finish, then the usage."""
    frame = _frame(body, include_usage)
    for choice in body.get("choices") or ():
        index = choice.get("index", 0)
        beside = {name: value for name, value in choice.items() if name not in _CHOICE}
        delta = {"role": "assistant", **_content_fields(choice.get("message") or {})}
        yield {
            **frame,
            "choices": [{"index": index, "delta": delta, "logprobs": choice.get("logprobs"), "finish_reason": None}],
        }
        yield {
            **frame,
            "choices": [{"index": index, "delta": {}, **beside, "finish_reason": choice.get("finish_reason")}],
        }
    if include_usage:
        yield {**frame, "choices": [], "usage": body.get("usage")}


def _frame(body: Mapping[str, Any], include_usage: bool) -> Body:
    known = {"id": None, "created": None, "model": None}
    rest = {name: value for name, value in body.items() if name not in _NOT_FRAME and value is not None}
    frame = {**known, **rest, "object": "chat.completion.chunk"}
    if include_usage:
        frame["usage"] = None
    return frame


def _content_fields(message: Mapping[str, Any]) -> Body:
    fields = {name: value for name, value in message.items() if value is not None and name not in _NOT_CONTENT}
    if calls := fields.get("tool_calls"):
        fields["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
    return fields


def as_sent(chunk: Mapping[str, Any], *, include_usage: bool) -> Body | None:
    """The chunk as this caller asked for it: the usage only where asked for, `null` on all but the last.

    None where nothing is left of it to send.
    """
    bare = {name: value for name, value in chunk.items() if name != "usage"}
    if chunk.get("choices"):
        return {**bare, "usage": None} if include_usage else bare
    if include_usage and chunk.get("usage"):
        return {**bare, "choices": [], "usage": chunk["usage"]}
    return None
