"""Answers that are OpenAI's already, read as they came: no object is built, unknown fields are kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from turnout.attempt_errors import MalformedReply, ProviderFailed
from turnout.openai.answers import Body

# What ends an answer that failed at the provider, reported in the place of a finish reason.
FAILED = frozenset({"error", "network_error", "insufficient_system_resource", "abort", "ERROR", "TIMEOUT"})
_FINISHES = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
# How open models tell their reasoning where a server does not take it out: DeepSeek's R1 and its like.
_THOUGHT = re.compile(r"<(think|thinking|budget:thinking)>(.*?)</\1>(.*)", re.DOTALL)

MapFinish = Callable[[str], str]
# Beside choices it is none (upstream/failures.py), and a client would take it for one.
ERROR = "error"


def completion(data: Any, map_finish: MapFinish) -> Body:
    """The `chat.completion` that a provider's whole answer is. Raises AttemptError where it is none."""
    choices = data.get("choices") if isinstance(data, Mapping) else None
    if not isinstance(choices, list) or not choices:
        raise MalformedReply("the provider's answer has no choices")
    try:
        body = {name: value for name, value in data.items() if value is not None and name != ERROR}
        body["object"] = "chat.completion"
        if isinstance(body.get("usage"), Mapping):
            body["usage"] = with_total(body["usage"])
        body["choices"] = [_choice(choice, index, map_finish) for index, choice in enumerate(choices)]
    except (AttributeError, LookupError, TypeError) as error:
        raise MalformedReply(f"the provider's answer is not as OpenAI's are: {error}") from error
    return body


def with_total(usage: Mapping[str, Any]) -> Body:
    """The usage with its `total_tokens`, which clients read and some servers leave out."""
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if usage.get("total_tokens") is None and isinstance(prompt, int) and isinstance(completion, int):
        return {**usage, "total_tokens": prompt + completion}
    return {**usage}


def _choice(choice: Mapping[str, Any], index: int, map_finish: MapFinish) -> Body:
    message = {"role": "assistant", "content": None, **_present(choice["message"])}
    _named_reasoning(message)
    content = message["content"]
    if isinstance(content, str) and (thought := _THOUGHT.match(content)):
        message["reasoning_content"], message["content"] = thought[2], thought[3]
    calls = message.get("tool_calls")
    if calls:
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
    finish = finish_reason(choice.get("finish_reason"), called=bool(calls), map_finish=map_finish)
    return {**choice, "index": index, "message": message, "finish_reason": finish or "stop"}


def finish_reason(reason: str | None, *, called: bool, map_finish: MapFinish) -> str | None:
    """OpenAI's finish reason for a provider's; None where none was reported. called: whether the
    answer holds a tool call, with which no finish is `stop`. Raises ProviderFailed for one that means a failure."""
    if reason in FAILED:
        raise ProviderFailed(f"the provider's answer ended with {reason!r}")
    if not reason:
        return "tool_calls" if called and reason == "" else None
    known = reason if reason in _FINISHES else map_finish(reason)
    return "tool_calls" if called and known == "stop" else known


def _present(fields: Mapping[str, Any]) -> Body:
    return {name: value for name, value in fields.items() if value is not None}


def _named_reasoning(fields: Body) -> None:
    """OpenRouter, vLLM and Groq say `reasoning` where DeepSeek, and everybody after it, says `reasoning_content`."""
    if "reasoning" in fields and "reasoning_content" not in fields:
        fields["reasoning_content"] = fields.pop("reasoning")


class ChunkReader:
    """Reads one stream's events. Its usage is held back, to stand alone at the end as OpenAI sends it."""

    def __init__(self, map_finish: MapFinish) -> None:
        self.usage: Body | None = None
        self._map_finish = map_finish
        self._frame: Body = {"object": "chat.completion.chunk"}
        self._calling: set[int] = set()

    def read(self, data: Mapping[str, Any]) -> Body | None:
        """The chunk that an event is; None where it holds nothing but usage. Raises AttemptError."""
        try:
            frame = {name: value for name, value in data.items() if value is not None and name not in ("usage", ERROR)}
            usage = data.get("usage") or (data.get("x_groq") or {}).get("usage")
            if usage:
                self.usage = with_total(usage)
            choices = [self._choice(choice) for choice in data.get("choices") or ()]
        except (AttributeError, TypeError) as error:
            raise MalformedReply(f"the stream's chunk is not as OpenAI's are: {error}") from error
        self._frame = {**frame, "object": "chat.completion.chunk"}
        return {**self._frame, "choices": choices} if choices else None

    def _choice(self, choice: Mapping[str, Any]) -> Body:
        delta = _present(choice.get("delta") or {})
        _named_reasoning(delta)
        index = choice.get("index", 0)
        if delta.get("tool_calls"):
            self._calling.add(index)
        reason = choice.get("finish_reason")
        finish = finish_reason(reason, called=index in self._calling, map_finish=self._map_finish) if reason else None
        return {**_present(choice), "index": index, "delta": delta, "finish_reason": finish}

    def last(self) -> Body | None:
        """The chunk that tells the usage, or None."""
        return {**self._frame, "choices": [], "usage": self.usage} if self.usage else None
