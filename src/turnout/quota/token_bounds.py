"""The most that a call can use: tokens of its prompt and of its answer, whoever counts them. Pure.

A tokenizer that works on bytes never makes more tokens of a text than its UTF-8 has bytes; one that normalizes
first (NFKC), than the normalized text has. What a provider wraps around the text is bounded by the constants
below, each of them several times what any provider is known to add.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnout.openai.messages import IMAGE_PARTS, Message, Messages, canonical_json
from turnout.quota.bounded import check_message, check_parameters, check_part
from turnout.quota.text_size import utf8_bound

# The frame of a prompt: begin and end marks, the line that names the assistant, a date.
FRAME_TOKENS = 64
# Role, separators, end mark: 3 or 4 with OpenAI's encodings, up to 10 with open models' templates.
MESSAGE_TOKENS = 16
# Offered tools bring a prompt of the provider's own: Anthropic tells 313 to 804 tokens.
TOOLS_TOKENS = 1024
# A schema is rendered anew, perhaps indented: twice its compact JSON.
STRUCTURE = 2

_STRUCTURED = ("tools", "functions", "response_format", "tool_choice", "function_call", "prediction", "audio")
# What a body holds most of is told first: to ask whether something is a Mapping takes ten times as long.
_PLAIN = (str, int, float, type(None))
_OBJECT = (dict, Mapping)
_CAPS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Size:
    """The most that a prompt weighs: tokens of everything but images, and how many images. sound: it holds some.
    long_written: it asks for an hour's prompt cache."""

    tokens: int
    images: int = 0
    sound: bool = False
    long_written: bool = False


def prompt_size(messages: Messages, params: Mapping[str, Any], extra: Mapping[str, Any]) -> Size:
    """Raises InvalidRequest for what no bound is known of, such as a file's pages."""
    check_parameters(params, extra)
    beside = params_size(params, extra)
    tokens, images, sound = FRAME_TOKENS + beside.tokens, 0, False
    for index, message in enumerate(messages):
        part = _message(message, f"messages[{index}]")
        tokens += part.tokens
        images += part.images
        sound = sound or part.sound
    return Size(tokens, images, sound, long_written=beside.long_written or _asks_for_an_hour(messages))


def params_size(params: Mapping[str, Any], extra: Mapping[str, Any]) -> Size:
    """What parameters weigh that are read with the messages."""
    structured = {name: params[name] for name in _STRUCTURED if name in params} | dict(extra)
    tokens = STRUCTURE * _json(structured) if structured else 0
    if params.get("tools") or params.get("functions"):
        tokens += TOOLS_TOKENS
    return Size(tokens, long_written=_asks_for_an_hour([params.get("tools"), extra]))


def _asks_for_an_hour(value: Any) -> bool:
    """Whether a mark of what to cache, or a place to set one (`control`, as litellm takes it), says `ttl` in anything
    but five minutes."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _OBJECT):
            for mark in (item.get("cache_control"), item.get("control")):
                if mark is not None and isinstance(mark, _OBJECT) and mark.get("ttl", "5m") != "5m":
                    return True
            item = item.values()
        elif not isinstance(item, list | tuple):
            continue
        waiting += [inner for inner in item if not isinstance(inner, _PLAIN)]
    return False


def _message(message: Message, where: str) -> Size:
    check_message(message, where)
    content = message.get("content")
    rest = {name: value for name, value in message.items() if name not in ("role", "content")}
    tokens = MESSAGE_TOKENS + (STRUCTURE * _json(rest) if rest else 0)
    if isinstance(content, str):
        return Size(tokens + utf8_bound(content))
    images, sound = 0, False
    for index, part in enumerate(content or ()):
        check_part(part, f"{where}.content[{index}]")
        if part["type"] in IMAGE_PARTS:
            images += 1
        else:
            sound = sound or part["type"] == "input_audio"
            bare = part["type"] == "text" and len(part) == 2
            tokens += MESSAGE_TOKENS + (utf8_bound(part["text"]) if bare else STRUCTURE * _json(part))
    return Size(tokens, images, sound)


def _json(value: Any) -> int:
    return utf8_bound(canonical_json(value).decode())


def output_caps(sent: Mapping[str, Any]) -> dict[str, int]:
    """The caps on one choice's output tokens among these parameters, by their names; the largest counts."""
    return {name: sent[name] for name in _CAPS if isinstance(sent.get(name), int)}


def output_bound(cap: int, sent: Mapping[str, Any]) -> int:
    """The most output tokens of all choices. Words of a `prediction` that are not used are billed as output."""
    choices = max(_count(sent.get("n")), _count(sent.get("best_of")))
    predicted = _json(sent["prediction"]) if sent.get("prediction") else 0
    return choices * (cap + predicted)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 1 else 1
