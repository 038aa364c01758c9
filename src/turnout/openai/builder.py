"""Builds a complete answer from the chunks of one stream, as OpenAI's own client would, or says that it is not exact.

Fields that nobody here knows are kept. Texts that are known to come in pieces are joined; of a field that comes twice
and has no known way of joining, the last is kept and the answer is not `exact`: it is delivered, and not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.openai.answers import Body, is_content

_TEXTS = frozenset({"content", "refusal", "reasoning_content", "reasoning"})
_CALL_TEXTS = frozenset({"name", "arguments", "input"})
# The first of these counts; of what else a chunk holds beside its choices, the last.
_FRAME = frozenset({"id", "created", "model", "system_fingerprint"})
_NOT_KEPT = frozenset({"choices", "usage", "object", "obfuscation", "response_events"})


class AnswerBuilder:
    """The answer so far. `exact`: whether `body` is what the stream says, whoever reads it. bears_content: whether
    there is more than roles, such as text, a call, an image or sound."""

    def __init__(self) -> None:
        self._frame: Body = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Mapping[str, Any] | None = None
        self.bears_content = False

    def add(self, chunk: Mapping[str, Any]) -> None:
        for name, value in chunk.items():
            if value is None or name in _NOT_KEPT:
                continue
            if name in _FRAME:
                self._frame.setdefault(name, value)
            else:
                self._frame[name] = value
        if isinstance(chunk.get("usage"), Mapping):
            self._usage = chunk["usage"]
        self.bears_content = self.bears_content or is_content(chunk)
        for choice in chunk.get("choices") or ():
            index = _number(choice.get("index")) or 0
            if (known := self._choices.get(index)) is None:
                known = self._choices[index] = _Choice()
            known.add(choice)

    @property
    def finished(self) -> bool:
        """Whether each choice that began has its finish reason."""
        return bool(self._choices) and all(choice.finish_reason for choice in self._choices.values())

    @property
    def begun_to_finish(self) -> bool:
        """Whether any choice has its finish reason."""
        return any(choice.finish_reason for choice in self._choices.values())

    @property
    def exact(self) -> bool:
        return all(choice.exact for choice in self._choices.values())

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


class _Fields:
    """The fields of one growing object. Texts are kept in pieces, so that a long stream costs linear time."""

    def __init__(self, texts: frozenset[str]) -> None:
        self.exact = True
        self.characters = 0
        self._joined = texts
        self._texts: dict[str, list[str]] = {}
        self._others: Body = {}

    def add(self, name: str, value: Any) -> None:
        if isinstance(value, str) and name in self._joined:
            self._texts.setdefault(name, []).append(value)
            self.characters += len(value)
        elif name not in self._others:
            self._others[name] = value
        elif self._others[name] != value:
            self._others[name] = value
            self.exact = False

    def text(self, name: str) -> str:
        return "".join(self._texts.get(name, ()))

    def build(self) -> Body:
        return {**self._others, **{name: "".join(texts) for name, texts in self._texts.items()}}


def _number(index: Any) -> int | None:
    """An index as a number, also where a server sends it as a text; None where it is none."""
    if isinstance(index, str) and index.isascii() and index.isdigit():
        return int(index[:9])
    return index if isinstance(index, int) and not isinstance(index, bool) else None


class _Choice:
    """One choice while it grows."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._message = _Fields(_TEXTS)
        self._beside: Body = {}
        self._calls: list[_Call] = []
        self._function_call: _Fields | None = None
        self._audio: _Audio | None = None
        self._lists: dict[str, list[Any]] = {}
        self._logprobs: Body = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        for name, value in (choice.get("delta") or {}).items():
            if value is not None and name != "role":
                self._add_field(name, value)
        for name, value in choice.items():
            if value is None or name in ("index", "delta"):
                continue
            if name == "finish_reason":
                self.finish_reason = value or self.finish_reason
            elif name == "logprobs" and isinstance(value, Mapping):
                self._add_logprobs(value)
            else:
                self._beside[name] = value

    def _add_field(self, name: str, value: Any) -> None:
        if name == "tool_calls" and isinstance(value, list):
            for call in value:
                self._add_call(call)
        elif name == "function_call" and isinstance(value, Mapping):
            self._function_call = self._function_call or _Fields(_CALL_TEXTS)
            for part, text in value.items():
                self._function_call.add(part, text)
        elif name == "audio" and isinstance(value, Mapping):
            self._audio = self._audio or _Audio()
            self._audio.add(value)
        elif name == "thinking_blocks" and isinstance(value, list):
            self._add_thinking(value)
        elif isinstance(value, list) and not any(isinstance(item, Mapping) and "index" in item for item in value):
            self._lists.setdefault(name, []).extend(value)
        else:
            self._message.add(name, value)

    def _add_call(self, delta: Mapping[str, Any]) -> None:
        index, call_id = _number(delta.get("index")), delta.get("id")
        mine = [call for call in self._calls if index is None or call.index == index]
        if not mine or (call_id and mine[-1].id and mine[-1].id != call_id):
            # A new id begins a new call, whatever index it bears: some servers count none.
            mine = [_Call(len(self._calls) if index is None else index)]
            self._calls.append(mine[-1])
        mine[-1].add(delta)

    def _add_thinking(self, blocks: list[Any]) -> None:
        """A block goes on until its signature."""
        known = self._lists.setdefault("thinking_blocks", [])
        for block in blocks:
            last = known[-1] if known else None
            if not isinstance(block, Mapping) or block.get("type") != "thinking":
                known.append(block)
            elif last is None or last.get("type") != "thinking" or last.get("signature"):
                known.append(dict(block))
            else:
                last["thinking"] = (last.get("thinking") or "") + (block.get("thinking") or "")
                last |= {name: value for name, value in block.items() if value and name not in ("type", "thinking")}

    def _add_logprobs(self, logprobs: Mapping[str, Any]) -> None:
        for name, items in logprobs.items():
            if isinstance(items, list):
                self._logprobs.setdefault(name, []).extend(items)

    @property
    def exact(self) -> bool:
        fields = (self._message, self._function_call, self._audio)
        return all(part.exact for part in fields if part) and all(call.exact for call in self._calls)

    @property
    def characters(self) -> int:
        called = sum(call.characters for call in self._calls)
        return self._message.characters + called + (self._function_call.characters if self._function_call else 0)

    def build(self) -> Body:
        message: Body = {"role": "assistant", "content": None, **self._lists, **self._message.build()}
        if self._calls:
            message["tool_calls"] = [call.build() for call in sorted(self._calls, key=lambda call: call.index)]
            message["content"] = message["content"] or None
        if self._function_call:
            message["function_call"] = self._function_call.build()
        if self._audio:
            message["audio"] = self._audio.build()
        return {
            "message": message,
            "logprobs": self._logprobs or None,
            **self._beside,
            "finish_reason": self.finish_reason,
        }


class _Call:
    """One tool call while it grows: a function's name and arguments, a custom tool's name and input."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.id: str | None = None
        self._beside = _Fields(frozenset())
        self._parts: dict[str, _Fields] = {}

    def add(self, delta: Mapping[str, Any]) -> None:
        for name, value in delta.items():
            if value is None or name == "index":
                continue
            if name == "id":
                self.id = value or self.id
            elif name in ("function", "custom") and isinstance(value, Mapping):
                self._add_part(self._parts.setdefault(name, _Fields(_CALL_TEXTS)), value)
            else:
                self._beside.add(name, value)

    def _add_part(self, part: _Fields, delta: Mapping[str, Any]) -> None:
        for name, value in delta.items():
            if name == "name" and value and part.text("name") == value:
                # Sent again with each delta; only a name of two equal halves that comes in pieces would look the same.
                continue
            if value is not None:
                part.add(name, value)

    @property
    def exact(self) -> bool:
        return self._beside.exact and all(part.exact for part in self._parts.values())

    @property
    def characters(self) -> int:
        return sum(part.characters for part in self._parts.values())

    def build(self) -> Body:
        built = {"id": self.id, "type": "custom" if "custom" in self._parts else "function", **self._beside.build()}
        parts = {name: part.build() for name, part in self._parts.items()}
        if "function" in parts or not parts:
            parts["function"] = {"name": "", "arguments": "", **parts.get("function", {})}
        return {**built, **parts}


class _Audio(_Fields):
    """An answer's sound: base64 and transcript come in pieces; base64 can be joined where no piece is padded."""

    def __init__(self) -> None:
        super().__init__(frozenset({"data", "transcript"}))
        self._padded = False

    def add(self, fields: Mapping[str, Any]) -> None:  # type: ignore[override]
        for name, value in fields.items():
            if value is None:
                continue
            if name == "data":
                self.exact = self.exact and not self._padded and isinstance(value, str)
                self._padded = isinstance(value, str) and (value.endswith("=") or len(value) % 4 != 0)
            super().add(name, value)
