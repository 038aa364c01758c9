"""The Gate in the process's own memory: exact within it, bounded by entries and bytes."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from turnout.ports import Ask, Circuit, Clock, Entry, Follow, Hit, Lead, Settlement, Store, Stored

# What an entry costs beside its bytes: key, record, dict slot.
ENTRY_OVERHEAD = 400


@dataclass(slots=True)
class _Record:
    packed: bytes
    stored_at: float
    fresh_until: float
    kept_until: float
    user: str
    endpoint: str


class MemoryAnswers:
    """Stored answers, the least recently used of which go first. Every step is O(1)."""

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._records: OrderedDict[bytes, _Record] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: bytes, now: float) -> _Record | None:
        """The record, fresh or stale; None where there is none or its time is over."""
        record = self._records.get(key)
        if record is None:
            return None
        if record.kept_until <= now:
            self._drop(key)
            return None
        self._records.move_to_end(key)
        return record

    def put(self, key: bytes, store: Store, now: float) -> None:
        self._drop(key)
        weight = _weight(store.packed)
        if weight > self._max_bytes:
            return
        fresh_until = now + store.ttl_s
        self._records[key] = _Record(
            store.packed, now, fresh_until, fresh_until + store.stale_s, store.user, store.endpoint
        )
        self.bytes += weight
        while self.bytes > self._max_bytes or len(self._records) > self._max_entries:
            self._drop(next(iter(self._records)))

    def _drop(self, key: bytes) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            self.bytes -= _weight(record.packed)

    def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        """Drops what this user or endpoint stored; everything where neither is named. Says how many."""
        gone = [
            key
            for key, record in self._records.items()
            if (user is None or record.user == user) and (endpoint is None or record.endpoint == endpoint)
        ]
        for key in gone:
            self._drop(key)
        return len(gone)


def _weight(packed: bytes) -> int:
    return len(packed) + ENTRY_OVERHEAD


class MemoryGate:
    """The Gate of one process. A lease ends by itself after `lease_s`, so that a flight that died with its
    loop never blocks its key."""

    def __init__(self, *, clock: Clock, max_entries: int, max_bytes: int, lease_s: float) -> None:
        self._clock = clock
        self._lease_s = lease_s
        self.answers = MemoryAnswers(max_entries=max_entries, max_bytes=max_bytes)
        self._leases: dict[bytes, tuple[str, float]] = {}
        self._names = itertools.count(1)

    async def enter(self, ask: Ask) -> Entry:
        now = self._clock.monotonic()
        key = ask.key
        if key is None:
            return Entry(verdict=Lead(lease=self._name()))
        if ask.lookup and (hit := self._fresh(key, ask.max_age_s, now)) is not None:
            return Entry(verdict=hit)
        holder = self._leases.get(key)
        if ask.collapse and holder is not None and holder[1] > now:
            return Entry(verdict=Follow(lease=holder[0]))
        lease = self._name()
        if ask.collapse:
            self._leases[key] = (lease, now + self._lease_s)
        return Entry(verdict=Lead(lease=lease))

    def _fresh(self, key: bytes, max_age_s: float | None, now: float) -> Hit | None:
        record = self.answers.get(key, now)
        if record is None or record.fresh_until <= now:
            return None
        age = now - record.stored_at
        if max_age_s is not None and age > max_age_s:
            return None
        return Hit(stored=Stored(packed=record.packed, age_s=age))

    def _name(self) -> str:
        return str(next(self._names))

    async def leave(self, settlement: Settlement) -> None:
        key = settlement.key
        if key is None:
            return
        holder = self._leases.get(key)
        if holder is not None and holder[0] == settlement.lease:
            del self._leases[key]
        if settlement.store is not None:
            self.answers.put(key, settlement.store, self._clock.monotonic())

    async def top_up(self, lease: str, amount: int) -> bool:
        return True

    async def stale(self, key: bytes) -> Stored | None:
        now = self._clock.monotonic()
        record = self.answers.get(key, now)
        return None if record is None else Stored(packed=record.packed, age_s=now - record.stored_at)

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        return self.answers.purge(user=user, endpoint=endpoint)

    async def close(self) -> None:
        return None


class MemorySwitchboard:
    """The Switchboard of one process: for breakers of several Turnouts in it, and for tests."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._posted: dict[str, tuple[Circuit, float]] = {}
        self._probes: dict[str, float] = {}

    async def post(self, name: str, circuit: Circuit) -> None:
        self._posted[name] = (circuit, self._clock.monotonic())

    async def claim(self, name: str, lease_s: float) -> bool:
        now = self._clock.monotonic()
        if self._probes.get(name, now) > now:
            return False
        self._probes[name] = now + lease_s
        return True

    async def release(self, name: str) -> None:
        self._probes.pop(name, None)

    def told(self, names: Iterable[str]) -> dict[str, Circuit]:
        """What is known now of these circuits: what an Entry tells."""
        return {name: self._now(*self._posted[name]) for name in names if name in self._posted}

    def _now(self, circuit: Circuit, posted_at: float) -> Circuit:
        passed = self._clock.monotonic() - posted_at
        return Circuit(
            open=circuit.open,
            open_for_s=max(0.0, circuit.open_for_s - passed),
            paused_for_s=max(0.0, circuit.paused_for_s - passed),
        )
