"""The errors that an app meets: raised at start or by a call, or served over HTTP with a status and an OpenAI code.

TurnoutError
├── SettingsError                 refused at start: key, value, what to do
├── UsageError                    called in a way that cannot work (sync on the loop, no Turnout mounted)
├── CallerGone                    the caller hung up: nobody is left to answer
├── ArtifactError                 a scorer file that is damaged, foreign or too new
├── LogError                      labelled logs that cannot be trained on
├── StoreUnavailable              Redis, or the jobs' file, is unreachable, and nothing else would do
├── ServedError                   served to a caller of the HTTP endpoint; its table is at the end of this file
└── AttemptError                  one try of one model failed (attempt_errors.py); the app meets a ServedError instead
"""

from __future__ import annotations

import copy
import math
from typing import Any, ClassVar


class TurnoutError(Exception):
    """Root of every error that an app can meet. What one room raises to another stands beside its port."""


class SettingsError(TurnoutError):
    """A setting that is wrong, unknown or missing. The message names the key, the value and what to do."""


class UsageError(TurnoutError):
    """A call that cannot work where it was made. The message says what to do instead."""


class CallerGone(TurnoutError):
    """The caller hung up; nobody is left to answer."""


class ArtifactError(TurnoutError):
    """A scorer file that is damaged, foreign or newer than this version."""


class LogError(TurnoutError):
    """Labelled logs that cannot be read or trained on. The message names file, line and reason."""


class StoreUnavailable(TurnoutError):
    """Redis, or the jobs' file, cannot be used, and the operation cannot be done without it."""


class ServedError(TurnoutError):
    """An error that a caller of the OpenAI-compatible endpoint is served.

    `message` is shown to the caller and never holds a key or a prompt. `retry_after_s`, in seconds, becomes
    the `Retry-After` header. `headers` are added to the answer. `provider_text`: what the provider itself said, for
    the app's own code; callers are served it only with `[server] provider_errors = true`.

    A subclass names its HTTP status, its OpenAI code and, where it is not its status class's usual one, its OpenAI
    type.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    code: ClassVar[str] = "internal_error"

    def __init_subclass__(
        cls, *, status: int | None = None, code: str | None = None, error_type: str | None = None
    ) -> None:
        super().__init_subclass__()
        cls.status = status or cls.status
        cls.code = code or cls.code
        cls.type = error_type or ("invalid_request_error" if status and status < 500 else cls.type)

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        provider_text: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.told_code = code or self.code
        self.told_status = status or self.status
        self.retry_after_s = retry_after_s
        self.headers = headers
        self.provider_text = provider_text
        # Whether an outcome tells of it: what is refused before the pipeline is counted by itself.
        self.has_outcome = False

    @property
    def told_headers(self) -> tuple[tuple[str, str], ...]:
        """The error's own headers, and `Retry-After` in whole seconds where it has one."""
        if self.retry_after_s is None:
            return self.headers
        return (*self.headers, ("retry-after", str(max(1, math.ceil(self.retry_after_s)))))

    def headed(self, headers: tuple[tuple[str, str], ...]) -> ServedError:
        """Returns a copy with these headers added: callers of one flight share one error."""
        error = copy.copy(self)
        error.headers = (*self.headers, *headers)
        return error

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


# fmt: off
class InvalidRequest(ServedError, status=400, code="invalid_request_error"): ...
class ContextLengthExceeded(InvalidRequest, code="context_length_exceeded"): ...
class Unauthorized(ServedError, status=401, code="unauthorized"): ...
class NotFound(ServedError, status=404, code="not_found"): ...
class ModelNotFound(ServedError, status=404, code="model_not_found"): ...
class MethodNotAllowed(ServedError, status=405, code="method_not_allowed"): ...
class TooLarge(ServedError, status=413, code="request_too_large"): ...
class UnsupportedMediaType(ServedError, status=415, code="unsupported_media_type"): ...
class RateLimitExceeded(ServedError, status=429, code="rate_limit_exceeded", error_type="rate_limit_error"): ...
class BudgetExceeded(ServedError, status=429, code="budget_exceeded", error_type="insufficient_quota"): ...
class BudgetUnavailable(ServedError, status=503, code="budget_unavailable"): ...
class UpstreamUnavailable(ServedError, status=503, code="upstream_unavailable"): ...
class Overloaded(ServedError, status=503, code="overloaded"): ...
# Of a job alone: it goes back to its place in the queue.
class NoRoomYet(ServedError, status=503, code="overloaded"): ...
class DeadlineExceeded(ServedError, status=504, code="deadline_exceeded"): ...
# RFC 9111's answer to `only-if-cached` where no stored answer will do.
class NotCached(ServedError, status=504, code="not_cached"): ...
# A defect of ours: the message names nothing but the request id to look for in the log.
class InternalError(ServedError, status=500, code="internal_error"): ...
# fmt: on
