"""A provider's error, classed by its status and its own body before any text is reworded. Pure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from turnout.attempt_errors import (
    AttemptError,
    AttemptTimeout,
    CallerFault,
    ContextTooLong,
    Denied,
    MalformedReply,
    Misconfigured,
    ProviderFailed,
    ProviderRateLimited,
    RequestTooLarge,
    Unsupported,
)
from turnout.numbers import parse_retry_after

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
# Each at the message's beginning: behind it, messages repeat what the caller sent.
_OUR_KEY = re.compile(
    r"(incorrect|invalid) api key|api key not valid|api key expired|invalid x-api-key|this api key", re.I
)
_OUR_ACCOUNT = re.compile(
    r"your credit balance is too low|billing hard limit|this organization has been disabled"
    r"|[\w.:/@-]+ is not a valid model",
    re.I,
)
_OUR_SERVER = re.compile(r'"auto" tool choice requires|tool use is not enabled|[\w .-]{1,40} is not enabled', re.I)
_KEY_CODES = frozenset({"invalid_api_key", "authentication_error", "API_KEY_INVALID"})
_ACCOUNT_CODES = frozenset({
    "account_deactivated", "billing_error", "billing_hard_limit_reached", "billing_not_active", "DeploymentNotFound",
    "insufficient_quota", "model_not_found", "organization_restricted", "permission_error",
})  # fmt: skip
# A request that is longer than the model's window; the group is the window.
_TOO_LONG = re.compile(
    r"maximum context length is (\d{1,9})|prompt is too long: \d+ tokens > (\d{1,9})"
    r"|exceeds? the maximum number of tokens allowed \(?(\d{1,9})"
    r"|maximum (?:input|prompt) length is (\d{1,9})"
    r"|context (?:window|length|size) (?:exceeded|of (\d{1,9}))"
    r"|exceeds? the (?:available )?context (?:window|length|size)"
    r"|too many tokens: [^\d]{0,100}(\d{1,9})"
    r"|input is too long for|too large for model with (\d{1,9}) maximum context",
    re.I,
)
# A 429 that no waiting will ever let through.
_TOO_LARGE = re.compile(r"request too large")
_LIMIT_REQUESTED = re.compile(r"Limit:? (\d{1,12}),? Requested:? (\d{1,12})")


class ErrorBody(NamedTuple):
    """What an error body says. status: of its own, where it stands in a good one."""

    message: str
    code: str | None
    param: str | None
    status: int | None
    kind: str | None = None


def failure(status: int, headers: Mapping[str, str], body: bytes) -> AttemptError:
    """The AttemptError that an answer with an error status means."""
    error = parse_error(json_or_none(body)) or ErrorBody(clip(body.decode("utf-8", "replace")), None, None, None)
    return classify(status, error, headers)


def hidden_failure(data: Any) -> AttemptError | None:
    """The AttemptError that an error object inside a 200, or inside a stream, means; None where it is no error."""
    error = parse_error(data) if isinstance(data, Mapping) and _is_error(data) else None
    if error is None:
        return None
    if error.status is None:
        return ProviderFailed(error.message)
    return classify(error.status, error, {})


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
        return ErrorBody(clip(error), _text(data.get("code")), None, None)
    if not isinstance(error, Mapping):
        return None
    message = error.get("message") or error.get("detail") or error.get("msg")
    if not message and error is data:
        return None
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code <= 599 else _STATUS_OF_TYPE.get(str(error.get("type")))
    return ErrorBody(
        clip(message if isinstance(message, str) else json.dumps(message or error)),
        code if isinstance(code, str) else None,
        error["param"] if isinstance(error.get("param"), str) else None,
        status,
        _text(error.get("type")) or _text(error.get("status")),
    )


def classify(status: int, error: ErrorBody, headers: Mapping[str, str]) -> AttemptError:
    """The AttemptError that a provider's error means: by its status, and among what a caller can be to blame for by
    what it says of itself."""
    message = error.message
    if status == 400 and error.kind == "request_too_large":
        # litellm gives Anthropic's 413 as a 400.
        status = 413
    if status in _CALLERS:
        return _refused(status, error)
    if status == 401:
        return Misconfigured(message, status=status)
    if status in _DENIED:
        return Denied(message, status=status)
    if status == 408:
        return AttemptTimeout(message, status=status, retry_after_s=_retry_after(headers))
    if status == 429:
        if _never_fits(message):
            return RequestTooLarge(message, status=413, code="request_too_large")
        return ProviderRateLimited(message, status=status, retry_after_s=_retry_after(headers))
    if status >= 400:
        return ProviderFailed(message, status=status, retry_after_s=_retry_after(headers))
    if status >= 300:
        return Denied(f"the address answers with a redirect ({status}), which is not followed", status=status)
    return MalformedReply(f"the provider answered with status {status}", status=status)


def _refused(status: int, error: ErrorBody) -> AttemptError:
    """A 400, 413 or 422: our key, our account or our server's set-up are to blame, or the request."""
    message, names = error.message, {error.code, error.kind}
    if names & _KEY_CODES or _OUR_KEY.match(message):
        return Misconfigured(message, status=status)
    if names & _ACCOUNT_CODES or _OUR_ACCOUNT.match(message):
        return Denied(message, status=status)
    if _OUR_SERVER.match(message):
        return Unsupported(message, status=status)
    too_long = _TOO_LONG.search(message)
    if error.code == ContextTooLong.CODE or too_long:
        window = next((int(group) for group in too_long.groups() if group), None) if too_long else None
        return ContextTooLong(message, window=window, param=error.param or "messages")
    return CallerFault(message, status=status, code=error.code, param=error.param)


def _never_fits(message: str) -> bool:
    if _TOO_LARGE.match(message.lower()):
        return True
    counts = _LIMIT_REQUESTED.search(message)
    return counts is not None and int(counts[2]) > int(counts[1])


def _retry_after(headers: Mapping[str, str]) -> float | None:
    return parse_retry_after(headers, time.time())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def json_or_none(body: Any) -> Any:
    """What a JSON text holds; None where it is no JSON."""
    try:
        return json.loads(body)
    except (TypeError, ValueError, RecursionError):
        return None


def clip(text: str) -> str:
    """The text, or its first 497 characters and an ellipsis."""
    return text if len(text) <= 500 else text[:497] + "..."
