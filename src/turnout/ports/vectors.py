"""Vectors of texts among the stored answers: bounded, timed and purged with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from turnout.ports.admission import Store


class VectorCache(Protocol):
    """Looks up and keeps many entries at once. Each verb is few round trips, however many entries there are."""

    async def find_vectors(self, keys: Sequence[bytes], max_age_s: float | None) -> dict[bytes, bytes]:
        """The packed vectors that are fresh, by key. max_age_s: the oldest acceptable; None: any. Raises nothing where
        a configured Redis cannot be reached: what this process holds counts then."""
        ...

    async def keep_vectors(self, stores: Mapping[bytes, Store]) -> None:
        """Keeps these, by key; of one user and endpoint."""
        ...
