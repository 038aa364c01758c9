"""OpenAI's messages: checks, their text and images, and one canonical form of their JSON. Pure."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from turnout.errors import InvalidRequest

Message = Mapping[str, Any]
Messages = tuple[Message, ...]

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_CANONICAL = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
# Parts of a content list that hold no text but cost tokens all the same.
IMAGE_PARTS = frozenset({"image_url", "input_image"})


def shorten(value: object) -> str:
    """The value as an error tells it, however long and deep it is."""
    text = reprlib.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def as_messages(prompt: str | Sequence[Message]) -> Messages:
    """The message tuple of a plain text (one user message) or of a message list. Raises InvalidRequest."""
    if isinstance(prompt, str):
        return ({"role": "user", "content": prompt},)
    return check_messages(prompt)


def check_messages(messages: object) -> Messages:
    """The messages as a tuple, or InvalidRequest whose `param` is the path of the first thing wrong."""
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Sequence):
        raise InvalidRequest("messages must be an array of message objects", param="messages")
    if not messages:
        raise InvalidRequest("messages must hold at least one message", param="messages")
    for index, message in enumerate(messages):
        _check_message(message, f"messages[{index}]")
    return tuple(messages)


def _check_message(message: object, where: str) -> None:
    if not isinstance(message, Mapping):
        raise InvalidRequest(f"{where} must be an object with a role and content", param=where)
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise InvalidRequest(
            f"{where}.role must be one of {', '.join(sorted(ROLES))}; got {shorten(role)}", param=f"{where}.role"
        )
    content = message.get("content")
    if content is None:
        # An assistant that only calls tools has no content; every other role needs some.
        if role != "assistant":
            raise InvalidRequest(f"{where}.content is missing", param=f"{where}.content")
    elif not isinstance(content, str):
        _check_parts(content, f"{where}.content")


def _check_parts(content: object, where: str) -> None:
    if not isinstance(content, list | tuple) or not content:
        raise InvalidRequest(f"{where} must be a text or a non-empty array of content parts", param=where)
    for index, part in enumerate(content):
        if not isinstance(part, (dict, Mapping)) or not isinstance(part.get("type"), str):
            raise InvalidRequest(f"{where}[{index}] must be an object with a type", param=f"{where}[{index}]")
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            raise InvalidRequest(f"{where}[{index}].text must be a text", param=f"{where}[{index}].text")


def text_of(message: Message) -> str:
    """The text of one message: its content, or its text parts joined by line ends."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple):
        return "\n".join(
            part["text"] for part in content if isinstance(part, Mapping) and isinstance(part.get("text"), str)
        )
    return ""


def last_user_text(messages: Iterable[Message]) -> str:
    """The text of the last user message; the last message's where there is no user message."""
    last, last_user = "", None
    for message in messages:
        last = text_of(message)
        if message.get("role") == "user":
            last_user = last
    return last if last_user is None else last_user


def canonical_json(value: Any) -> bytes:
    """One UTF-8 form of a JSON value, whatever the order of its keys or the process that asks.

    Raises InvalidRequest where the value is not JSON or holds text that is not valid Unicode.
    """
    try:
        data = orjson.dumps(value, option=_CANONICAL)
        # NaN, which is no JSON, is written as null there: the standard library looks again.
        if b"null" not in data:
            return data
    except TypeError:
        # Not valid Unicode, an integer of more than 64 bits, or no JSON: the standard library tells which.
        pass
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            "the request holds text that is not valid Unicode (a lone surrogate)", param="messages"
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"the request is not plain JSON: {error}") from error
