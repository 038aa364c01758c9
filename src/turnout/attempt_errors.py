"""The errors of one try of one model, as a provider raises them. None leaves upstream/ but as a ServedError.

AttemptError
├── CallerFault                   the request is to blame (400, 413, 422, content policy): served, not retried
│   └── OtherModelMayServe        this model cannot take the request, another may: served where none does
│       ├── ContextTooLong        longer than the model's window: a model with a larger one may take it
│       ├── RequestTooLarge       a 413, or a 429 that no waiting lets through
│       ├── UnclearRefusal        a 400 that says nothing of whose fault it is
│       └── NotSendable           it could not be put in the provider's form: nothing was sent
├── Misconfigured                 our key or model name is to blame (401, none): next candidate, circuit opens
│   ├── Denied                    402, 403, 404, 405, a 429 for want of credit: for the app to fix
│   │   └── UnclearDenial         one that says nothing of whose fault it is: a caller can cause it
│   └── Unsupported               this model lacks what this request asks for: says nothing about the next request
├── ProviderRateLimited           429: a pause, not a failure
├── AttemptTimeout                connect, first token, between chunks or the whole attempt
│   └── CutShort                  our own deadline left it too little time: says nothing about the provider
├── ConnectionFailed              reset, or lost on the way
│   └── NotConnected              refused, unresolved, never accepted: nothing was sent, so nothing is billed
├── ProviderFailed                5xx
├── MalformedReply                not JSON, no choices, an error inside a 200, a stream cut short
│   ├── NoAnswer                  in good order, with nothing in it, or more than is read: a caller can cause it
│   └── Unreadable                litellm could not read it: says nothing about the provider
└── UnforeseenError               an exception that nobody foresaw: ours to fix, says nothing about the provider
"""

from __future__ import annotations

import re
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


# What a caller reads: never a provider's own words, which may name the app's key, account or hidden messages.
_TEXTS = {
    "context_length_exceeded": "the request is longer than the model's context window",
    "content_filter": "the provider's content policy refuses this request",
    "content_policy_violation": "the provider's content policy refuses this request",
    "request_too_large": "the request is too large for this model",
}
_NAME = re.compile(r"[A-Za-z][\w.\[\]-]{0,79}")


class CallerFault(AttemptError, kind="caller_fault"):
    """The request itself is to blame: served to the caller, without retry or fallback."""

    def __init__(self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message, status=status)
        self.code = code if code and _NAME.fullmatch(code) else None
        self.param = param if param and _NAME.fullmatch(param) else None

    @property
    def text(self) -> str:
        """What the caller reads: Turnout's own text, not the provider's."""
        known = _TEXTS.get(self.code or ("request_too_large" if self.status == 413 else ""))
        if known:
            return known
        about = f"; it names the parameter {self.param}" if self.param else ""
        return f"the provider refuses this request as invalid{about}"

    def served(self) -> ServedError:
        """The error to serve: with the provider's own status among 400, 413 and 422, and a text of ours."""
        kind = TooLarge if self.status == 413 else InvalidRequest
        return kind(self.text, status=self.status, code=self.code, param=self.param, provider_text=self.message or None)


class OtherModelMayServe(CallerFault):
    """This model cannot take the request; another may. Served where none does."""


class ContextTooLong(OtherModelMayServe):
    """The request is longer than the model's window. window: in tokens, where the provider says it."""

    CODE: ClassVar[str] = "context_length_exceeded"

    def __init__(self, message: str, *, window: int | None = None, param: str | None = "messages") -> None:
        super().__init__(message, status=400, code=self.CODE, param=param)
        self.window = window

    @property
    def text(self) -> str:
        size = f" of {self.window} tokens" if self.window else ""
        return f"{_TEXTS[self.CODE]}{size}"


class RequestTooLarge(OtherModelMayServe):
    """The request is above a limit of this model's or its account's by itself: no waiting lets it through."""


class UnclearRefusal(OtherModelMayServe):
    """A refusal that does not say whose fault it is. Where another model answers the same request it was ours, where
    every other refuses it too it is the caller's."""


class NotSendable(OtherModelMayServe):
    """The request could not be put in this provider's form, so nothing was sent. text: what the caller reads."""

    def __init__(self, message: str, *, param: str | None = None, text: str | None = None) -> None:
        super().__init__(message, status=400, param=param)
        self._text = text or "this request cannot be put in the form that the model's provider takes"

    @property
    def text(self) -> str:
        return self._text


class Misconfigured(AttemptError, kind="misconfigured"):
    """The provider refuses our key, or nobody has a model of this name. Another model may still serve; this one fails
    every request until it is mended, so its circuit opens at once."""


class Denied(Misconfigured):
    """Refused for the model's name, its address, our account or what it may. Of a model that has answered well before
    it counts as a failure; of any other the circuit opens at once."""


class UnclearDenial(Denied):
    """Refused with the same statuses, in no words that tell whose fault it is: providers, and the firewalls before
    them, answer so to what a request holds, too. Of a model that has answered well before it says nothing; of any other
    the circuit opens at once."""


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


class NoAnswer(MalformedReply, counts=False):
    """The reply is in good order, and holds nothing that could be served, or more than is read. What a caller asks for
    may be the cause."""


class Unreadable(MalformedReply, counts=False):
    """litellm could not read the stream, by its own fault or by the provider's: it does not tell which."""


class UnforeseenError(AttemptError, kind="internal_error"):
    """An exception of one attempt that nobody foresaw. The next candidate is asked."""
