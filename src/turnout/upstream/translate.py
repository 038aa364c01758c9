"""litellm's errors and answers, translated once: errors by a table, answers to OpenAI's plain shape."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from math import isfinite
from types import SimpleNamespace
from typing import Any

from turnout.attempt_errors import (
    AttemptError,
    AttemptTimeout,
    ConnectionFailed,
    ContextTooLong,
    MalformedReply,
    Misconfigured,
    NotConnected,
    NotSendable,
    Unreadable,
    Unsupported,
)
from turnout.openai.answers import Body
from turnout.openai.embeddings import decoded
from turnout.upstream import failures
from turnout.upstream.finishes import unknown_finishes
from turnout.upstream.refusals import ErrorBody, recognised

# litellm's class -> ours, where the status alone would mislead.
_BY_CLASS: Mapping[str, type[AttemptError]] = {
    "Timeout": AttemptTimeout,
    "APITimeoutError": AttemptTimeout,
    "APIConnectionError": ConnectionFailed,
    "APIResponseValidationError": MalformedReply,
    "JSONSchemaValidationError": MalformedReply,
    "LiteLLMUnknownProvider": Misconfigured,
}
# litellm's words for our own mistakes and for replies that are no JSON: it gives both a 500.
_NO_KEY = ("Missing credentials", "api_key client option must be set")
# httpx's and aiohttp's own words for a request that was never sent, and how deep litellm wraps them.
_NO_CONNECTION = frozenset({"ConnectError", "ConnectTimeout", "ClientConnectorError", "ConnectionRefusedError"})
# Where litellm itself reads streams; OpenAI's own are read by the openai SDK, whose reader fails on garbage alone.
_READER_FILES = ("/litellm/llms/",)
_READER_NAMES = frozenset({"chunk_creator"})
# What a connection ends with, in all its libraries; and what code that reads an answer fails with.
_CONNECTION = frozenset({"TransportError", "ClientError", "OSError", "TimeoutError", "EOFError", "IncompleteRead"})
_READING = frozenset({"ValueError", "TypeError", "LookupError", "AttributeError", "RuntimeError"})
# An answer whose status was an error; litellm makes up a 422 for a 200 that holds an error object.
_HTTP_ERRORS = frozenset({"APIStatusError", "HTTPStatusError"})
_DEPTH = 8
_NO_PROVIDER = "LLM Provider NOT provided"
_NOT_JSON = ("Expecting ", "Unterminated string", "invalid response from LLM endpoint", "Extra data:")


def stream_error(error: Exception) -> AttemptError:
    """The AttemptError that ended a stream of litellm's. Where a reader of its own failed, that says nothing about the
    provider: it breaks on valid streams too, and what one holds is the caller's to choose."""
    fault = attempt_error(error)
    broke = isinstance(fault, ConnectionFailed | MalformedReply) and fault not in _chain(error)
    if broke and _any_below(error, _READING) and not _any_below(error, _CONNECTION):
        return Unreadable(fault.message) if _passed(error, _READER_FILES, _READER_NAMES) else fault
    return fault


def attempt_error(error: Exception) -> AttemptError:
    """The AttemptError that this error of litellm's (or of what it is built on) means."""
    ours = next((below for below in _chain(error) if isinstance(below, AttemptError)), None)
    if ours is not None:
        return ours
    # litellm wraps what breaks a stream, for a router of its own to catch.
    original = getattr(error, "original_exception", None)
    if isinstance(original, Exception):
        error = original
    name, text = type(error).__name__, message(error)
    # Of litellm's classes the only one that has another status than the provider's answer.
    status = 402 if name == "PaymentRequiredError" else _status(error)
    if any(words in text for words in _NO_KEY):
        return Misconfigured("no key is configured for this model", status=status)
    if name == "UnsupportedParamsError":
        # litellm's own finding: no provider gave it this status.
        return Unsupported(text)
    if _raised_before_sending(error):
        return NotSendable(text)
    if _any_below(error, _NO_CONNECTION):
        return NotConnected(text, status=status)
    if _NO_PROVIDER in text:
        return Misconfigured("litellm knows no provider of this model's name", status=status)
    if (hidden := _inside_stream(error)) is not None:
        return hidden
    if name in _BY_CLASS:
        return _BY_CLASS[name](text, status=status)
    if status == 422 and not _any_below(error, _HTTP_ERRORS):
        # Its own words for what it could not read stand here too: of a caller's fault they are no proof.
        fault = recognised(400, ErrorBody(_without_classes(text), None, None, None))
        return fault if isinstance(fault, Misconfigured | ContextTooLong) else MalformedReply(text)
    if status is None or (status >= 500 and any(words in text for words in _NOT_JSON)):
        return MalformedReply(text, status=status)
    return failures.classify(status, _error_body(error, text), _headers(error))


def _inside_stream(error: Exception) -> AttemptError | None:
    """What an error event inside a stream means, which the openai SDK keeps and litellm takes for a lost connection;
    None where there is none."""
    for below in _chain(error):
        said = getattr(below, "body", None)
        if isinstance(said, Mapping) and said and _status(below) is None:
            return failures.hidden_failure({"error": said})
    return None


def _without_classes(text: str) -> str:
    """litellm's text without the names of classes that it begins with."""
    return text.rsplit("Exception - ", 1)[-1]


def _error_body(error: Exception, text: str) -> ErrorBody:
    """What the provider said: its own body where the error still holds it, else litellm's text without prefixes."""
    plain = ""
    for below in _chain(error):
        try:
            said = below.response.text  # type: ignore[attr-defined]
            body = failures.parse_error(failures.json_or_none(said))
        except Exception:  # a response that was not read raises in each SDK's own way
            continue
        if body is not None:
            return body
        plain = plain or said
    if plain:
        return ErrorBody(failures.clip(plain), None, None, None)
    fields = getattr(error, "body", None)
    text = _without_classes(text)
    if not isinstance(fields, Mapping):
        start = min((at for mark in "{[" if (at := text.find(mark)) >= 0), default=len(text))
        fields = failures.json_or_none(text[start:])
    return failures.parse_error(fields) or ErrorBody(failures.clip(text), None, None, None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    below: BaseException | None = error
    for _ in range(_DEPTH):
        if below is None:
            return
        yield below
        below = below.__cause__ or below.__context__


# Where litellm puts a request into a provider's form, and fetches what it refers to, before anything is sent.
_SHAPING_FILES = ("prompt_templates", "image_handling", "get_optional_params")
_SHAPING_NAMES = frozenset({
    "get_optional_params", "map_openai_params", "transform_request", "async_transform_request",
    "sync_transform_request_body", "async_transform_request_body", "_transform_request_body",
    "validate_and_fix_openai_messages", "validate_chat_completion_user_messages",
})  # fmt: skip


def _raised_before_sending(error: BaseException) -> bool:
    """Whether the error, or what it was raised from, was raised while litellm put the request into its form."""
    return _passed(error, _SHAPING_FILES, _SHAPING_NAMES)


def _passed(error: BaseException, files: tuple[str, ...], names: frozenset[str]) -> bool:
    """Whether the error, or what it was raised from, came through a file of such a path or a function of such a
    name."""
    for below in _chain(error):
        for frame, _ in traceback.walk_tb(below.__traceback__):
            code = frame.f_code
            if code.co_name in names or any(part in code.co_filename for part in files):
                return True
    return False


def _any_below(error: BaseException, names: frozenset[str]) -> bool:
    """Whether a class of one of these names stands in what this error was raised from."""
    return any(kind.__name__ in names for below in _chain(error) if below is not error for kind in type(below).__mro__)


def _status(error: BaseException) -> int | None:
    """The provider's own status: the response's before litellm's, which folds 422 into 400."""
    for holder in (getattr(error, "response", None), error):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and status >= 400:
            return status
    return None


def message(error: Exception) -> str:
    """The error's text, bounded."""
    return (str(error) or type(error).__name__)[:4000]


def _headers(error: Exception) -> Mapping[str, str]:
    headers = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", None
    )
    return {str(name).lower(): value for name, value in headers.items()} if isinstance(headers, Mapping) else {}


_FRAME = ("id", "created", "model", "system_fingerprint", "service_tier")
# litellm's own places in a message; what else stands there is the provider's.
_LITELLMS = frozenset({"provider_specific_fields"})
_SIGNATURES = "thought_signatures"
# What stands beside an answer's choices in a place of its own, and how litellm's own names begin.
_ELSEWHERE = frozenset({"choices", "object", "usage"})
_OWN_NAMES = ("_", "vertex_ai_")


_NONE: Mapping[int, str | None] = {}


def completion(answer: Any, own_finishes: Mapping[int, str | None] = _NONE) -> Body:
    """litellm's ModelResponse as a `chat.completion` object, without litellm's own additions. own_finishes: by choice,
    what the provider itself says that it ended with, where litellm says `stop`. Raises ProviderFailed where that tells
    a failure."""
    body = _frame(answer, "chat.completion")
    native = [(getattr(choice, "provider_specific_fields", None) or {}) for choice in answer.choices]
    own = {
        choice.index: fields.get("native_finish_reason") for choice, fields in zip(answer.choices, native, strict=True)
    }
    unknown = unknown_finishes({"choices": [{"index": i, "finish_reason": w} for i, w in own.items()]})
    finishes: dict[int, str | None] = {**unknown, **own_finishes}
    body["choices"] = [
        {
            "index": choice.index,
            "message": _without_index({"content": None, **_message_body(choice.message)}),
            "logprobs": _plain(getattr(choice, "logprobs", None)),
            "finish_reason": finishes.get(choice.index, choice.finish_reason),
        }
        for choice in answer.choices
    ]
    if usage := _usage(answer):
        body["usage"] = usage
    return body


def embeddings(answer: Any, count: int) -> Body:
    """litellm's EmbeddingResponse as OpenAI's list of `count` embeddings, in the order of what was asked. Raises
    MalformedReply where it is none."""
    items = [item if isinstance(item, Mapping) else item.model_dump() for item in getattr(answer, "data", None) or ()]
    by_index = {item.get("index", at): item.get("embedding") for at, item in enumerate(items)}
    if len(items) != count or set(by_index) != set(range(count)):
        raise MalformedReply(f"the provider answered {len(items)} embeddings for {count} texts")
    tokens = getattr(getattr(answer, "usage", None), "prompt_tokens", 0) or 0
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": at, "embedding": _vector(by_index[at])} for at in range(count)],
        "model": getattr(answer, "model", None),
        **({"usage": usage} if tokens else {}),
    }


def _vector(value: Any) -> list[float]:
    try:
        vector = decoded(value) if isinstance(value, str) else [float(number) for number in value]
    except (TypeError, ValueError) as error:
        raise MalformedReply("an embedding is no array of numbers") from error
    if not vector or not all(map(isfinite, vector)):
        raise MalformedReply("an embedding is no array of numbers")
    return vector


def chunk(part: Any) -> Body:
    """litellm's ModelResponseStream as a `chat.completion.chunk` object. A usage chunk has no choices."""
    body = _frame(part, "chat.completion.chunk")
    usage = _usage(part)
    body["choices"] = [] if usage else [_chunk_choice(choice) for choice in part.choices]
    if usage:
        body["usage"] = usage
    return body


def _chunk_choice(choice: Any) -> Body:
    body: Body = {
        "index": choice.index,
        "delta": _message_body(choice.delta),
        "finish_reason": choice.finish_reason,
    }
    if (logprobs := getattr(choice, "logprobs", None)) is not None:
        body["logprobs"] = _plain(logprobs)
    return body


def _frame(answer: Any, kind: str) -> Body:
    frame: Body = {"object": kind}
    # What else the provider told beside its choices, such as citations.
    beside = {name: _plain(value) for name, value in (getattr(answer, "model_extra", None) or {}).items()}
    for name, value in {**beside, **{name: getattr(answer, name, None) for name in _FRAME}}.items():
        if value is not None and name not in _ELSEWHERE and not name.startswith(_OWN_NAMES):
            frame[name] = value
    return frame


def _message_body(message: Any) -> Body:
    body: Body = {}
    for name, value in dict(message).items():
        # litellm's class for Gemini tells an empty list of images with each answer.
        if value is not None and name not in _LITELLMS and (name != "images" or value):
            body[name] = _plain(value)
    # Where litellm puts the fields that it does not know.
    for name, value in (getattr(message, "provider_specific_fields", None) or {}).items():
        if name == _SIGNATURES:
            # From here it gives them back to Gemini.
            body["provider_specific_fields"] = {name: value}
        elif value is not None:
            body.setdefault(name, _plain(value))
    return body


def _without_index(message: Body) -> Body:
    """The whole message: only a stream's tool calls are counted."""
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
    return message


# What some bill beside the tokens, and what they say that they charge for all of it.
_BESIDE = (
    *("citation_tokens", "cost", "cost_details", "cost_in_usd_ticks", "is_byok", "num_search_queries"),
    "server_side_tool_usage_details",
)


def usage(reported: Any, *, whole: bool) -> Body:
    """A usage that stands in a stream as a plain object. whole: as it came, which is not of a class of litellm's."""
    if isinstance(reported, Mapping):
        return {**reported}
    return dict(_plain(reported)) if whole else _usage(SimpleNamespace(usage=reported)) or {}


def _usage(answer: Any) -> Body | None:
    usage = getattr(answer, "usage", None)
    # litellm gives zeros where the provider gave none.
    if usage is None or not (usage.prompt_tokens or usage.completion_tokens):
        return None
    body: Body = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": getattr(usage, "total_tokens", None) or usage.prompt_tokens + usage.completion_tokens,
    }
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        details = _plain(getattr(usage, name, None))
        if details and (known := {key: value for key, value in details.items() if value is not None}):
            body[name] = known
    for name in _BESIDE:
        if (value := getattr(usage, name, None)) is not None:
            body[name] = _plain(value)
    # Anthropic's count of what its own tools did.
    if searches := getattr(getattr(usage, "server_tool_use", None), "web_search_requests", None):
        body["server_tool_use"] = {"web_search_requests": searches}
    return body


def _plain(value: Any) -> Any:
    """Pydantic objects as plain JSON values, without litellm's own."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if hasattr(value, "model_dump"):
        value = value.model_dump(exclude_none=True)
    return _without_own(value) if isinstance(value, dict) else value


def _without_own(value: Body) -> Body:
    return {name: _plain(item) for name, item in value.items() if name not in _LITELLMS}
