"""Admission of a request by the store: limits, stored answers, flights and reservations in one round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from turnout.ports.limits import BudgetClaim, BudgetState, RateClaim, RateState, Refusal
from turnout.ports.sharing import Circuit


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Everything that one request asks of the shared state.

    key: the answer's cache key; None: neither looked up, nor collapsed, nor stored.
    lookup: whether a stored answer is acceptable (False for the caller's `no-cache`).
    collapse: whether a flight for the same key may be joined.
    max_age_s: the oldest acceptable answer; None: any.
    rates: requests are checked first, tokens and calls in progress only where a call must be made; all or nothing.
    A hit and a follower take requests alone.
    budgets, worst: worst-case costs in nano-USD, dearest first; on a miss the first that fits every budget
    is reserved.
    lease_s: how long the lease and its reservation last where they are never given back.
    circuits: the names whose shared breaker state the Entry is to carry.
    share_name: the name of the share whose debt the Entry is to carry; "": none.
    pin: the key of the conversation whose pin a Lead's Entry is to carry; "": none.
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
    share_name: str = ""
    pin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A cached answer: its packed bytes (caching/entries.py) and its age in seconds."""

    packed: bytes
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPin:
    """What was kept of a conversation's last turn, opaque to stores, and its age in seconds."""

    packed: bytes
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PinUpdate:
    """What to keep of a conversation for `ttl_s`. key: names it, for its user alone. user: a `user_key`."""

    key: str
    packed: bytes
    ttl_s: float
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fresh stored answer."""

    stored: Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Another request makes this very call already. `lease` is that request's."""

    lease: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """This request makes the call. lease: handed back in the Settlement. fits: the index of the Ask's `worst` that is
    reserved."""

    lease: str
    fits: int = 0


GateVerdict = Hit | Follow | Lead | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The store's answer to an Ask: the verdict, and what changes slowly and is sent along with it.

    debt: of the share that the Ask names (see ShareReport); None where nothing is shared.
    """

    verdict: GateVerdict
    rates: tuple[RateState, ...] = ()
    budgets: tuple[BudgetState, ...] = ()
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    debt: float | None = None
    pin: StoredPin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An answer to store: fresh for `ttl_s`, then kept as a fallback for `stale_s` more. user: a `user_key`."""

    packed: bytes
    ttl_s: float
    stale_s: float
    user: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a Lead gives back when its call has ended, in success or failure.

    store: the answer to store, if any. cost: the call's real cost in nano-USD; None where its usage is unknown: all
    that is reserved counts as spent. tokens: really used; None as for cost. refused: nothing was called and the
    caller gets a 429: its requests are given back too. budgets: those whose states are returned. pin: what to keep of
    the conversation.
    """

    key: bytes | None
    lease: str
    store: NewEntry | None = None
    cost: int | None = 0
    tokens: int | None = 0
    refused: bool = False
    budgets: tuple[BudgetClaim, ...] = ()
    pin: PinUpdate | None = None


class Gate(Protocol):
    """The store of the request path. Each method is one atomic step and one round trip."""

    async def enter(self, ask: Ask) -> Entry:
        """Checks the limits, looks for an answer or a flight, else reserves the cost; returns what it decided."""
        ...

    async def leave(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        """Settles, and returns the states of the budgets that the settlement names. Leaving twice changes nothing."""
        ...

    async def top_up(self, lease: str, amount: int, tokens: int = 0) -> bool:
        """Reserves so much more nano-USD, and tokens, under the lease: all or nothing. False where a budget or a
        token limit has no room for it."""
        ...

    async def stale(self, key: bytes) -> Stored | None:
        """Returns a stored answer, fresh or stale, or None."""
        ...

    async def close(self) -> None: ...


class CacheAdmin(Protocol):
    """Administers the stored answers, outside of any request."""

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        """Deletes what this user (a `user_key`) stored at this endpoint; None: any. Returns how many. Where no endpoint
        is named, the pins of their conversations go too. Raises StoreUnavailable."""
        ...

    async def evict(self, key: bytes) -> bool:
        """Deletes the answer of this cache key. Returns whether there was one. Raises StoreUnavailable."""
        ...
