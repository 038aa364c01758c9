"""A provider's events, read by litellm's class for it and given as OpenAI's chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.attempt_errors import AttemptError, MalformedReply
from turnout.openai.answers import Body
from turnout.openai.usage import merged_usage
from turnout.upstream import translate
from turnout.upstream.finishes import hidden_finishes


class PartReader:
    """A class's own reading of its provider's events, as OpenAI's chunks."""

    def __init__(self, iterator: Any, model: str) -> None:
        self._parse = iterator.chunk_parser
        self._model = model
        self._frame: Body = {}
        self._usage: Body | None = None
        self._begun: set[int] = set()
        self._calling: set[int] = set()

    def read(self, data: Mapping[str, Any]) -> Body | None:
        own_finishes = hidden_finishes(data)
        try:
            part = self._parse(data)
            chunk, usage = _generic(part) if isinstance(part, dict) else _streamed(part)
        except AttemptError:
            raise
        except Exception as error:
            raise MalformedReply(f"an event of the stream cannot be read: {error_line(error)}") from error
        if usage:
            self._usage = merged_usage(self._usage, usage)
        for choice in chunk["choices"]:
            if choice["finish_reason"]:
                # The classes say `stop` for a word that they do not know, and for none; Gemini's does with every part.
                choice["finish_reason"] = own_finishes.get(choice["index"], choice["finish_reason"])
        for index, fields in self.left_out(data).items():
            choice = next((each for each in chunk["choices"] if each["index"] == index), None)
            if choice is None:
                choice = {"index": index, "delta": {}, "finish_reason": None}
                chunk["choices"].append(choice)
            choice["delta"] |= fields
        return self._stable(chunk)

    def left_out(self, data: Mapping[str, Any]) -> dict[int, Body]:
        """By choice, further fields of an event's delta, which the class leaves out."""
        return {}

    def _stable(self, chunk: Body) -> Body | None:
        """With the stream's first id and date, a role once, no empty delta, and no `stop` after a call."""
        for name in ("id", "created", "model"):
            if chunk.get(name) is not None:
                self._frame.setdefault(name, chunk[name])
        self._frame.setdefault("model", self._model)
        choices = [choice for choice in chunk["choices"] if self._choice(choice)]
        return {"object": "chat.completion.chunk", **self._frame, "choices": choices} if choices else None

    def _choice(self, choice: Body) -> bool:
        delta, index = choice["delta"], choice["index"]
        delta.pop("role", None)
        if delta.get("content") == "":
            del delta["content"]
        if delta.get("tool_calls"):
            self._calling.add(index)
        if choice["finish_reason"] == "stop" and index in self._calling:
            choice["finish_reason"] = "tool_calls"
        if not delta and not choice["finish_reason"]:
            return False
        if index not in self._begun:
            self._begun.add(index)
            choice["delta"] = {"role": "assistant", **delta}
        return True

    def last(self) -> Body | None:
        if not self._usage:
            return None
        return {"object": "chat.completion.chunk", **self._frame, "choices": [], "usage": self._usage}


def _streamed(part: Any) -> tuple[Body, Body | None]:
    """A ModelResponseStream as a chunk and its usage."""
    if part is None:
        return {"choices": []}, None
    usage = getattr(part, "usage", None)
    if usage is None:
        return translate.chunk(part), None
    part.usage = None
    return translate.chunk(part), translate.usage(usage, whole=False)


def _generic(part: Mapping[str, Any]) -> tuple[Body, Body | None]:
    """litellm's GenericStreamingChunk, which knows one text, one tool call, one finish."""
    delta: Body = {"content": part.get("text") or ""}
    if call := part.get("tool_use"):
        function = {name: value for name, value in dict(call["function"]).items() if value is not None}
        names = {name: call[name] for name in ("id", "type") if call.get(name) and (name != "type" or call.get("id"))}
        delta["tool_calls"] = [{"index": call.get("index", 0), **names, "function": function}]
    choice = {"index": 0, "delta": delta, "finish_reason": part.get("finish_reason") or None}
    usage = part.get("usage")
    return {"choices": [choice]}, {**usage} if usage else None


def error_line(error: Exception) -> str:
    """What went wrong, in one line."""
    return f"{type(error).__name__}: {str(error)[:300]}"
