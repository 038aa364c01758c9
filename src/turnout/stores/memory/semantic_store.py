"""The questions of semantic answers in the process's own memory: an index a scope, bounded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import numpy as np

from turnout.install_line import install_line
from turnout.ports.semantic import Neighbour, SemanticEntry
from turnout.stores.memory.split_dict import AgedKeys, SplitDict
from turnout.stores.memory.vector_index import GrowingIndex, IndexThread, load_graphs

log = logging.getLogger("turnout")

# Of one scope: 10,000 vectors of 256 numbers are compared in half a millisecond. Without graphs no scope holds more.
GRAPH_ABOVE = 10_000
# Entries that one look-up, or one turn of a purge, clears away: each takes 40 microseconds, and the loop waits.
DROPPED_AT_ONCE = 16


class MemorySemanticStore:
    """Implements SemanticStore. Where it is full, the entry added longest ago goes. max_entries: of all scopes.
    graph_above: so many vectors of a scope are compared with each. graphs: whether there are graphs for more; None:
    where their package is installed."""

    def __init__(self, *, max_entries: int, graph_above: int = GRAPH_ABOVE, graphs: bool | None = None) -> None:
        graphs = load_graphs() if graphs is None else graphs
        self._max_entries = max_entries
        self._most_of_a_scope = max_entries if graphs else graph_above
        self._graph_above = graph_above if graphs else None
        self._thread = IndexThread()
        self._warned = False
        self._entries: SplitDict[bytes, SemanticEntry] = SplitDict()
        self._ages: AgedKeys[bytes] = AgedKeys()
        # By scope and bytes of a vector: those of two lengths are not comparable.
        self._scopes: dict[tuple[bytes, int], GrowingIndex] = {}
        self._ages_of: dict[tuple[bytes, int], AgedKeys[bytes]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> list[SemanticEntry]:
        """All of them, the oldest first."""
        return [self._entries[key] for key in self._ages]

    async def add(self, entry: SemanticEntry) -> None:
        self._drop(entry.key)
        place = _place(entry)
        if place not in self._scopes:
            self._scopes[place] = GrowingIndex(len(entry.vector) // 4, self._thread, self._graph_above)
            self._ages_of[place] = AgedKeys()
        self._scopes[place].add(entry.key, entry.vector)
        self._entries[entry.key] = entry
        ages = self._ages_of[place]
        for each in (self._ages, ages):
            each.add(entry.key)
        if len(ages) > self._most_of_a_scope:
            self._warn_full()
            self._drop(next(iter(ages)))
        if len(self._entries) > self._max_entries:
            self._drop(next(iter(self._ages)))

    def _warn_full(self) -> None:
        if not self._warned:
            self._warned = True
            message = (
                "%s questions of one scope are kept for semantic answers, the oldest go: %s brings an index for more"
            )
            log.warning(message, self._most_of_a_scope, install_line("semantic"))

    async def nearest(self, scope: bytes, vector: bytes, count: int, now: float) -> Sequence[Neighbour]:
        index = self._scopes.get((scope, len(vector)))
        if index is None:
            return ()
        self._drop_expired((scope, len(vector)), now)
        keys = await index.candidates(vector, count)
        # What the entries are now, whatever happened meanwhile.
        held = (entry for key in keys if (entry := self._entries.get(key)) is not None)
        found = [entry for entry in held if _place(entry) == (scope, len(vector))]
        if not found:
            return []
        rows = np.frombuffer(b"".join(entry.vector for entry in found), dtype="<f4").reshape(len(found), -1)
        similarities = np.einsum("ij,j->i", rows, np.frombuffer(vector, dtype="<f4"))
        best = np.argsort(-similarities, kind="stable")[:count]
        neighbours = (Neighbour(found[place], float(similarities[place])) for place in best)
        return [neighbour for neighbour in neighbours if neighbour.entry.fresh_until > now]

    def _drop_expired(self, place: tuple[bytes, int], now: float) -> None:
        """Some of the scope's oldest: no look-up pays for all that have expired since the last one."""
        for _ in range(DROPPED_AT_ONCE):
            ages = self._ages_of.get(place)
            if ages is None or self._entries[key := next(iter(ages))].fresh_until > now:
                return
            self._drop(key)

    async def remove(self, key: bytes) -> bool:
        found = key in self._entries
        self._drop(key)
        return found

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        purged, seen = 0, 0
        for part in self._entries.parts:
            for key in list(part):
                seen += 1
                if seen % DROPPED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                entry = self._entries.get(key)
                if entry is not None and user in (None, entry.user) and endpoint in (None, entry.endpoint):
                    self._drop(key)
                    purged += 1
        return purged

    async def close(self) -> None:
        self._thread.close()

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key)
        if entry is None:
            return
        place = _place(entry)
        self._scopes[place].remove(key)
        for ages in (self._ages, self._ages_of[place]):
            ages.remove(key)
        if not self._ages_of[place]:
            self._scopes.pop(place).discard()
            del self._ages_of[place]


def _place(entry: SemanticEntry) -> tuple[bytes, int]:
    return entry.scope, len(entry.vector)
