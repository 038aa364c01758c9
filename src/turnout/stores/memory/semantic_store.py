"""The questions of semantic answers in the process's own memory: an exact index a scope, bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from turnout.ports.semantic import Neighbour, SemanticEntry

# Of one scope: 10,000 vectors of 256 numbers are compared in half a millisecond, on the event loop.
MOST_OF_A_SCOPE = 10_000
_ROOM = 16
# Expired entries that one look-up clears away.
DROPPED_AT_ONCE = 100


class VectorIndex:
    """The vectors of one scope, compared with each. Not for several threads."""

    def __init__(self, dimensions: int) -> None:
        self._matrix: Any = np.empty((_ROOM, dimensions), dtype=np.float32)
        self._keys: list[bytes] = []
        self._places: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def dimensions(self) -> int:
        return int(self._matrix.shape[1])

    def add(self, key: bytes, vector: bytes) -> None:
        """Puts the vector in place of the key's last one."""
        self.remove(key)
        place = len(self._keys)
        if place == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._matrix[place] = np.frombuffer(vector, dtype="<f4")
        self._keys.append(key)
        self._places[key] = place

    def remove(self, key: bytes) -> None:
        place = self._places.pop(key, None)
        if place is None:
            return
        last = self._keys.pop()
        if last != key:
            self._matrix[place] = self._matrix[len(self._keys)]
            self._keys[place] = last
            self._places[last] = place

    def nearest(self, vector: bytes, count: int) -> list[tuple[bytes, float]]:
        """The keys of the most similar vectors and their cosines, the nearest first."""
        # Not `@`: BLAS would divide so small a product among threads, and wait for each of them on a busy machine.
        similarities = np.einsum("ij,j->i", self._matrix[: len(self._keys)], np.frombuffer(vector, dtype="<f4"))
        if count < len(similarities):
            best = np.argpartition(-similarities, count - 1)[:count]
        else:
            best = np.arange(len(similarities))
        ordered = best[np.argsort(-similarities[best], kind="stable")]
        return [(self._keys[place], float(similarities[place])) for place in ordered]


class MemorySemanticStore:
    """Implements SemanticStore. Where it is full, the entry added longest ago goes. max_entries: of all scopes."""

    def __init__(self, *, max_entries: int, most_of_a_scope: int = MOST_OF_A_SCOPE) -> None:
        self._max_entries = max_entries
        self._most_of_a_scope = most_of_a_scope
        self._entries: OrderedDict[bytes, SemanticEntry] = OrderedDict()
        self._scopes: dict[bytes, VectorIndex] = {}
        self._ages: dict[bytes, OrderedDict[bytes, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> list[SemanticEntry]:
        """All of them, the oldest first."""
        return list(self._entries.values())

    async def add(self, entry: SemanticEntry) -> None:
        self._drop(entry.key)
        index = self._scopes.get(entry.scope)
        if index is not None and index.dimensions * 4 != len(entry.vector):
            # Of another embedder: the two are not comparable.
            for key in list(self._ages[entry.scope]):
                self._drop(key)
            index = None
        if index is None:
            index = self._scopes[entry.scope] = VectorIndex(len(entry.vector) // 4)
            self._ages[entry.scope] = OrderedDict()
        index.add(entry.key, entry.vector)
        self._ages[entry.scope][entry.key] = None
        self._entries[entry.key] = entry
        if len(index) > self._most_of_a_scope:
            self._drop(next(iter(self._ages[entry.scope])))
        if len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries)))

    def nearest(self, scope: bytes, vector: bytes, count: int, now: float) -> Sequence[Neighbour]:
        index = self._scopes.get(scope)
        if index is None or index.dimensions * 4 != len(vector):
            return ()
        self._drop_expired(scope, now)
        found = (Neighbour(self._entries[key], similarity) for key, similarity in index.nearest(vector, count))
        return [neighbour for neighbour in found if neighbour.entry.fresh_until > now]

    def _drop_expired(self, scope: bytes, now: float) -> None:
        """Some of the scope's oldest: no look-up pays for all that have expired since the last one."""
        for key in list(islice(self._ages[scope], DROPPED_AT_ONCE)):
            if self._entries[key].fresh_until > now:
                return
            self._drop(key)

    async def remove(self, key: bytes) -> bool:
        found = key in self._entries
        self._drop(key)
        return found

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        matching = [
            entry.key
            for entry in self._entries.values()
            if (user is None or entry.user == user) and (endpoint is None or entry.endpoint == endpoint)
        ]
        for key in matching:
            self._drop(key)
        return len(matching)

    async def close(self) -> None:
        return None

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        index = self._scopes[entry.scope]
        index.remove(key)
        del self._ages[entry.scope][key]
        if not len(index):
            del self._scopes[entry.scope], self._ages[entry.scope]
