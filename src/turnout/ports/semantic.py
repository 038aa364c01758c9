"""The questions whose stored answers may serve similar ones: their vectors, and where these are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Embedder(Protocol):
    """Gives texts their vectors. May raise anything: a question without a vector is a miss."""

    async def embed(self, text: str) -> bytes:
        """The vector of the text: 32-bit little-endian floats of unit length, as many for each text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticEntry:
    """A question with a stored answer.

    key: its answer's cache key. scope: 16 bytes of all that shapes the answer but the last user turn; questions of
    different scopes never meet. question: the last user turn. vector: as an Embedder gives it. user: a `user_key`.
    fresh_until: seconds since 1970.
    """

    key: bytes
    scope: bytes
    question: str
    vector: bytes = field(repr=False)
    fresh_until: float
    user: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry, and the cosine between its vector and the one that was asked for, in [-1, 1]."""

    entry: SemanticEntry
    similarity: float


class SemanticStore(Protocol):
    """Keeps the entries, bounded. Looking one up is this process' own affair: no round trip."""

    async def add(self, entry: SemanticEntry) -> None:
        """Keeps the entry, in the place of one with its key. May be forgotten at any time."""
        ...

    async def nearest(self, scope: bytes, vector: bytes, count: int, now: float) -> Sequence[Neighbour]:
        """Of this scope's entries that are fresh at `now` the most similar, the nearest first."""
        ...

    async def remove(self, key: bytes) -> bool:
        """Forgets the entry of this answer. Returns whether there was one. Raises StoreUnavailable where a shared store
        cannot be asked."""
        ...

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        """Forgets what this user (a `user_key`) asked at this endpoint; None: any. Returns how many. Raises
        StoreUnavailable where a shared store cannot be asked."""
        ...

    async def close(self) -> None:
        """Ends what it does in the background."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PairResult:
    """What a check or a rating taught about two questions of one scope: whether their answers agree.

    known, asked: the digests of the stored question and of the one that was asked. words: each word that only `asked`
    has, and what stood in its place. answer: a digest of the answer that both got; b"" where they differ. sketch: of
    `asked`. refused: words that are learnt no more. users: whose question `known` is, and who asked (`user_key`s).
    """

    scope: bytes
    known: bytes
    asked: bytes
    agrees: bool
    words: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = b""
    sketch: bytes = b""
    refused: tuple[str, ...] = ()
    users: tuple[str, str]


@dataclass(frozen=True, slots=True)
class UninformativeAnswer:
    """An answer, by its digest, that questions unlike each other got: it tells nothing about any."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class RatedWrong:
    """A request whose answer a rating found wrong, at a worker that had not served it."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Purged:
    """A purge of a user (a `user_key`), or with "" of all: what was learnt before is forgotten."""

    user: str


# What workers tell each other.
CheckResult = PairResult | UninformativeAnswer | RatedWrong
RESULTS_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckBatch:
    """What one worker has checked and learnt: RESULTS_AT_ONCE at most. number: from 1 on at each worker, so that one
    that is sent again counts once; 0 for nothing. begun: when the oldest check in it was made, or earlier, by the
    worker's own clock."""

    worker: str
    number: int
    begun: float
    counts: Sequence[int]
    results: Sequence[CheckResult] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeResult:
    """sums: of all workers' counts. results: of any worker, in the order in which all get them. last: where these end.
    more: whether there are more already."""

    sums: Sequence[int]
    results: Sequence[CheckResult | Purged]
    last: str
    more: bool


class CheckStore(Protocol):
    """Where workers share how their checks ended. Restarts keep it; what a purge forgot does not come back."""

    async def exchange(self, name: str, batch: CheckBatch, age_s: float, since: str) -> ExchangeResult | None:
        """Adds the batch's counts to the sums of this name and its results to those of all; returns the sums, and the
        results after `since`, a `last` or "". None where the store cannot be asked. age_s: how long ago it was begun;
        what a purge since then has forgotten is not added."""
        ...
