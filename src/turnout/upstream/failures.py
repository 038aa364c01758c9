"""A provider's error, classed by its status and its own body before any text is reworded. Pure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from turnout.attempt_errors import (
    AttemptError,
    AttemptTimeout,
    Denied,
    MalformedReply,
    Misconfigured,
    NoAnswer,
    ProviderFailed,
    ProviderRateLimited,
    RequestTooLarge,
    UnclearDenial,
    Unsupported,
)
from turnout.numbers import parse_retry_after
from turnout.openai.answers import load_foreign
from turnout.upstream.refusals import (
    ErrorBody,
    denial,
    is_of_account,
    lacks,
    longer_than_the_window,
    recognised,
    refusal,
)

# Paid for, allowed, there, and by this address: not.
_DENIED = frozenset({402, 403, 404, 405, 407, 410, 412, 451})
# By whoever closed the connection first: a caller that takes long, a gateway that waits no longer.
_CLOSED = 499
# A server's own failure, by which some tell what the request is or what they lack.
_FAILED, _NOT_IMPLEMENTED = 500, 501
# Where an error stands inside a good status, its type or its code says which status it would have had.
_STATUS_OF: Mapping[str, int] = {
    "invalid_request_error": 400,
    "BadRequestError": 400,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "UNAUTHENTICATED": 401,
    "billing_error": 402,
    "permission_error": 403,
    "PERMISSION_DENIED": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "NOT_FOUND": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "RESOURCE_EXHAUSTED": 429,
    "api_error": 500,
    "server_error": 500,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "timeout_error": 504,
    "DEADLINE_EXCEEDED": 504,
    "overloaded_error": 529,
}
# A 429 that no waiting will ever let through.
_TOO_LARGE = re.compile(r"request too large")
_LIMIT_REQUESTED = re.compile(r"Limit:? (\d{1,12}),?(?: Used:? \d{1,12},?)? Requested:? (\d{1,12})")


def failure(status: int, headers: Mapping[str, str], body: bytes) -> AttemptError:
    """The AttemptError that an answer with an error status means."""
    error = parse_error(json_or_none(body)) or ErrorBody(clip(body.decode("utf-8", "replace")), None, None, None)
    return classify(status, error, headers)


def hidden_failure(data: Any) -> AttemptError | None:
    """The AttemptError that an error inside a 200, or inside a stream, means; None where it is no error."""
    if isinstance(data, list):
        # Google's answer to a stream that was asked for without events.
        data = data[0] if data else None
    if isinstance(data, Mapping) and isinstance(own := data.get("x_groq"), Mapping) and own.get("error"):
        # Groq's word for why it stops a stream.
        data = own
    if isinstance(data, Mapping):
        # OpenRouter's word for a provider that fails behind it stands in the choice that it leaves unended.
        data = next((choice for choice in _listed(data.get("choices")) if choice.get("error")), data)
    error = parse_error(data) if isinstance(data, Mapping) and _is_error(data) else None
    if error is None:
        return None
    if error.status is None:
        return recognised(400, error) or ProviderFailed(error.message)
    return classify(error.status, error, {})


# What no answer is without, by provider.
_ANSWERS = frozenset({"choices", "candidates", "content", "output", "data"})


def _is_error(data: Mapping[str, Any]) -> bool:
    """An error object, also beside choices, which are no whole answer then; not one that says nothing."""
    answers = data.get("choices") or data.get("candidates")
    if error := data.get("error"):
        return not answers or not isinstance(error, Mapping) or any(error.values())
    if data.get("errors"):
        return not answers
    if data.get("object") == "error" or data.get("type") == "error":
        return True
    return (isinstance(data.get("message"), str) or "detail" in data) and not data.keys() & _ANSWERS


def parse_error(data: Any) -> ErrorBody | None:
    """What the error body of any of the providers says (OpenAI, Anthropic, Google, Cohere, FastAPI, AWS, xAI, IBM), or
    None."""
    if isinstance(data, list) and data:
        # Google's error of a stream that was asked for without events.
        data = data[0]
    if not isinstance(data, Mapping):
        return None
    several = data.get("errors")
    error = data.get("error") or (several[0] if isinstance(several, list) and several else data)
    if isinstance(error, str):
        return ErrorBody(clip(error), _text(data.get("code")), None, None, _text(data.get("error_type")))
    if not isinstance(error, Mapping):
        return None
    if (below := _passed_on(error)) is not None:
        return below
    message = error.get("message") or error.get("detail") or error.get("msg")
    if not message and error is data:
        return None
    param = _text(error.get("param"))
    detail = message.get("detail") if isinstance(message, Mapping) else message
    if isinstance(detail, list) and detail and isinstance(detail[0], Mapping):
        # What FastAPI and Mistral find wrong with the body, field by field.
        param = param or _place(detail[0])
        message = "; ".join(
            f"{_place(each) or 'body'}: {each.get('msg')}" for each in detail if isinstance(each, Mapping)
        )
    code, kind = error.get("code"), _text(error.get("type")) or _text(error.get("status"))
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    status = (
        code if isinstance(code, int) and 400 <= code <= 599 else _STATUS_OF.get(str(kind)) or _STATUS_OF.get(str(code))
    )
    return ErrorBody(
        clip(message if isinstance(message, str) else json.dumps(message or error)),
        *(_text(code), param, status, kind),
        retry_after=_retry_delay(error),
    )


def _retry_delay(error: Mapping[str, Any]) -> str | None:
    """Google's word for when to come back (RetryInfo), in seconds."""
    details = error.get("details")
    for each in details if isinstance(details, list) else ():
        if isinstance(each, Mapping) and isinstance(delay := each.get("retryDelay"), str):
            return delay.removesuffix("s")
    return None


def _passed_on(error: Mapping[str, Any]) -> ErrorBody | None:
    """What the provider behind a gateway said (OpenRouter), or None."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    if not isinstance(raw, str) or not raw:
        return None
    below = parse_error(json_or_none(raw)) or ErrorBody(clip(raw), None, None, None)
    code = error.get("code")
    return below._replace(status=code) if isinstance(code, int) and 400 <= code <= 599 else below


def _place(finding: Mapping[str, Any]) -> str | None:
    """The field that a finding is about, as `messages.0.role`."""
    place = finding.get("loc")
    parts = [str(part) for part in place if part != "body"] if isinstance(place, list | tuple) else []
    return ".".join(parts) or None


def classify(status: int, error: ErrorBody, headers: Mapping[str, str]) -> AttemptError:
    """The AttemptError that a provider's error means: by its status, and among what a caller can be to blame for by
    what it says of itself."""
    message = error.message
    if status == 400 and error.kind == "request_too_large":
        # litellm gives Anthropic's 413 as a 400.
        status = 413
    if status == 401:
        return Misconfigured(message, status=status)
    if status in _DENIED:
        return denial(status, error)
    if status == 408:
        return AttemptTimeout(message, status=status, retry_after_s=_retry_after(headers, error))
    if status == 429:
        if _never_fits(message):
            return RequestTooLarge(message, status=413, code="request_too_large")
        if is_of_account(error):
            return Denied(message, status=status)
        return ProviderRateLimited(message, status=status, retry_after_s=_retry_after(headers, error))
    if status == _CLOSED:
        return NoAnswer(message, status=status)
    if 400 <= status < 500:
        # A conflict, a header or an address too long, what a tool's server failed with: a caller can cause each.
        return refusal(status, error)
    if status == _FAILED and (too_long := longer_than_the_window(error)) is not None:
        return too_long
    if status == _NOT_IMPLEMENTED or (status == _FAILED and lacks(error)):
        return Unsupported(message, status=status)
    if status >= 500:
        return ProviderFailed(message, status=status, retry_after_s=_retry_after(headers, error))
    if status >= 300:
        # What stands before a provider may send a request away for what it holds.
        return UnclearDenial(f"the address answers with a redirect ({status}), which is not followed", status=status)
    return MalformedReply(f"the provider answered with status {status}", status=status)


def _never_fits(message: str) -> bool:
    if _TOO_LARGE.match(message.lower()):
        return True
    counts = _LIMIT_REQUESTED.search(message)
    return counts is not None and int(counts[2]) > int(counts[1])


def _retry_after(headers: Mapping[str, str], error: ErrorBody) -> float | None:
    now = time.time()
    asked = parse_retry_after(headers, now)
    return parse_retry_after({"retry-after": error.retry_after}, now) if asked is None and error.retry_after else asked


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _listed(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def json_or_none(body: Any) -> Any:
    """What a JSON text holds; None where it is no JSON, or more than is read."""
    try:
        return load_foreign(body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body)
    except (AttributeError, TypeError, ValueError, RecursionError):
        return None


def clip(text: str) -> str:
    """The text, or its first 497 characters and an ellipsis."""
    return text if len(text) <= 500 else text[:497] + "..."
