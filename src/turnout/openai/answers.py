"""OpenAI's answers: complete ones and the chunks of a stream, and how each is made from the other. Pure.

A stream can be served from a stored complete answer (`chunks_of`), and a complete answer from a stream that was read
to its end (`AnswerBuilder`), so one cache entry serves both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

Body = dict[str, Any]
DONE = b"data: [DONE]\n\n"

_LINE_ENDS = [(character.encode(), b"\\u%04x" % ord(character)) for character in "\u0085\u2028\u2029"]

# The fields of a delta that a reader would notice.
_CONTENT = ("content", "tool_calls", "refusal", "function_call", "reasoning_content", "audio")


def dumps(body: Mapping[str, Any]) -> bytes:
    """The compact JSON bytes of an answer. A lone surrogate of the provider's is sent as its escape."""
    try:
        return orjson.dumps(body)
    except TypeError:
        # A lone surrogate, or an integer of more than 64 bits.
        return json.dumps(body, separators=(",", ":")).encode()


def loads(data: bytes) -> Any:
    """The JSON value of a provider's bytes. Raises ValueError."""
    try:
        return orjson.loads(data)
    except ValueError:
        # What only json takes: a lone surrogate's escape, NaN.
        return json.loads(data)


def event(body: Mapping[str, Any]) -> bytes:
    """One server-sent event holding this object, in one line for any reader: what Unicode takes for a line's end, and
    readers such as Python's `splitlines` with it, stands there as JSON's escape."""
    data = dumps(body)
    if not data.isascii():
        for line_end, escape in _LINE_ENDS:
            data = data.replace(line_end, escape)
    return b"data: " + data + b"\n\n"


def is_content(chunk: Mapping[str, Any]) -> bool:
    """Whether the chunk bears content: text, a tool call, a refusal or a finish; not a role alone."""
    for choice in chunk.get("choices") or ():
        if choice.get("finish_reason"):
            return True
        delta = choice.get("delta") or {}
        if any(delta.get(name) for name in _CONTENT):
            return True
    return False


def chunk_text(chunk: Mapping[str, Any]) -> str:
    """The text that the chunk adds to the first choice."""
    for choice in chunk.get("choices") or ():
        if choice.get("index", 0) == 0:
            return (choice.get("delta") or {}).get("content") or ""
    return ""


def body_text(body: Mapping[str, Any]) -> str:
    """The text of the first choice; "" where it holds none (a tool call, a refusal)."""
    for choice in body.get("choices") or ():
        return (choice.get("message") or {}).get("content") or ""
    return ""


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
        delta = {"role": "assistant", **_content_fields(choice.get("message") or {})}
        yield {
            **frame,
            "choices": [{"index": index, "delta": delta, "logprobs": choice.get("logprobs"), "finish_reason": None}],
        }
        yield {
            **frame,
            "choices": [{"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}],
        }
    if include_usage:
        yield {**frame, "choices": [], "usage": body.get("usage")}


def _frame(body: Mapping[str, Any], include_usage: bool) -> Body:
    frame = {
        "id": body.get("id"),
        "object": "chat.completion.chunk",
        "created": body.get("created"),
        "model": body.get("model"),
    }
    if fingerprint := body.get("system_fingerprint"):
        frame["system_fingerprint"] = fingerprint
    if include_usage:
        frame["usage"] = None
    return frame


def _content_fields(message: Mapping[str, Any]) -> Body:
    fields = {name: message[name] for name in _CONTENT if message.get(name) is not None}
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


class AnswerBuilder:
    """Builds the complete answer from the chunks of one stream."""

    def __init__(self) -> None:
        self._frame: Body = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Mapping[str, Any] | None = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        for name in ("id", "created", "model", "system_fingerprint"):
            if chunk.get(name) is not None:
                self._frame.setdefault(name, chunk[name])
        if isinstance(chunk.get("usage"), Mapping):
            self._usage = chunk["usage"]
        for choice in chunk.get("choices") or ():
            index = choice.get("index", 0)
            self._choices.setdefault(index, _Choice()).add(choice)

    @property
    def finished(self) -> bool:
        """Whether each choice that began has its finish reason."""
        return bool(self._choices) and all(choice.finish_reason for choice in self._choices.values())

    @property
    def characters(self) -> int:
        """How many characters of text and of tool arguments there are so far, over all choices."""
        return sum(choice.characters for choice in self._choices.values())

    def body(self) -> Body:
        """The `chat.completion` object of the chunks so far."""
        choices = [{"index": index, **self._choices[index].build()} for index in sorted(self._choices)]
        body = {**self._frame, "object": "chat.completion", "choices": choices}
        if self._usage is not None:
            body["usage"] = dict(self._usage)
        return body


class _Choice:
    """One choice while it grows. Texts are kept in pieces, so that a long stream costs linear time."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.characters = 0
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, _Call] = {}
        self._function_call: _Call | None = None
        self._logprobs: Body = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or {}
        for name in ("content", "refusal", "reasoning_content"):
            if isinstance(text := delta.get(name), str):
                self._texts.setdefault(name, []).append(text)
                self.characters += len(text)
        for call in delta.get("tool_calls") or ():
            self.characters += self._calls.setdefault(call.get("index", 0), _Call()).add(call)
        if isinstance(call := delta.get("function_call"), Mapping):
            self._function_call = self._function_call or _Call()
            self.characters += self._function_call.add({"function": call})
        if isinstance(logprobs := choice.get("logprobs"), Mapping):
            for name, items in logprobs.items():
                if isinstance(items, list):
                    self._logprobs.setdefault(name, []).extend(items)
        if choice.get("finish_reason"):
            self.finish_reason = choice["finish_reason"]

    def build(self) -> Body:
        message: Body = {"role": "assistant", "content": None}
        message |= {name: "".join(texts) for name, texts in self._texts.items()}
        if self._calls:
            message["tool_calls"] = [self._calls[index].build() for index in sorted(self._calls)]
            message["content"] = message["content"] or None
        if self._function_call:
            message["function_call"] = self._function_call.build()["function"]
        return {"message": message, "logprobs": self._logprobs or None, "finish_reason": self.finish_reason}


class _Call:
    """One tool call while it grows."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._type = "function"
        self._texts: dict[str, list[str]] = {"name": [], "arguments": []}

    def add(self, delta: Mapping[str, Any]) -> int:
        """Adds the delta; returns how many characters it holds."""
        self._id = delta.get("id") or self._id
        self._type = delta.get("type") or self._type
        function = delta.get("function") or {}
        characters = 0
        for name, texts in self._texts.items():
            if isinstance(text := function.get(name), str):
                texts.append(text)
                characters += len(text)
        return characters

    def build(self) -> Body:
        function = {name: "".join(texts) for name, texts in self._texts.items()}
        return {"id": self._id, "type": self._type, "function": function}
