"""OpenAI's chat-completions request, from bytes to a checked value. Pure.

Field names and types: the OpenAI API reference, "Create chat completion".
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from turnout.errors import InvalidRequest, TooLarge, UsageError
from turnout.openai.extension import check_extension
from turnout.openai.json_size import check_values, count_nested
from turnout.openai.messages import Messages, as_messages, check_messages, shorten

Check = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A checked request for one chat completion.

    params: OpenAI's own parameters but those that are fields here. extra: parameters that OpenAI's reference does not
    name (a provider's own): sent on in the body, never as litellm's arguments. extension: the `turnout` object,
    checked (openai/extension.py). beside_chat: of a request in the Responses protocol, to which a model may be asked
    over the same, what a chat completion has no place for (openai/response_items.py); None: it came in another.
    size: of the body that it came in, in bytes; 0 of one that the app's own code makes.
    """

    messages: Messages
    model: str = "auto"
    params: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    extension: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    include_usage: bool = False
    beside_chat: Mapping[str, Any] | None = None
    size: int = field(default=0, compare=False)

    @property
    def tag(self) -> str:
        tag = self.extension.get("tag", "")
        return tag if isinstance(tag, str) else ""

    @property
    def optional(self) -> frozenset[str]:
        """Parameters that a model which does not take them is asked without."""
        return frozenset(self.extension.get("optional", ()))

    @property
    def tools(self) -> int:
        """How many tools are offered."""
        offered = self.params.get("tools") or self.params.get("functions") or ()
        return len(offered)


def _must(message: str, is_good: Callable[[Any], bool]) -> Check:
    """A check that gives None for a good value, else the message."""
    return lambda value: None if is_good(value) else message


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


_number = _must("must be a number", lambda value: isinstance(value, float) or _is_integer(value))
_integer = _must("must be an integer", _is_integer)
_boolean = _must("must be true or false", lambda value: isinstance(value, bool))
_text = _must("must be a text", lambda value: isinstance(value, str))
_object = _must("must be an object", lambda value: isinstance(value, Mapping))
_text_or_object = _must("must be a text or an object", lambda value: isinstance(value, str | Mapping))
_objects = _must("must be a non-empty array of objects", _is_objects)
_texts = _must("must be an array of texts", _is_texts)
_stop = _must("must be a text or an array of texts", lambda value: isinstance(value, str) or _is_texts(value))


def _positive(value: Any) -> str | None:
    return _integer(value) or (None if value >= 1 else "must be at least 1")


# OpenAI's own bound. A server of one's own would begin on any number of them.
MOST_CHOICES = 128


def _choices(value: Any) -> str | None:
    return _positive(value) or (None if value <= MOST_CHOICES else f"must be at most {MOST_CHOICES}")


def _count(value: Any) -> str | None:
    return _integer(value) or (None if value >= 0 else "must be at least 0")


PARAMETERS: Mapping[str, Check] = {
    "audio": _object,
    "frequency_penalty": _number,
    "function_call": _text_or_object,
    "functions": _objects,
    "logit_bias": _object,
    "logprobs": _boolean,
    "max_completion_tokens": _positive,
    "max_tokens": _positive,
    "modalities": _texts,
    "n": _choices,
    "parallel_tool_calls": _boolean,
    "prediction": _object,
    "presence_penalty": _number,
    "reasoning_effort": _text,
    "response_format": _object,
    "seed": _integer,
    "service_tier": _text,
    "stop": _stop,
    "temperature": _number,
    "tool_choice": _text_or_object,
    "tools": _objects,
    "top_logprobs": _count,
    "top_p": _number,
    "user": _text,
    "verbosity": _text,
    "web_search_options": _object,
}

# OpenAI's too, but for its accounts and caches: checked here, carried on in the body with what is a provider's own.
CARRIED: Mapping[str, Check] = {
    "metadata": _object,
    "prompt_cache_key": _text,
    "prompt_cache_retention": _text,
    "safety_identifier": _text,
    "store": _boolean,
}

# Providers' own that must have a type all the same: litellm's class for Gemini reads fields of these without a look,
# and older servers begin on any number of answers.
CHECKED: Mapping[str, Check] = {"best_of": _choices, "generationConfig": _object, "generation_config": _object}

# Fields of their own; everything that is neither here nor in the tables is a provider's own, and stays in the body.
_FIELDS = frozenset({"model", "messages", "stream", "stream_options", "turnout"})

# Parameters that change nothing about what a model would answer.
SHAPELESS = frozenset(
    {"user", "service_tier", "metadata", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
)


# Of a long body. The longest conversations of agents have some thousands of messages.
MAX_PARTS = 20_000
# The lists of a body whose members are read one by one, whatever its protocol; and the lists in those members.
_LISTS = ("messages", "input", "system", "tools")
_INNER_LISTS = ("content", "output")
# orjson reads 1024 levels and writes 254; what reads a body here may take a frame of Python's for each.
_DEEPEST = 200


def parse(body: bytes, *, max_params_bytes: int | None = None) -> ChatRequest:
    """The request in this body. max_params_bytes: the most that may stand outside the messages' texts and media; None:
    any number. Raises InvalidRequest, whose `param` names the field that is wrong, and TooLarge."""
    value = decode(body, max_params_bytes=max_params_bytes)
    if max_params_bytes is not None and len(body) > max_params_bytes:
        check_params(value, max_params_bytes)
    return from_mapping(value, size=len(body))


def check_params(value: Mapping[str, Any], limit: int) -> None:
    """Holds all but the messages' texts and media against the limit, in bytes: numbers and structure cost far more time
    than as many bytes of text do. Raises TooLarge."""
    check_number(value)
    messages = value.get("messages")
    rest = {**value, "messages": [_frame(item) for item in messages] if isinstance(messages, list) else messages}
    try:
        size = len(orjson.dumps(rest))
    except TypeError as error:
        raise InvalidRequest("the body is nested too deeply") from error
    if size > limit:
        raise TooLarge(f"all but the texts and the media of the messages are {size} bytes, which is more than {limit}")


def check_number(value: Mapping[str, Any]) -> None:
    """Each message, item, part and tool costs time of its own, however short it is. Raises TooLarge."""
    number, lists = 0, [value.get(name) for name in _LISTS]
    while lists:
        members = lists.pop()
        if not isinstance(members, list):
            continue
        number += len(members)
        if number > MAX_PARTS:
            raise TooLarge(f"the messages, their parts and the tools are more than {MAX_PARTS}")
        lists += [member.get(name) for member in members if isinstance(member, dict) for name in _INNER_LISTS]


def _frame(message: Any) -> Any:
    """The message without its texts and media."""
    if not isinstance(message, dict):
        return message
    content = message.get("content")
    if isinstance(content, list):
        content = [_bare_part(part) for part in content]
    return {**message, "content": "" if isinstance(content, str) else content}


def _bare_part(part: Any) -> Any:
    """The content part without its text, and without what its medium holds (an image's url, a file's data)."""
    if not isinstance(part, dict):
        return part
    bare = {name: _bare_medium(item) if isinstance(item, dict) else item for name, item in part.items()}
    return {**bare, "text": ""} if isinstance(part.get("text"), str) else bare


def _bare_medium(medium: Mapping[str, Any]) -> Any:
    return {name: "" if isinstance(item, str) else item for name, item in medium.items()}


def decode(body: bytes, *, max_params_bytes: int | None = None) -> Mapping[str, Any]:
    """The JSON object in this body. max_params_bytes: see `parse`. Raises InvalidRequest, and TooLarge."""
    if max_params_bytes is not None:
        check_values(body, max_params_bytes)
    try:
        # Some clients write a byte order mark, which a reader may leave out (RFC 8259).
        value = orjson.loads(body.removeprefix(codecs.BOM_UTF8))
    except RecursionError as error:
        raise InvalidRequest("the body is nested too deeply") from error
    except orjson.JSONDecodeError as error:
        problem = str(error)
        if "surrogate" in problem and "UTF-8" not in problem:
            problem = f"it holds text that is not valid Unicode (a lone surrogate): {problem}"
        raise InvalidRequest(f"the body is not valid JSON: {problem}") from error
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object with model and messages")
    if count_nested(body) > _DEEPEST:
        _check_depth(value)
    return value


def _check_depth(value: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for what is nested more deeply than can be written again, wherever it goes from here."""
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise InvalidRequest("the body is nested too deeply") from error


def from_mapping(value: Mapping[str, Any], *, size: int = 0) -> ChatRequest:
    """The request in this mapping, as it would stand in a body. size: see ChatRequest. Raises InvalidRequest."""
    if "messages" not in value:
        raise InvalidRequest("messages is missing", param="messages")
    params: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, item in value.items():
        # OpenAI takes null for an absent value everywhere.
        if name in _FIELDS or item is None:
            continue
        check = PARAMETERS.get(name) or CARRIED.get(name) or CHECKED.get(name)
        if check is not None and (problem := check(item)):
            raise InvalidRequest(f"{name} {problem}; got {shorten(item)}", param=name)
        (params if name in PARAMETERS else extra)[name] = item
    return ChatRequest(
        messages=check_messages(value["messages"]),
        model=_field(value, "model", _text, "auto"),
        params=params,
        extra=extra,
        extension=check_extension(_field(value, "turnout", _object, {})),
        stream=_field(value, "stream", _boolean, False),
        include_usage=_include_usage(value),
        size=size,
    )


def to_mapping(request: ChatRequest) -> dict[str, Any]:
    """The request as it would stand in a body: what `from_mapping` makes the same request of."""
    return {
        "model": request.model,
        "messages": list(request.messages),
        **request.params,
        **request.extra,
        **({"turnout": dict(request.extension)} if request.extension else {}),
        **({"stream": True} if request.stream else {}),
        **({"stream_options": {"include_usage": True}} if request.include_usage else {}),
    }


def from_call(prompt: str | Any, *, stream: bool, params: Mapping[str, Any]) -> ChatRequest:
    """The request of `complete("text" or messages, **params)`. Raises InvalidRequest, and UsageError."""
    for name, instead in (("messages", "give them in place of the text"), ("stream", "call stream()")):
        if name in params:
            raise UsageError(f"{name}= is no parameter here: {instead}")
    extension = params.get("turnout")
    fields = {name: value for name, value in params.items() if name not in ("turnout", "tag")}
    if "tag" in params:
        extension = {**(extension or {}), "tag": params["tag"]}
    return from_mapping({**fields, "messages": as_messages(prompt), "stream": stream, "turnout": extension})


def _field(value: Mapping[str, Any], name: str, check: Check, absent: Any) -> Any:
    item = value.get(name)
    if item is None:
        return absent
    if problem := check(item):
        raise InvalidRequest(f"{name} {problem}; got {shorten(item)}", param=name)
    return item


def _include_usage(value: Mapping[str, Any]) -> bool:
    options = _field(value, "stream_options", _object, {})
    return bool(_field(options, "include_usage", _boolean, False))
