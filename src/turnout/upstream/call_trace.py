"""What the chain is asked for, and the record of how it went. Values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnout.attempt_errors import (
    AttemptError,
    AttemptTimeout,
    CallerFault,
    ContextTooLong,
    Misconfigured,
    OtherModelMayServe,
    UnclearRefusal,
    Unsupported,
)
from turnout.context import RunningJob
from turnout.errors import DeadlineExceeded, InvalidRequest, Overloaded, ServedError, UpstreamUnavailable
from turnout.openai.answers import Body
from turnout.openai.embeddings import Input
from turnout.openai.messages import Message
from turnout.ports.runtime import Clock
from turnout.records import Attempt, ServedTier, Skip, SkipReason

# Sent as the time to come back after where nobody knows it: about how long an answer takes.
DEFAULT_RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A configured model and the tier that it stands in. for_length: asked only where another model has said that the
    request is too long for it."""

    model: str
    tier: ServedTier
    for_length: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCall:
    """One answer wanted. Deadlines are values of the clock's monotonic: `deadline` for the first
    content-bearing chunk (of a plain call: the whole answer), `stream_deadline` for the rest of a stream.

    extra: parameters that OpenAI does not name; they travel in the body, never as litellm's own arguments.
    afford: asked before every call but the preferred candidate's first, which the reservation already covers:
    whether this candidate's worst case fits (it may top the reservation up). False: the candidate is skipped
    for the reason `budget`. None: always.
    covered: whether the reservation covers the first candidate's first call.
    own: parameters sent to one model alone, by its name. user: whose turn it is where places are waited for.
    tokens: asked where a model's tokens are limited. job: what it is made for, where nobody waits for the answer.
    inputs: of embeddings, in place of messages. second_sample: made beside the request's first call, which it is not to
    hinder: tried once, where places are free. beside_chat: see ChatRequest. optional: see ProviderCall.
    """

    messages: tuple[Message, ...]
    candidates: tuple[Candidate, ...]
    deadline: float
    stream_deadline: float
    params: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    beside_chat: Mapping[str, Any] | None = None
    token: Any = None
    afford: Callable[[Candidate], Awaitable[bool]] | None = None
    covered: bool = True
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    user: str = ""
    inputs: tuple[Input, ...] = ()
    tokens: TokenCounts | None = None
    job: RunningJob | None = None
    second_sample: bool = False
    optional: frozenset[str] = frozenset()


class TokenCounts(Protocol):
    """How many tokens a request uses at a model."""

    def most(self, model: str) -> int:
        """What it is expected to use at most."""
        ...

    def used(self, attempt: Attempt) -> int:
        """What an attempt has used."""
        ...


class CallTrace:
    """The record of one call, true at any time, also after a cancellation. Seconds.

    answer: the whole answer that a stream's chunks made, once it has ended well.
    exact: whether it says just what they do. beside: the record of a second sample; its time is another's.
    """

    def __init__(self) -> None:
        self.answer: Body = {}
        self.exact = True
        self.attempts: list[Attempt] = []
        self.skipped: list[Skip] = []
        self.waited_s = 0.0
        self.serving: Candidate | None = None
        self.dropped: tuple[str, ...] = ()
        # By model, why it gave no answer, for the log: one line without secrets.
        self.causes: dict[str, str] = {}
        self.trying_since: float | None = None
        self.waiting_since: float | None = None
        self.beside: CallTrace | None = None
        self._listened_s = 0.0

    @property
    def paid(self) -> list[Attempt]:
        """All attempts, those beside the others included."""
        return self.attempts if self.beside is None else [*self.attempts, *self.beside.attempts]

    def serve(self, candidate: Candidate, dropped: tuple[str, ...]) -> None:
        """Notes who answers, and which parameters were left out for it."""
        self.serving, self.dropped = candidate, dropped

    def inference_s(self, now: float) -> float:
        """Time spent in attempts, the one under way included."""
        ended = sum(attempt.duration_s for attempt in self.attempts)
        return ended + self._listened_s + (now - self.trying_since if self.trying_since is not None else 0.0)

    @contextmanager
    def listening(self, clock: Clock) -> Iterator[None]:
        """The block waits for what is asked beside: time in attempts, too."""
        since = self.trying_since = clock.monotonic()
        try:
            yield
        finally:
            self._listened_s += clock.monotonic() - since
            self.trying_since = None

    @contextmanager
    def waiting(self, clock: Clock) -> Iterator[None]:
        """The block waits: for a back-off, or in a waiting room."""
        since = self.waiting_since = clock.monotonic()
        try:
            yield
        finally:
            self.waited_s += clock.monotonic() - since
            self.waiting_since = None

    def waiting_s(self, now: float) -> float:
        """Time spent in back-off and in waiting rooms, the wait under way included."""
        return self.waited_s + (now - self.waiting_since if self.waiting_since is not None else 0.0)


class Failures:
    """What went wrong so far, and which error the caller gets for it in the end. present: gives each error its text."""

    def __init__(self, present: Callable[[ServedError], ServedError] = lambda error: error) -> None:
        self._present = present
        self.last: AttemptError | None = None
        # The first model's word that the request is not for it; the caller's answer where no model is for it. The first
        # word that it is too long goes before all others.
        self.refused: OtherModelMayServe | None = None
        self.refused_by: Candidate | None = None
        # Who refused it without saying whose fault that is.
        self.unclear: dict[str, UnclearRefusal] = {}
        self._full = False
        # Whether anything went wrong that is the provider's fault, not ours.
        self._theirs = False
        self._come_back: list[float] = []
        # Whether all that went wrong is a parameter that no model takes, and which.
        self._only_params = True
        self._param: str | None = None

    def add(self, fault: AttemptError, candidate: Candidate) -> None:
        """Takes in this candidate's failure. Raises the caller's error at once where the request is to blame."""
        if isinstance(fault, OtherModelMayServe):
            self.last = fault
            if isinstance(fault, UnclearRefusal):
                self.unclear[candidate.model] = fault
            longer = isinstance(fault, ContextTooLong) and not isinstance(self.refused, ContextTooLong)
            if self.refused is None or longer:
                self.refused, self.refused_by = fault, candidate
            return
        if isinstance(fault, CallerFault):
            raise self._present(fault.served()) from fault
        self.last = fault
        if isinstance(fault, Unsupported):
            self._param = self._param or fault.param
        else:
            self._only_params = False
        self._theirs = self._theirs or not isinstance(fault, Misconfigured)
        if fault.retry_after_s is not None:
            self._come_back.append(fault.retry_after_s)

    def skipped(self, reason: SkipReason, retry_after_s: float | None) -> None:
        self._only_params = False
        self._full = self._full or reason in ("full", "rate")
        self._theirs = self._theirs or reason not in ("misconfigured", "window")
        if retry_after_s is not None:
            self._come_back.append(retry_after_s)

    def served(self, past_deadline: bool) -> ServedError:
        """The error to serve."""
        return self._present(self._served(past_deadline))

    def _served(self, past_deadline: bool) -> ServedError:
        """Retry-After is when the first candidate may be worth asking again."""
        if past_deadline:
            return DeadlineExceeded("no model answered within the deadline")
        if self.refused is not None and not self._theirs:
            return self.refused.served()
        if self._only_params and isinstance(self.last, Unsupported):
            name = self._param or "what this request asks for"
            return InvalidRequest(f"no model that may answer takes {name}", param=self._param)
        text = self.last.message if self.last is not None else None
        come_back = min(self._come_back, default=DEFAULT_RETRY_AFTER_S)
        if not self._theirs:
            message = "no model is set up so that it can answer; the app's log says what is wrong"
            return UpstreamUnavailable(message, retry_after_s=come_back, provider_text=text)
        if self.last is None and self._full:
            return Overloaded("every model is busy; try again later", retry_after_s=come_back)
        return UpstreamUnavailable(
            "no model could answer; try again later", retry_after_s=come_back, provider_text=text
        )


def broken(fault: AttemptError) -> ServedError:
    """The error that a caller gets inside a stream that has begun."""
    if isinstance(fault, CallerFault):
        return fault.served()
    if isinstance(fault, AttemptTimeout):
        return DeadlineExceeded("the answer stopped coming")
    return UpstreamUnavailable("the answer broke off", provider_text=fault.message)
