"""Builds a complete answer from the chunks of one stream, as OpenAI's own client would, or says that it is not exact.

Fields that nobody here knows are kept. Texts that are known to come in pieces are joined; of a field that comes twice
and has no known way of joining, the last is kept and the answer is not `exact`: it is delivered, and not stored. The
chunks are in the form that `upstream/answer_form.py` gives them: each call has its own index, its id and its name once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.openai.answers import TEXT_FIELDS, Body, is_content
from turnout.openai.usage import merged_usage

_CALL_TEXTS = frozenset({"name", "arguments", "input"})
# What clients keep one of, however often it is told.
_SAME = frozenset({"type"})
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
            self._usage = merged_usage(self._usage, chunk["usage"])
        self.bears_content = self.bears_content or is_content(chunk)
        for choice in chunk.get("choices") or ():
            self._choices.setdefault(choice.get("index", 0), _Choice()).add(choice)

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
            self.exact = self.exact and name not in self._others
        else:
            # Told again it may be the same once more, or its next piece.
            repeated = name in self._others and not (name in _SAME and self._others[name] == value)
            self.exact = self.exact and not repeated and name not in self._texts
            self._others[name] = value

    @property
    def names(self) -> frozenset[str]:
        return frozenset({*self._texts, *self._others})

    def build(self) -> Body:
        return {**self._others, **{name: "".join(texts) for name, texts in self._texts.items()}}


class _Choice:
    """One choice while it grows."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._message = _Fields(TEXT_FIELDS)
        self._beside: Body = {}
        self._finished_once = True
        self._calls: dict[int, _Call] = {}
        self._function_call: _Fields | None = None
        self._audio: _Audio | None = None
        self._lists: dict[str, list[Any]] = {}
        self._logprobs: Body = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        for name, value in (choice.get("delta") or {}).items():
            if value is not None and name != "role":
                self._add_field(name, value)
        for name, value in choice.items():
            if value is None or name in ("index", "delta", "message"):
                continue
            if name == "finish_reason":
                self._finished_once = self._finished_once and self.finish_reason in (None, value)
                self.finish_reason = value or self.finish_reason
            elif name == "logprobs" and isinstance(value, Mapping):
                self._add_logprobs(value)
            else:
                self._beside[name] = value

    def _add_field(self, name: str, value: Any) -> None:
        if name == "tool_calls" and isinstance(value, list):
            for call in value:
                self._calls.setdefault(call["index"], _Call()).add(call)
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
        if not self._finished_once or self._lists.keys() & self._message.names:
            return False
        fields = (self._message, self._function_call, self._audio)
        return all(part.exact for part in fields if part) and all(call.exact for call in self._calls.values())

    @property
    def characters(self) -> int:
        called = sum(call.characters for call in self._calls.values())
        return self._message.characters + called + (self._function_call.characters if self._function_call else 0)

    def build(self) -> Body:
        message: Body = {"role": "assistant", "content": None, **self._lists, **self._message.build()}
        if self._calls:
            message["tool_calls"] = [self._calls[index].build() for index in sorted(self._calls)]
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

    def __init__(self) -> None:
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
                part = self._parts.setdefault(name, _Fields(_CALL_TEXTS))
                for field, text in value.items():
                    if text is not None:
                        part.add(field, text)
            else:
                self._beside.add(name, value)

    @property
    def exact(self) -> bool:
        return self._beside.exact and all(part.exact for part in self._parts.values())

    @property
    def characters(self) -> int:
        return sum(part.characters for part in self._parts.values())

    def build(self) -> Body:
        built = {"id": self.id, "type": "custom" if "custom" in self._parts else "function", **self._beside.build()}
        parts = {name: part.build() for name, part in self._parts.items()}
        if "function" in parts or (not parts and built["type"] == "function"):
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
