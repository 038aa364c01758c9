"""The Gate in the process's own memory: exact within it, bounded by entries and bytes."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from turnout.ports.admission import Ask, Entry, Follow, Hit, Lead, Settlement, Store, Stored
from turnout.ports.limits import BudgetRefused, BudgetState, RateRefused
from turnout.ports.runtime import Clock
from turnout.ports.sharing import Circuit
from turnout.stores.ledger import Ledger

# What an entry costs beside its bytes and names: key, record, its numbers, dict slots, string headers. Measured as
# resident memory, 457 bytes at a million entries; rounded up for the moment when the dict grows.
ENTRY_OVERHEAD = 500

_Verdict = Hit | Follow | Lead | RateRefused | BudgetRefused
# Between two turns of the loop: about a millisecond's worth.
PURGE_AT_ONCE = 2000


@dataclass(slots=True)
class _Record:
    packed: bytes
    stored_at: float
    fresh_until: float
    kept_until: float
    user: str
    endpoint: str

    def by(self, user: str | None, endpoint: str | None) -> bool:
        return (user is None or self.user == user) and (endpoint is None or self.endpoint == endpoint)


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
        weighs = weight(store)
        if weighs > self._max_bytes:
            return
        fresh_until = now + store.ttl_s
        self._records[key] = _Record(
            store.packed, now, fresh_until, fresh_until + store.stale_s, store.user, store.endpoint
        )
        self.bytes += weighs
        while self.bytes > self._max_bytes or len(self._records) > self._max_entries:
            self._drop(next(iter(self._records)))

    def _drop(self, key: bytes) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            self.bytes -= weight(record)

    def purge(self, *, user: str | None = None, endpoint: str | None = None, keys: Iterable[bytes] = ()) -> int:
        """Drops what this user or endpoint stored, among these keys; all of it where neither is named. Says how
        many."""
        gone = [key for key in keys if (record := self._records.get(key)) is not None and record.by(user, endpoint)]
        for key in gone:
            self._drop(key)
        return len(gone)

    @property
    def keys(self) -> list[bytes]:
        return list(self._records)


def weight(kept: Store | _Record) -> int:
    """What an entry takes of the bound: its bytes, and a tenth more for the holes that eviction leaves in memory."""
    size = len(kept.packed) + len(kept.user) + len(kept.endpoint) + ENTRY_OVERHEAD
    return size + size // 10


class MemoryGate:
    """The Gate of one process. A lease ends by itself after `lease_s`, so that a flight that died with its
    loop never blocks its key."""

    def __init__(self, *, clock: Clock, max_entries: int, max_bytes: int, lease_s: float) -> None:
        self._clock = clock
        self._lease_s = lease_s
        self.answers = MemoryAnswers(max_entries=max_entries, max_bytes=max_bytes)
        self.ledger = Ledger()
        self._leases: dict[bytes, tuple[str, float]] = {}
        self._names = itertools.count(1)

    async def enter(self, ask: Ask) -> Entry:
        if not ask.rates and not ask.budgets:
            return Entry(verdict=self._found(ask) or self._lead(ask))
        now, wall = self._now(), self._clock.time()
        self.ledger.begin(now)
        return Entry(
            verdict=self._admitted(ask, now, wall),
            rates=self.ledger.rate_states(ask.rates, now),
            budgets=self.ledger.budget_states(ask.budgets, now, wall),
        )

    def _admitted(self, ask: Ask, now: int, wall: float) -> _Verdict:
        """The verdict where limits or budgets apply. Whatever is refused takes nothing."""
        ledger = self.ledger
        if refused := ledger.rate_refused((c for c in ask.rates if c.unit == "requests"), now):
            return refused
        if found := self._found(ask):
            ledger.take_requests(ask.rates, now)
            return found
        if refused := ledger.rate_refused((c for c in ask.rates if c.unit == "tokens"), now):
            return refused
        fits = ledger.offer(ask.budgets, ask.worst, now, wall)
        if isinstance(fits, BudgetRefused):
            return fits
        lead = self._lead(ask, fits)
        ledger.open(lead.lease, ask, ask.worst[fits] if ask.budgets else 0, now, wall)
        return lead

    def _found(self, ask: Ask) -> Hit | Follow | None:
        """What makes a call needless: a fresh answer, or a flight to join."""
        now, key = self._clock.monotonic(), ask.key
        if key is None:
            return None
        if ask.lookup and (hit := self._fresh(key, ask.max_age_s, now)) is not None:
            return hit
        holder = self._leases.get(key)
        if ask.collapse and holder is not None and holder[1] > now:
            return Follow(lease=holder[0])
        return None

    def _lead(self, ask: Ask, fits: int = 0) -> Lead:
        lease = str(next(self._names))
        if ask.key is not None and ask.collapse:
            self._leases[ask.key] = (lease, self._clock.monotonic() + self._lease_s)
        return Lead(lease=lease, fits=fits)

    def _fresh(self, key: bytes, max_age_s: float | None, now: float) -> Hit | None:
        record = self.answers.get(key, now)
        if record is None or record.fresh_until <= now:
            return None
        age = now - record.stored_at
        if max_age_s is not None and age > max_age_s:
            return None
        return Hit(stored=Stored(packed=record.packed, age_s=age))

    def _now(self) -> int:
        # Floating point: 0.3 s later is 299.99... ms later.
        return int(self._clock.monotonic() * 1000 + 1e-3)

    async def leave(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        now = self._now()
        self.ledger.settle(settlement, now)
        key = settlement.key
        if key is not None:
            holder = self._leases.get(key)
            if holder is not None and holder[0] == settlement.lease:
                del self._leases[key]
            if settlement.store is not None:
                self.answers.put(key, settlement.store, self._clock.monotonic())
        if not settlement.budgets:
            return ()
        return self.ledger.budget_states(settlement.budgets, now, self._clock.time())

    async def top_up(self, lease: str, amount: int, tokens: int = 0) -> bool:
        return self.ledger.top_up(lease, amount, tokens, self._now())

    async def stale(self, key: bytes) -> Stored | None:
        now = self._clock.monotonic()
        record = self.answers.get(key, now)
        return None if record is None else Stored(packed=record.packed, age_s=now - record.stored_at)

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        dropped, keys = 0, self.answers.keys
        for start in range(0, len(keys), PURGE_AT_ONCE):
            dropped += self.answers.purge(user=user, endpoint=endpoint, keys=keys[start : start + PURGE_AT_ONCE])
            await asyncio.sleep(0)
        return dropped

    async def close(self) -> None:
        return None


class MemoryCircuitStore:
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
