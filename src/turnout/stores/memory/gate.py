"""The Gate in the process's own memory: exact within it, bounded by entries and bytes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence

from turnout.ports.admission import Ask, Entry, Follow, GateVerdict, Hit, Lead, NewEntry, Settlement, Stored, StoredPin
from turnout.ports.limits import BudgetRefused, BudgetState
from turnout.ports.runtime import Clock
from turnout.stores.batches import batched
from turnout.stores.memory.answers import MemoryAnswers
from turnout.stores.memory.ledger import Ledger
from turnout.stores.memory.pins import MemoryPins

# Answers checked between two turns of the loop: about a millisecond's worth.
PURGE_BATCH = 2000


class MemoryGate:
    """The Gate of one process. A flight's lease ends by itself after `lease_s`, so that a flight that died with its
    event loop never blocks its key."""

    def __init__(self, *, clock: Clock, max_entries: int, max_bytes: int, lease_s: float) -> None:
        self._clock = clock
        self._lease_s = lease_s
        self.answers = MemoryAnswers(max_entries=max_entries, max_bytes=max_bytes)
        self.ledger = Ledger()
        self.pins = MemoryPins()
        self._flights: dict[bytes, tuple[str, float]] = {}
        self._lease_numbers = itertools.count(1)

    async def enter(self, ask: Ask) -> Entry:
        if not ask.rates and not ask.budgets:
            needless = self._find(ask)
            return Entry(verdict=needless) if needless else Entry(verdict=self._lead(ask), pin=self._pin(ask))
        now, wall = self._now(), self._clock.time()
        self.ledger.sweep(now)
        verdict = self._admit(ask, now, wall)
        return Entry(
            verdict=verdict,
            pin=self._pin(ask) if isinstance(verdict, Lead) else None,
            rates=self.ledger.rate_states(ask.rates, now),
            budgets=self.ledger.budget_states(ask.budgets, now, wall),
        )

    def _pin(self, ask: Ask) -> StoredPin | None:
        return self.pins.get(ask.pin, self._clock.monotonic()) if ask.pin else None

    def _admit(self, ask: Ask, now: int, wall: float) -> GateVerdict:
        """Returns the verdict where limits or budgets apply. A refusal takes nothing."""
        ledger = self.ledger
        if refused := ledger.check_rates((c for c in ask.rates if c.unit == "requests"), now):
            return refused
        if needless := self._find(ask):
            ledger.take_requests(ask.rates, now)
            return needless
        if refused := ledger.check_rates((c for c in ask.rates if c.unit != "requests"), now):
            return refused
        fits = ledger.fit(ask.budgets, ask.worst, now, wall)
        if isinstance(fits, BudgetRefused):
            return fits
        lead = self._lead(ask, fits)
        ledger.open_lease(lead.lease, ask, ask.worst[fits] if ask.budgets else 0, now, wall)
        return lead

    def _find(self, ask: Ask) -> Hit | Follow | None:
        """Returns what makes a call needless: a fresh answer, or a flight to join."""
        now, key = self._clock.monotonic(), ask.key
        if key is None:
            return None
        if ask.lookup and (hit := self._find_fresh(key, ask.max_age_s, now)) is not None:
            return hit
        holder = self._flights.get(key)
        if ask.collapse and holder is not None and holder[1] > now:
            return Follow(lease=holder[0])
        return None

    def _lead(self, ask: Ask, fits: int = 0) -> Lead:
        lease = str(next(self._lease_numbers))
        if ask.key is not None and ask.collapse:
            self._flights[ask.key] = (lease, self._clock.monotonic() + self._lease_s)
        return Lead(lease=lease, fits=fits)

    def _find_fresh(self, key: bytes, max_age_s: float | None, now: float) -> Hit | None:
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
        if settlement.pin is not None:
            self.pins.put(settlement.pin, self._clock.monotonic())
        key = settlement.key
        if key is not None:
            holder = self._flights.get(key)
            if holder is not None and holder[0] == settlement.lease:
                del self._flights[key]
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

    async def find_many(self, keys: Sequence[bytes], max_age_s: float | None) -> dict[bytes, bytes]:
        now = self._clock.monotonic()
        found = ((key, self._find_fresh(key, max_age_s, now)) for key in keys)
        return {key: hit.stored.packed for key, hit in found if hit is not None}

    async def store_many(self, stores: Mapping[bytes, NewEntry]) -> None:
        now = self._clock.monotonic()
        for key, store in stores.items():
            self.answers.put(key, store, now)

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        if endpoint is None:
            self.pins.purge(user)
        dropped = 0
        for keys in batched(self.answers.keys, PURGE_BATCH):
            dropped += self.answers.purge(user=user, endpoint=endpoint, keys=keys)
            await asyncio.sleep(0)
        return dropped

    async def evict(self, key: bytes) -> bool:
        return self.answers.evict(key)

    async def close(self) -> None:
        return None
