"""Entries of other kinds among the stored answers, such as texts' vectors: bounded, timed and purged with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from turnout.ports.admission import NewEntry


class EntryStore(Protocol):
    """Looks up and stores many at once, in few round trips, however many there are. What this process holds counts
    where a configured Redis cannot be reached."""

    async def find_many(self, keys: Sequence[bytes], max_age_s: float | None) -> dict[bytes, bytes]:
        """The packed entries that are fresh, by key. max_age_s: the oldest acceptable; None: any."""
        ...

    async def store_many(self, stores: Mapping[bytes, NewEntry]) -> None:
        """Stores these, by key; all of one user and endpoint, with one lifetime."""
        ...

    async def evict(self, key: bytes) -> bool:
        """Deletes the entry of this key. Returns whether there was one. Raises StoreUnavailable."""
        ...
