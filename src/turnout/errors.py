"""Every error Turnout raises, each of which knows its own HTTP status and OpenAI code.

TurnoutError
├── SettingsError                 refused at start: key, value, what to do
├── UsageError                    called in a way that cannot work (sync on the loop, no Turnout mounted)
├── CallerGone                    the caller hung up: nobody is left to be told anything
├── ArtifactError                 a scorer file that is damaged, foreign or too new
├── LogError                      labelled logs that cannot be trained on
├── StoreUnavailable              Redis cannot be asked, where nothing else would do
├── ServedError                   what a caller of the HTTP endpoint can be told
│   ├── InvalidRequest        400 invalid_request_error      (param says where)
│   ├── Unauthenticated       401 invalid_api_key
│   ├── NotFound              404 not_found
│   ├── ModelNotFound         404 model_not_found
│   ├── MethodNotAllowed      405 method_not_allowed
│   ├── Conflict              409 idempotency_conflict
│   ├── TooLarge              413 request_too_large
│   ├── UnsupportedMediaType  415 unsupported_media_type
│   ├── RateLimitExceeded     429 rate_limit_exceeded
│   ├── BudgetExceeded        429 budget_exceeded            (type insufficient_quota)
│   ├── BudgetUnavailable     503 budget_unavailable
│   ├── UpstreamUnavailable   503 upstream_unavailable
│   ├── Overloaded            503 overloaded
│   ├── DeadlineExceeded      504 deadline_exceeded
│   └── InternalError         500 internal_error
└── AttemptError                  one try of one model failed; never leaves upstream/ but as one of the above
    ├── CallerFault               the request is to blame (400, 413, 422, content policy): told, not retried
    ├── Misconfigured             our key or model name is to blame (401, none): next candidate, and left alone
    │   ├── Denied                402, 403, 404, 405: ours to mend, unless it is this request's doing
    │   └── Unsupported           this model takes not what this request asks for: says nothing of the next one
    ├── ProviderRateLimited       429: a pause, not a failure
    ├── AttemptTimeout            connect, first token, between chunks or the whole attempt
    │   └── CutShort              our own deadline left it too little time: says nothing of the provider
    ├── ConnectionFailed          reset, or lost on the way
    │   └── NotConnected          refused, unresolved, never accepted: nothing was sent, so nothing is billed
    ├── ProviderFailed            5xx
    └── MalformedReply            not JSON, no choices, an error inside a 200, a stream cut short
"""

from __future__ import annotations

import copy
import math
from typing import Any, ClassVar


class TurnoutError(Exception):
    """Root of every error that Turnout raises on purpose."""


class SettingsError(TurnoutError):
    """A setting that is wrong, unknown or missing. The message names the key, the value and what to do."""


class UsageError(TurnoutError):
    """A call that cannot work where it was made. The message says what to do instead."""


class CallerGone(TurnoutError):
    """The caller hung up; nobody is left to be told anything."""


class ArtifactError(TurnoutError):
    """A scorer file that is damaged, foreign or newer than this version."""


class LogError(TurnoutError):
    """Labelled logs that cannot be read or trained on. The message names file, line and reason."""


class StoreUnavailable(TurnoutError):
    """Redis cannot be asked, and what was wanted cannot be done without it."""


class ServedError(TurnoutError):
    """An error that a caller of the OpenAI-compatible endpoint is told.

    `message` is shown to the caller and never holds a key or a prompt. `retry_after_s`, in seconds, becomes
    the `Retry-After` header. `headers` are added to the answer.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.told_code = code or self.code
        self.told_status = status or self.status
        self.retry_after_s = retry_after_s
        self.headers = headers

    @property
    def told_headers(self) -> tuple[tuple[str, str], ...]:
        """What is sent beside the body: the error's own headers and when to come back, in whole seconds."""
        if self.retry_after_s is None:
            return self.headers
        return (*self.headers, ("retry-after", str(max(1, math.ceil(self.retry_after_s)))))

    def headed(self, headers: tuple[tuple[str, str], ...]) -> ServedError:
        """The same error with these headers more. A copy: callers of one flight share one error."""
        told = copy.copy(self)
        told.headers = (*self.headers, *headers)
        return told

    def to_openai(self) -> dict[str, Any]:
        """The body of OpenAI's error answers: `{"error": {"message", "type", "code", "param"}}`."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "code": self.told_code,
                "param": self.param,
            }
        }


class InvalidRequest(ServedError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_request_error"


class Unauthenticated(ServedError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class NotFound(ServedError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(ServedError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class MethodNotAllowed(ServedError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class Conflict(ServedError):
    status = 409
    type = "invalid_request_error"
    code = "idempotency_conflict"


class TooLarge(ServedError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class UnsupportedMediaType(ServedError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class RateLimitExceeded(ServedError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retryable = True


class BudgetExceeded(ServedError):
    status = 429
    type = "insufficient_quota"
    code = "budget_exceeded"


class BudgetUnavailable(ServedError):
    status = 503
    type = "api_error"
    code = "budget_unavailable"
    retryable = True


class UpstreamUnavailable(ServedError):
    status = 503
    type = "api_error"
    code = "upstream_unavailable"
    retryable = True


class Overloaded(ServedError):
    status = 503
    type = "api_error"
    code = "overloaded"
    retryable = True


class DeadlineExceeded(ServedError):
    status = 504
    type = "api_error"
    code = "deadline_exceeded"
    retryable = True


class InternalError(ServedError):
    """A defect of ours. The message tells nothing but the request id to look for in the log."""


class AttemptError(TurnoutError):
    """One try of one model failed.

    `retryable`: the same model may be tried again. `counts`: the breaker takes it as a failure.
    `status` is the provider's HTTP status where there was one, `retry_after_s` its `Retry-After` in seconds.
    `kind` is the low-cardinality word that spans and metrics carry as `error.type`.
    """

    kind: ClassVar[str] = "attempt_error"
    retryable: ClassVar[bool] = False
    counts: ClassVar[bool] = False

    def __init__(self, message: str, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s


class CallerFault(AttemptError):
    """The request itself is to blame: told to the caller as it is, without retry or fallback."""

    kind = "caller_fault"

    def __init__(self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message, status=status)
        self.code = code
        self.param = param

    def served(self) -> ServedError:
        """The error that the caller is told: the provider's own status among 400, 413 and 422."""
        told = TooLarge if self.status == 413 else InvalidRequest
        return told(self.message, status=self.status, code=self.code, param=self.param)


class Misconfigured(AttemptError):
    """The provider refuses our key, or the model's name is nobody's. Another model may still serve; this one fails
    every request until it is mended, so its breaker opens at once."""

    kind = "misconfigured"


class Denied(Misconfigured):
    """Refused as a wrong name, address, account or permission is; but some providers answer so to a flagged input, to
    a feature that a model lacks or to a request that is too dear, as well. Of a model that has answered well before
    it counts as a failure; of any other its breaker opens at once."""


class Unsupported(Misconfigured):
    """The model does not know a parameter of this request. Without the parameter it may answer."""


class ProviderRateLimited(AttemptError):
    kind = "rate_limited"
    retryable = True


class AttemptTimeout(AttemptError):
    """It took too long. Not tried again: what time is left is the next candidate's."""

    kind = "timeout"
    counts = True


class CutShort(AttemptTimeout):
    """Our own deadline ended it, before the provider had a fair chance."""

    counts = False


class ConnectionFailed(AttemptError):
    kind = "connection"
    retryable = True
    counts = True


class NotConnected(ConnectionFailed):
    kind = "not_connected"


class ProviderFailed(AttemptError):
    kind = "provider_error"
    retryable = True
    counts = True


class MalformedReply(AttemptError):
    kind = "malformed_reply"
    retryable = True
    counts = True
