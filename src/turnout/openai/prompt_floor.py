"""The least that a prompt can be in tokens, whoever counts them: what does not fit by it fits nowhere. Pure.

Three bounds that hold for the tokenizers in use, and the largest of them counts. A token of ASCII text has six bytes at
most on average; no token reaches over two words (the tokenizers split at white space first), and a comma or a full stop
before a blank is one of its own. Of the scripts that are written without blanks a token holds three characters at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from turnout.openai.messages import IMAGE_PARTS, Message

BYTES_A_TOKEN = 6
# Han, kana and hangul: the longest common words are two or three characters.
UNSPACED_A_TOKEN = 3
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]")
_MARKS = (", ", ". ", ".\n")
# The least that a provider tells for an image: OpenAI's at low detail are 85, Anthropic's of one pixel 1.
IMAGE_TOKENS = 1


def characters(messages: Iterable[Message]) -> int:
    """How many characters the texts of these messages have, a counted bound of `text_floor`: no text has more tokens
    by it than characters."""
    return sum(len(text) for message in messages for text in _texts(message))


def prompt_floor(messages: Iterable[Message]) -> int:
    """The least that these messages are in tokens. Schemas and frames, which each provider renders its own way, count
    nothing."""
    tokens = 0
    for message in messages:
        tokens += sum(map(text_floor, _texts(message)))
        tokens += IMAGE_TOKENS * sum(part.get("type") in IMAGE_PARTS for part in _parts(message.get("content")))
    return tokens


def text_floor(text: str) -> int:
    """The least that this text is in tokens."""
    sixths = len(text)
    if not text.isascii():
        unspaced = len(_UNSPACED.findall(text))
        sixths += unspaced * (BYTES_A_TOKEN // UNSPACED_A_TOKEN - 1)
    return max(-(-sixths // BYTES_A_TOKEN), len(text.split()) + sum(map(text.count, _MARKS)))


def _parts(content: Any) -> Iterable[Mapping[str, Any]]:
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list | tuple) else ()


def _texts(message: Message) -> Iterator[str]:
    """What the message says, and the arguments of the tools that it calls."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    else:
        yield from (text for part in _parts(content) if isinstance(text := part.get("text"), str))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        arguments = function.get("arguments") if isinstance(function, Mapping) else None
        if isinstance(arguments, str):
            yield arguments
