"""A provider's error, classed by its status and its own body before any text is reworded. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from turnout.attempt_errors import (
    AttemptError,
    AttemptTimeout,
    CallerFault,
    Denied,
    MalformedReply,
    Misconfigured,
    ProviderFailed,
    ProviderRateLimited,
)
from turnout.upstream.translate import retry_after

_CALLERS = frozenset({400, 413, 422})
_DENIED = frozenset({402, 403, 404, 405})
# Where an error stands inside a good status, its type says which status it would have had.
_STATUS_OF_TYPE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# A 400 that is ours to mend: the key, or the account behind it.
_OUR_KEY = ("API_KEY_INVALID", "API key not valid", "Incorrect API key", "invalid_api_key")
_OUR_ACCOUNT = ("credit balance is too low", "billing_hard_limit_reached", "billing_not_active")


class ErrorBody(NamedTuple):
    """What an error body says. status: of its own, where it stands in a good one."""

    message: str
    code: str | None
    param: str | None
    status: int | None


def failure(status: int, headers: Mapping[str, str], body: bytes) -> AttemptError:
    """The AttemptError that an answer with an error status means."""
    error = parse_error(_json(body)) or ErrorBody(_clip(body.decode("utf-8", "replace")), None, None, None)
    return _classed(status, error, body.decode("utf-8", "replace"), headers)


def hidden_failure(data: Any) -> AttemptError | None:
    """The AttemptError that an error object inside a 200, or inside a stream, means; None where it is no error."""
    error = parse_error(data) if isinstance(data, Mapping) and _is_error(data) else None
    if error is None:
        return None
    if error.status is None:
        return ProviderFailed(error.message)
    return _classed(error.status, error, json.dumps(data), {})


def _is_error(data: Mapping[str, Any]) -> bool:
    """An error object, not an answer that also has a field of this name."""
    return bool(data.get("error")) and not data.get("choices") and not data.get("candidates")


def parse_error(data: Any) -> ErrorBody | None:
    """What the error body of any of the providers says (OpenAI, Anthropic, Google, Cohere, FastAPI), or None."""
    if isinstance(data, list) and data:
        # Google's error of a stream that was asked for without events.
        data = data[0]
    if not isinstance(data, Mapping):
        return None
    error = data.get("error") or data
    if isinstance(error, str):
        return ErrorBody(_clip(error), None, None, None)
    if not isinstance(error, Mapping):
        return None
    message = error.get("message") or error.get("detail") or error.get("msg")
    if not message and error is data:
        return None
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code <= 599 else _STATUS_OF_TYPE.get(str(error.get("type")))
    return ErrorBody(
        _clip(message if isinstance(message, str) else json.dumps(message or error)),
        code if isinstance(code, str) else None,
        error["param"] if isinstance(error.get("param"), str) else None,
        status,
    )


def _classed(status: int, error: ErrorBody, text: str, headers: Mapping[str, str]) -> AttemptError:
    message = error.message
    if status in _CALLERS:
        if any(words in text for words in _OUR_KEY):
            return Misconfigured(message, status=status)
        if any(words in text for words in _OUR_ACCOUNT):
            return Denied(message, status=status)
        return CallerFault(message, status=status, code=error.code, param=error.param)
    if status == 401:
        return Misconfigured(message, status=status)
    if status in _DENIED:
        return Denied(message, status=status)
    if status == 408:
        return AttemptTimeout(message, status=status)
    if status == 429:
        return ProviderRateLimited(message, status=status, retry_after_s=retry_after(headers))
    if status >= 400:
        return ProviderFailed(message, status=status, retry_after_s=retry_after(headers))
    return MalformedReply(f"the provider answered with status {status}", status=status)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _clip(text: str) -> str:
    return text if len(text) <= 500 else text[:497] + "..."
