"""Answers that are OpenAI's already, read as they came: no object is built, unknown fields are kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from turnout.attempt_errors import MalformedReply, NoAnswer
from turnout.openai.answers import Body
from turnout.openai.usage import merged_usage
from turnout.upstream.finishes import to_openai_finish

# How open models tell their reasoning where a server does not take it out: DeepSeek's R1 and its like.
_THOUGHT = re.compile(r"<(think|thinking|budget:thinking)>(.*?)</\1>(.*)", re.DOTALL)

# Beside choices it is none (upstream/failures.py), and a client would take it for one.
ERROR = "error"


def completion(data: Any) -> Body:
    """The `chat.completion` that a provider's whole answer is. Raises AttemptError where it is none."""
    choices = data.get("choices") if isinstance(data, Mapping) else None
    if not isinstance(choices, list) or not choices:
        raise (NoAnswer if choices == [] else MalformedReply)("the provider's answer has no choices")
    try:
        body = {name: value for name, value in data.items() if value is not None and name != ERROR}
        body["object"] = "chat.completion"
        body["choices"] = [_choice(choice, index) for index, choice in enumerate(choices)]
    except (AttributeError, LookupError, TypeError) as error:
        raise MalformedReply(f"the provider's answer is not as OpenAI's are: {error}") from error
    return body


def _choice(choice: Mapping[str, Any], index: int) -> Body:
    message = {"role": "assistant", "content": None, **_present(choice["message"])}
    _named_reasoning(message)
    content = message["content"]
    if isinstance(content, str) and (thought := _THOUGHT.match(content)):
        message["reasoning_content"], message["content"] = thought[2], thought[3]
    calls = message.get("tool_calls")
    if calls:
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
    finish = to_openai_finish(choice.get("finish_reason"), called=bool(calls))
    return {**choice, "index": index, "message": message, "finish_reason": finish}


def _present(fields: Mapping[str, Any]) -> Body:
    return {name: value for name, value in fields.items() if value is not None}


def _named_reasoning(fields: Body) -> None:
    """OpenRouter, vLLM and Groq say `reasoning` where DeepSeek, and everybody after it, says `reasoning_content`."""
    if "reasoning" in fields and "reasoning_content" not in fields:
        fields["reasoning_content"] = fields.pop("reasoning")


class ChunkReader:
    """Reads one stream's events. Its usage is held back, to stand alone at the end as OpenAI sends it."""

    def __init__(self) -> None:
        self.usage: Body | None = None
        self._frame: Body = {"object": "chat.completion.chunk"}
        self._calling: set[int] = set()

    def read(self, data: Mapping[str, Any]) -> Body | None:
        """The chunk that an event is; None where it holds nothing but usage. Raises AttemptError."""
        try:
            frame = {name: value for name, value in data.items() if value is not None and name not in ("usage", ERROR)}
            usage = data.get("usage") or (data.get("x_groq") or {}).get("usage")
            if isinstance(usage, Mapping):
                self.usage = merged_usage(self.usage, usage)
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
        finish = to_openai_finish(reason, called=index in self._calling) if reason else None
        return {**_present(choice), "index": index, "delta": delta, "finish_reason": finish}

    def last(self) -> Body | None:
        """The chunk that tells the usage, or None."""
        return {**self._frame, "choices": [], "usage": self.usage} if self.usage else None
