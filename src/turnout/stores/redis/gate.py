"""The Gate in Redis: one answer, one flight, one limit for every worker on every host.

Each verb is one Lua script (lua/*.lua) in one round trip. Every key begins with `{prefix}`, a hash tag, so
that a Cluster runs the scripts too, on the one shard that holds that tag. Time is Redis' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turnout.ports.admission import Ask, Entry, Follow, Hit, Lead, Settlement, Stored, Verdict
from turnout.ports.limits import BudgetState
from turnout.stores.local_share import Remembered
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.codec import (
    budget_refused,
    budget_states,
    packed_budgets,
    packed_claims,
    packed_states,
    rate_refused,
    states,
)
from turnout.stores.redis.connection import StoreConnection
from turnout.stores.redis.flight_broker import HOLD_S

# Accounts that one script restores, answers that one looks at to purge: so that none holds Redis up.
AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many answers, and of how many bytes together, all processes keep in Redis."""

    max_entries: int
    max_bytes: int


class RedisGate:
    """The Gate of all processes that share a Redis. Raises LineDown where it cannot be asked in time."""

    def __init__(self, seats: RedisClient, bounds: Bounds) -> None:
        self._seats = seats
        self._bounds = bounds
        self.remembered = Remembered()
        seats.restore = self._restore

    async def enter(self, ask: Ask) -> Entry:
        seat = self._seats.here()
        lease = seat.new_name()
        seat.station.expect(lease)
        try:
            verdict, detail, told, packed = await seat.run(
                "enter",
                lease,
                ask.key or b"",
                ask.lookup + 2 * ask.collapse,
                -1 if ask.max_age_s is None else round(ask.max_age_s * 1000),
                round(HOLD_S * 1000),
                packed_claims(ask),
            )
        except BaseException:
            seat.station.forget(lease)
            raise
        entry = Entry(verdict=_verdict(ask, verdict, detail, packed, lease), **states(ask, told))
        if not isinstance(entry.verdict, Lead):
            seat.station.forget(lease)
        if told:
            self.remembered.note(entry)
        return entry

    async def leave(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        seat = self._seats.here()
        store = settlement.store
        kept: tuple[Any, ...] = ("",)
        if store is not None and settlement.key is not None:
            times = (round(store.ttl_s * 1000), round(store.stale_s * 1000))
            kept = (store.packed, *times, store.user, store.endpoint, self._bounds.max_entries, self._bounds.max_bytes)
        try:
            told = await seat.run(
                "leave",
                settlement.lease,
                settlement.key or b"",
                "" if settlement.cost is None else settlement.cost,
                "" if settlement.tokens is None else settlement.tokens,
                int(settlement.refused),
                packed_budgets(settlement.budgets),
                *kept,
            )
        finally:
            seat.station.forget(settlement.lease)
        return budget_states(settlement.budgets, told)

    async def top_up(self, lease: str, amount: int, tokens: int = 0) -> bool:
        return bool(await self._seats.run("top_up", lease, amount, tokens))

    async def stale(self, key: bytes) -> Stored | None:
        found = await self._seats.run("stale", key)
        return Stored(packed=found[1], age_s=int(found[0]) / 1000) if found else None

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        named = (int(user is not None), user or "", int(endpoint is not None), endpoint or "")
        dropped, looked_at, more = 0, 0, True
        while more:
            some, left, more = await self._seats.run("purge", *named, looked_at, AT_ONCE)
            dropped += some
            looked_at += left
        return dropped

    @property
    def workers(self) -> int:
        """How many processes used this Redis in the last minute, ourselves included."""
        return max(1, self._seats.here().station.workers)

    async def reach(self) -> None:
        """Asks Redis something that it must be able to write. Raises LineDown."""
        seat = self._seats.here()
        await seat.station.beat(await seat.line())

    async def _restore(self, line: StoreConnection) -> None:
        rates, budgets = self.remembered.rates, self.remembered.budgets
        for start in range(0, max(len(rates), len(budgets)), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            await self._seats.here().run_on(line, "restore", packed_states(rates[some], budgets[some]))

    async def close(self) -> None:
        await self._seats.close()


def _verdict(ask: Ask, verdict: int, detail: bytes, packed: bytes, lease: str) -> Verdict:
    match verdict:
        case 0:
            return Hit(stored=Stored(packed=packed, age_s=int(detail) / 1000))
        case 1:
            return Follow(lease=detail.decode())
        case 2:
            return Lead(lease=lease, fits=int(detail))
        case 3:
            return rate_refused(ask, detail)
        case _:
            return budget_refused(ask, detail)
