"""Stored answers in the process's own memory, bounded by entries and bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from turnout.ports.admission import NewEntry

# What an entry takes beside its bytes and names: key, record, its numbers, dict slots, string headers. Measured as
# resident memory, 457 bytes at a million entries; rounded up for the moment when the dict grows.
ENTRY_OVERHEAD = 500


@dataclass(slots=True)
class _Record:
    packed: bytes
    stored_at: float
    fresh_until: float
    kept_until: float
    user: str
    endpoint: str

    def matches(self, user: str | None, endpoint: str | None) -> bool:
        return (user is None or self.user == user) and (endpoint is None or self.endpoint == endpoint)


class MemoryAnswers:
    """Stored answers, bounded by evicting the least recently used. Getting and putting one is O(1)."""

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._records: OrderedDict[bytes, _Record] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: bytes, now: float) -> _Record | None:
        """Returns the record, fresh or stale; None where there is none or it is kept no longer."""
        record = self._records.get(key)
        if record is None:
            return None
        if record.kept_until <= now:
            self._drop(key)
            return None
        self._records.move_to_end(key)
        return record

    def put(self, key: bytes, store: NewEntry, now: float) -> None:
        self._drop(key)
        size = weight(store)
        if size > self._max_bytes:
            return
        fresh_until = now + store.ttl_s
        self._records[key] = _Record(
            store.packed, now, fresh_until, fresh_until + store.stale_s, store.user, store.endpoint
        )
        self.bytes += size
        while self.bytes > self._max_bytes or len(self._records) > self._max_entries:
            self._drop(next(iter(self._records)))

    def evict(self, key: bytes) -> bool:
        """Deletes this record. Returns whether there was one."""
        found = key in self._records
        self._drop(key)
        return found

    def _drop(self, key: bytes) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            self.bytes -= weight(record)

    def purge(self, *, user: str | None = None, endpoint: str | None = None, keys: Iterable[bytes] = ()) -> int:
        """Deletes what this user stored at this endpoint (None: any), among these keys. Returns how many."""
        matching = [
            key for key in keys if (record := self._records.get(key)) is not None and record.matches(user, endpoint)
        ]
        for key in matching:
            self._drop(key)
        return len(matching)

    @property
    def keys(self) -> list[bytes]:
        return list(self._records)


def weight(answer: NewEntry | _Record) -> int:
    """Returns the bytes that an entry takes of the bound, a tenth added for the gaps that eviction leaves in memory."""
    size = len(answer.packed) + len(answer.user) + len(answer.endpoint) + ENTRY_OVERHEAD
    return size + size // 10
