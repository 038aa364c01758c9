"""The questions whose stored answers may serve similar ones: their vectors, and where these are kept."""

from __future__ import annotations

from collections.abc import Sequence
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


class CheckStore(Protocol):
    """Sums how the checks of all workers ended; restarts keep the sums, a purge of everything ends them."""

    async def add(self, name: str, batch: str, counts: Sequence[int]) -> Sequence[int] | None:
        """Adds to the sums of this name, and returns them, as many; None where the store cannot be asked. batch: an id
        of its own, so that one sent again counts once."""
        ...
