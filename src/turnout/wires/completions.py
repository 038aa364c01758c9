"""OpenAI's legacy `POST /v1/completions`: a text asked for as a chat of one message, and its answers. Pure.

Field names: the OpenAI API reference, "Completions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnout.errors import InvalidRequest, ServedError
from turnout.openai.answers import DONE, Body, event
from turnout.wires.chunks import text_in
from turnout.wires.fields import named_fields, refuse_others

_SAME = (
    *("model", "max_tokens", "temperature", "top_p", "n", "stream", "stream_options", "stop", "presence_penalty"),
    *("frequency_penalty", "logit_bias", "seed", "user", "turnout"),
)
# What a chat cannot be asked for, and the values that ask for nothing.
_NOTHING: Mapping[str, tuple[Any, ...]] = {"echo": (False,), "best_of": (1,), "suffix": ("",), "logprobs": ()}


def to_chat(body: Mapping[str, Any], conversation_fields: Sequence[str] = ()) -> dict[str, Any]:
    """The body of a chat completion whose only message is the prompt. conversation_fields: what the settings name a
    conversation by, carried on. Raises InvalidRequest for what cannot be asked
    so: several prompts, tokens, an echo, probabilities."""
    refuse_others(body, {*_SAME, *_NOTHING, "prompt", *conversation_fields}, "")
    for name, harmless in _NOTHING.items():
        if body.get(name) is not None and body[name] not in harmless:
            raise InvalidRequest(f"{name} is not supported on this path: it is answered by chat models", param=name)
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise InvalidRequest("prompt must be one text: send several, or tokens, one by one as texts", param="prompt")
    messages = [{"role": "user", "content": prompt}]
    return {"messages": messages, **named_fields(body, (*_SAME, *conversation_fields))}


def to_completion(answer: Mapping[str, Any]) -> Body:
    """The `text_completion` of a whole answer, or of a chunk."""
    choices = [_choice(choice) for choice in answer.get("choices") or ()]
    usage = {"usage": answer["usage"]} if "usage" in answer else {}
    return {**{name: answer.get(name) for name in ("id", "created", "model")}, **_FRAME, "choices": choices, **usage}


_FRAME = {"object": "text_completion"}


def _choice(choice: Mapping[str, Any]) -> Body:
    said = choice.get("message") or choice.get("delta") or {}
    return {
        "text": text_in(said.get("content")) or text_in(said.get("refusal")),
        "index": choice.get("index", 0),
        "logprobs": None,
        "finish_reason": choice.get("finish_reason"),
    }


class CompletionEvents:
    """The events of a streamed answer. include_usage: whether the usage was asked for."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def feed(self, chunk: Mapping[str, Any]) -> bytes:
        """The event of this chunk."""
        if self._include_usage:
            return event(to_completion(chunk))
        bare = {name: value for name, value in chunk.items() if name != "usage"}
        return event(to_completion(bare)) if bare.get("choices") else b""

    def end(self) -> bytes:
        """The mark of a stream's end."""
        return DONE

    def fail(self, error: ServedError) -> bytes:
        """The event of a stream that breaks off."""
        return event(error.to_openai())
