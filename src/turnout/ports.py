"""What one room needs of another: Protocols of a few atomic verbs, and the values that pass through them.

Floor 2. Rooms above are handed implementations by `assembly.py` and never import each other for them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnout.messages import Message, as_messages
from turnout.outcome import Attempt, Decision, Outcome, Tier

# ------------------------------------------------------------------------------------------------- time


class Clock(Protocol):
    """Time as an argument. Seconds everywhere."""

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean anything."""
        ...

    def time(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after this many seconds."""
        ...

    def timeout_at(self, when: float | None) -> AbstractAsyncContextManager[Any]:
        """Cancels its block and raises TimeoutError once `monotonic()` reaches `when`; None: never."""
        ...


# ---------------------------------------------------------------------------------------------- scoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the scorer sees of a request: its messages, the app's tag ("" unknown), how many tools are offered."""

    messages: tuple[Message, ...]
    tag: str = ""
    tools: int = 0

    @classmethod
    def from_text(cls, text: str, tag: str = "") -> Query:
        """The query of one plain user message."""
        return cls(messages=as_messages(text), tag=tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A scorer's answer.

    score: the expected gain's rank among the training logs, in [0, 1]. expected_gain: in [-1, 1].
    novelty: 0 (like the logs) to 1. novel: unlike enough that the score must not be trusted.
    """

    score: float
    expected_gain: float
    novelty: float = 0.0
    novel: bool = False


class Scorer(Protocol):
    """Scores how much a request gains from the expensive tier. Synchronous: microseconds, no I/O."""

    @property
    def version(self) -> str:
        """Changes whenever the same request could get another score; part of every cache key."""
        ...

    @property
    def is_default(self) -> bool:
        """Whether this is the prior that ships with the library, not trained on the app's own logs."""
        ...

    def score(self, query: Query) -> Score: ...


# --------------------------------------------------------------------------------------------- provider


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """One call of one model. `params` are OpenAI's, of the caller; the plug adds the model's own."""

    model: str
    messages: tuple[Message, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 30.0
    connect_timeout_s: float = 5.0


class Provider(Protocol):
    """The way out to the models. Raises AttemptError and nothing else (but cancellation)."""

    async def load(self) -> None:
        """Whatever is slow and happens once, such as imports. Idempotent."""
        ...

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        """The provider's `chat.completion` object."""
        ...

    def stream(self, call: ProviderCall) -> AsyncGenerator[dict[str, Any], None]:
        """The provider's `chat.completion.chunk` objects, the last one with `usage` where it is told.
        Closing it ends the provider's call."""
        ...

    async def close(self) -> None: ...


# -------------------------------------------------------------------------------------------- telemetry


class Observer(Protocol):
    """Told of each request and attempt. Never raises, never blocks. A token is the observer's own."""

    def request_started(self, request_id: str) -> Any:
        """A token for this request, given back to the other verbs."""
        ...

    def request_ended(self, token: Any, outcome: Outcome) -> None: ...

    def attempt_started(self, token: Any, call: ProviderCall, *, tier: Tier, stream: bool) -> Any:
        """A token for this attempt. Called and ended in the same task."""
        ...

    def attempt_ended(self, token: Any, attempt: Attempt) -> None: ...

    def event(self, token: Any, name: str, attributes: Mapping[str, str | int | float | bool]) -> None:
        """Something that happened while serving the request; `token` may be None."""
        ...


# ------------------------------------------------------------------------------------------- the stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one request asks of the shared state, all in one.

    key: the answer's cache key; None: neither looked up, nor collapsed, nor stored.
    lookup: whether a stored answer would do (False for the caller's `no-cache`).
    collapse: whether a flight for the same key may be joined.
    max_age_s: the oldest answer that would do.
    """

    key: bytes | None = None
    lookup: bool = True
    collapse: bool = True
    max_age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A cached answer: its packed bytes (caching/entries.py) and its age in seconds."""

    packed: bytes
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fresh stored answer."""

    stored: Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Somebody makes this very call already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Ours to make. `lease` is handed back in the Settlement."""

    lease: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The store's answer to an Ask."""

    verdict: Hit | Follow | Lead


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An answer to keep: fresh for `ttl_s`, kept for fallback for `stale_s` more."""

    packed: bytes
    ttl_s: float
    stale_s: float
    user: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a Lead gives back when its call is over, well or badly. `store` is None: keep nothing."""

    key: bytes | None
    lease: str
    store: Store | None = None


class Gate(Protocol):
    """The store of the request path. Each verb is one atomic step and one round trip."""

    async def enter(self, ask: Ask) -> Entry: ...

    async def leave(self, settlement: Settlement) -> None: ...

    async def stale(self, key: bytes) -> Stored | None:
        """A stored answer, fresh or past its time but still kept for fallback."""
        ...

    async def close(self) -> None: ...


__all__ = [
    "Ask",
    "Clock",
    "Decision",
    "Entry",
    "Follow",
    "Gate",
    "Hit",
    "Lead",
    "Observer",
    "Provider",
    "ProviderCall",
    "Query",
    "Score",
    "Scorer",
    "Settlement",
    "Store",
    "Stored",
]
