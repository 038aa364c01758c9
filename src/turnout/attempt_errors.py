"""The errors of one try of one model, as a provider raises them. None leaves upstream/ but as a ServedError.

AttemptError
├── CallerFault                   the request is to blame (400, 413, 422, content policy): served, not retried
├── Misconfigured                 our key or model name is to blame (401, none): next candidate, circuit opens
│   ├── Denied                    402, 403, 404, 405: ours to mend, unless it is this request's doing
│   └── Unsupported               this model lacks what this request asks for: says nothing about the next request
├── ProviderRateLimited           429: a pause, not a failure
├── AttemptTimeout                connect, first token, between chunks or the whole attempt
│   └── CutShort                  our own deadline left it too little time: says nothing about the provider
├── ConnectionFailed              reset, or lost on the way
│   └── NotConnected              refused, unresolved, never accepted: nothing was sent, so nothing is billed
├── ProviderFailed                5xx
└── MalformedReply                not JSON, no choices, an error inside a 200, a stream cut short
"""

from __future__ import annotations

from typing import ClassVar

from turnout.errors import InvalidRequest, ServedError, TooLarge, TurnoutError


class AttemptError(TurnoutError):
    """One try of one model failed.

    A subclass names its `kind`, the low-cardinality word that spans and metrics carry as `error.type`; whether it is
    `retryable` (the same model may be tried again); and whether it `counts` as a failure of the circuit.
    `status` is the provider's HTTP status where there was one, `retry_after_s` its `Retry-After` in seconds.
    """

    kind: ClassVar[str] = "attempt_error"
    retryable: ClassVar[bool] = False
    counts: ClassVar[bool] = False

    def __init_subclass__(
        cls, *, kind: str | None = None, retryable: bool | None = None, counts: bool | None = None
    ) -> None:
        super().__init_subclass__()
        cls.kind = kind or cls.kind
        cls.retryable = cls.retryable if retryable is None else retryable
        cls.counts = cls.counts if counts is None else counts

    def __init__(self, message: str, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s


class CallerFault(AttemptError, kind="caller_fault"):
    """The request itself is to blame: served to the caller as it is, without retry or fallback."""

    def __init__(self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message, status=status)
        self.code = code
        self.param = param

    def served(self) -> ServedError:
        """The error to serve: with the provider's own status among 400, 413 and 422."""
        kind = TooLarge if self.status == 413 else InvalidRequest
        return kind(self.message, status=self.status, code=self.code, param=self.param)


class Misconfigured(AttemptError, kind="misconfigured"):
    """The provider refuses our key, or nobody has a model of this name. Another model may still serve; this one fails
    every request until it is mended, so its circuit opens at once."""


class Denied(Misconfigured):
    """Refused as a wrong name, address, account or permission is; but some providers answer so to a flagged input, to
    a feature that a model lacks or to a request that is too dear, as well. Of a model that has answered well before
    it counts as a failure; of any other the circuit opens at once."""


class Unsupported(Misconfigured):
    """The model does not know a parameter of this request (`param`, where known). Without it it may answer."""

    def __init__(self, message: str, *, status: int | None = None, param: str | None = None) -> None:
        super().__init__(message, status=status)
        self.param = param


class ProviderRateLimited(AttemptError, kind="rate_limited", retryable=True):
    """The provider answers 429."""


class AttemptTimeout(AttemptError, kind="timeout", counts=True):
    """It took too long. Not tried again: the time that is left is the next candidate's."""


class CutShort(AttemptTimeout, counts=False):
    """Our own deadline ended it, before the provider had a fair chance."""


class ConnectionFailed(AttemptError, kind="connection", retryable=True, counts=True):
    """The connection was reset or lost after the request may have been sent."""


class NotConnected(ConnectionFailed, kind="not_connected"):
    """No connection came about: nothing was sent."""


class ProviderFailed(AttemptError, kind="provider_error", retryable=True, counts=True):
    """The provider answers 5xx."""


class MalformedReply(AttemptError, kind="malformed_reply", retryable=True, counts=True):
    """The reply is no valid answer, or breaks off."""
