"""What one room needs of another: Protocols of a few atomic verbs, and the values that pass through them.

Floor 2. Rooms above are handed implementations by `assembly.py` and never import each other for them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from turnout.openai.messages import Message, as_messages
from turnout.records import Attempt, Decision, Outcome, Tier


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the scorer sees of a request: its messages, the app's own word for whose it is (tag, "" none), the
    endpoint that it came from, which stands for a tag that is none or that the scorer does not know, and how many
    tools are offered."""

    messages: tuple[Message, ...]
    tag: str = ""
    endpoint: str = ""
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
    tag_score, tag_gain: what the tag alone tells; of an unknown tag the middle, and the logs' mean gain.
    """

    score: float
    expected_gain: float
    novelty: float = 0.0
    novel: bool = False
    tag_score: float = 0.5
    tag_gain: float = 0.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RateClaim:
    """What a request takes of one rate limit that applies to it.

    policy: the name that headers tell (`user`, `endpoint`, `user-endpoint`). key: whose counter it is, never
    a raw credential; key, unit and window make the counter. At most `limit` in any `window_s` seconds.
    amount: 1 for requests; for tokens the most that this request can use, corrected when it is over.
    """

    policy: str
    key: str
    limit: int
    window_s: int
    unit: Literal["requests", "tokens"] = "requests"
    amount: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetClaim:
    """One budget that applies to a request. Money in nano-USD, whole numbers: exact in every store.

    policy: `user`, `endpoint` or `total`. key: whose account. windows: of a calendar budget, the windows
    around now as (start, end), seconds since 1970, ascending: the store takes the one that holds its own
    now. rolling_s: of a rolling budget; exactly one of both is given.
    """

    policy: str
    key: str
    limit: int
    windows: tuple[tuple[int, int], ...] = ()
    rolling_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one request asks of the shared state, all in one.

    key: the answer's cache key; None: neither looked up, nor collapsed, nor stored.
    lookup: whether a stored answer would do (False for the caller's `no-cache`).
    collapse: whether a flight for the same key may be joined.
    max_age_s: the oldest answer that would do.
    rates: requests are checked first, tokens only where a call must be made; all or nothing. A hit and a
    follower take requests, not tokens.
    budgets, worst: worst-case costs in nano-USD, dearest first; on a miss the first that fits every budget
    is reserved.
    lease_s: how long the lease and its reservation stand where they are never given back.
    circuits: the names whose shared breaker state the Entry should tell.
    tally: the name of the Tally whose debt the Entry should tell; "": none.
    """

    key: bytes | None = None
    lookup: bool = True
    collapse: bool = True
    max_age_s: float | None = None
    rates: tuple[RateClaim, ...] = ()
    budgets: tuple[BudgetClaim, ...] = ()
    worst: tuple[int, ...] = ()
    lease_s: float = 720.0
    circuits: tuple[str, ...] = ()
    share_store: str = ""


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
    """Somebody makes this very call already. `lease` is theirs."""

    lease: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Ours to make. `lease` is handed back in the Settlement. fits: which of the Ask's `worst` is reserved."""

    lease: str
    fits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRefused:
    """A rate limit is used up; nothing was taken. retry_after_s: when the request would fit."""

    claim: RateClaim
    retry_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRefused:
    """No worst case fits this budget; nothing was taken, the rates were given back.

    retry_after_s: short while reservations are out that may be given back, else until the window turns.
    """

    claim: BudgetClaim
    retry_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """A rate limit after this request. reset_s: until `remaining` is next more than it is."""

    claim: RateClaim
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget after this request, in nano-USD. start, end: its window, seconds since 1970; of a rolling
    budget the last `rolling_s` seconds, `end` is now. Both 0: no window holds the store's own now."""

    claim: BudgetClaim
    spent: int
    reserved: int
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A breaker's state as it is shared; all default: closed and free.

    open: from its failures on until a probe has succeeded, also when its time is over and it waits for one.
    open_for_s: until it may be probed; 0 where that is now, or where it is not open.
    paused_for_s: what is left of a provider's own `Retry-After`, open or not.
    """

    open: bool = False
    open_for_s: float = 0.0
    paused_for_s: float = 0.0


Refusal = RateRefused | BudgetRefused
Verdict = Hit | Follow | Lead | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The store's answer to an Ask: the verdict, and what changes slowly and rides along.

    debt: what the named Tally stands at; None where nothing is shared, now or ever.
    """

    verdict: Verdict
    rates: tuple[RateState, ...] = ()
    budgets: tuple[BudgetState, ...] = ()
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    debt: float | None = None


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
    """What a Lead gives back when its call is over, well or badly.

    store: None keeps nothing. cost: what the call really cost, in nano-USD; None where its usage never came:
    all that is reserved counts as spent. tokens: really used; None as for cost. refused: nothing was called,
    and the caller is told so by a 429: its requests are given back too. budgets: those to tell the states of.
    """

    key: bytes | None
    lease: str
    store: Store | None = None
    cost: int | None = 0
    tokens: int | None = 0
    refused: bool = False
    budgets: tuple[BudgetClaim, ...] = ()


class Gate(Protocol):
    """The store of the request path. Each verb is one atomic step and one round trip."""

    async def enter(self, ask: Ask) -> Entry: ...

    async def leave(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        """The states, afterwards, of the budgets that the settlement names. Leaving twice changes nothing."""
        ...

    async def top_up(self, lease: str, amount: int, tokens: int = 0) -> bool:
        """Reserves this much more nano-USD, and tokens, under the lease: all or nothing. False where a budget
        or a token limit has no room for it."""
        ...

    async def stale(self, key: bytes) -> Stored | None:
        """A stored answer, fresh or past its time but still kept for fallback."""
        ...

    async def close(self) -> None: ...


class CacheAdmin(Protocol):
    """The stored answers, apart from any request."""

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        """Drops what this user stored at this endpoint; None: any. Says how many. Raises StoreUnavailable."""
        ...


class FlightLost(Exception):
    """A flight of another process cannot be followed on: its holder is gone, or a part of it was lost."""


# Begins to listen to a flight on another process' behalf: what it hears, as frames, from the first on. True:
# chunks too; False: the whole answer alone. Closing it is leaving.
Tell = Callable[[bool], AsyncGenerator[bytes, None]]


class FlightBroker(Protocol):
    """Carries flights between processes, in frames whose meaning is the pipeline's."""

    def share(self, key: bytes, lease: str, tell: Tell) -> None:
        """Keeps our lease alive until `end`, and tells the flight to each process that follows it."""
        ...

    def end(self, lease: str) -> None:
        """Nobody more may follow. Those who do hear it to its end."""
        ...

    def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        """The frames of another's flight. Ends without any where it cannot be told from its first one on.
        Raises FlightLost."""
        ...


class LocalFlightBroker:
    """The Relay of a process that shares with no other."""

    def share(self, key: bytes, lease: str, tell: Tell) -> None:
        return None

    def end(self, lease: str) -> None:
        return None

    async def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        return
        yield b""


class CircuitStore(Protocol):
    """Where breakers share what is rare: that a circuit opened, closed or is paused, and who probes it.

    What is posted rides back on every Entry whose Ask names the circuit; times run on by themselves. Never
    raises: a switchboard that cannot reach its store lets every claim through, for each process has its own
    lease besides.
    """

    async def post(self, name: str, circuit: Circuit) -> None:
        """Replaces what is known of this circuit. A closed one is told as such too, so that whoever still holds
        it for open hears of it; of a circuit that an Entry does not tell, everybody keeps their own idea."""
        ...

    async def claim(self, name: str, lease_s: float) -> bool:
        """Whether the one probe of this circuit is ours, until released or until the lease ends."""
        ...

    async def release(self, name: str) -> None:
        """Gives the probe back. Only called by whom it belongs to, and before its lease ends."""
        ...


# How many of the newest scores a Tally keeps: a share is kept by as many.
TALLIED = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareReport:
    """What one process adds to a Tally: the scores that it decided on, the newest last (of more than TALLIED the
    newest are kept), and the debt: how many of its decisions were expensive beyond the share, or (negative) short
    of it."""

    scores: tuple[float, ...] = ()
    debt: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareState:
    """How a Tally stands after an addition. debt: of all processes. count: scores ever added. scores: of what was
    added before it and `since`, the newest TALLIED, the newest last. processes: how many use the store."""

    debt: float
    count: int
    scores: tuple[float, ...] = ()
    processes: int = 1


class ShareStore(Protocol):
    """Where the processes of an app keep one share of expensive calls together. Never asked on a request's way:
    its debt rides back on the Entry."""

    async def add(self, name: str, routed: ShareReport, since: int) -> ShareState | None:
        """Adds, and tells what others did. since: the count that was told last, 0 at first; one that the Tally has
        not reached (it was lost) counts as 0. None where the store cannot be asked; never raises."""
        ...


__all__ = [
    "TALLIED",
    "Ask",
    "BudgetClaim",
    "BudgetRefused",
    "BudgetState",
    "CacheAdmin",
    "Circuit",
    "CircuitStore",
    "Clock",
    "Decision",
    "Entry",
    "FlightBroker",
    "FlightLost",
    "Follow",
    "Gate",
    "Hit",
    "Lead",
    "LocalFlightBroker",
    "Observer",
    "Provider",
    "ProviderCall",
    "Query",
    "RateClaim",
    "RateRefused",
    "RateState",
    "Refusal",
    "Score",
    "Scorer",
    "Settlement",
    "ShareReport",
    "ShareState",
    "ShareStore",
    "Store",
    "Stored",
    "Tell",
    "Verdict",
]
