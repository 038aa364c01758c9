"""The Gate in Redis: one cache, one set of flights and limits for every worker on every host.

Each method is one Lua script (lua/*.lua) in one round trip. Every key begins with `{prefix}`, a hash tag, so that a
Cluster runs the scripts too, on the one shard that has that tag. Time is Redis' own.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from turnout.context import endpoint_name
from turnout.loop_task import LoopTask
from turnout.ports.admission import Ask, Entry, Lead, NewEntry, Settlement, Stored, StoredPin
from turnout.ports.limits import BudgetState
from turnout.stores.allowances import Allowances
from turnout.stores.batches import batched
from turnout.stores.local_share import LastStates
from turnout.stores.outage_book import Report
from turnout.stores.redis import codec
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreConnection, StoreUnreachable
from turnout.stores.redis.flight_broker import RedisFlightBroker
from turnout.stores.redis.heartbeat import HOLD_S

# Accounts that one script restores, answers that one checks for a purge, vectors that one reads or writes: so that
# none holds Redis up.
BATCH = 200
# How often a call waits for allowances that others were asked for, and how long each time: they are there within a few
# milliseconds, or their workers need them.
RECALLS = 2
RECALL_S = 0.02
_RECALLED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many answers all processes together keep in Redis, and of how many bytes."""

    max_entries: int
    max_bytes: int


class RedisGate:
    """The Gate of all processes that share a Redis. Raises StoreUnreachable where it does not reply in time.

    last_states: of each limit and budget, as Redis last returned them. on_unanswered: called with what gives back an
    admission whose answer never came, to be settled when Redis is used again. allowances: what Redis set aside of
    budgets for this process, where `spends_alone`.
    """

    def __init__(
        self,
        client: RedisClient,
        bounds: Bounds,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        spends_alone: bool = False,
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._bounds = bounds
        self.last_states = LastStates()
        self.on_unanswered: Callable[[Settlement], None] = self._forget
        client.restore, client.yield_allowance = self._restore, self._yield
        self._spends_alone = spends_alone
        self._giving = LoopTask(self._give_excess_back, "turnout.redis.allowances")
        self.begin_anew()

    def begin_anew(self) -> None:
        """Another process than before, with nothing set aside for it yet. worker: its name among those that have
        allowances; "" where it has none."""
        self.allowances = Allowances()
        self.worker = secrets.token_hex(6) if self._spends_alone else ""

    def _forget(self, settlement: Settlement) -> None:
        self.flights.forget(settlement.lease)

    @property
    def flights(self) -> RedisFlightBroker:
        """The running event loop's flights."""
        return self._client.here().flights

    @property
    def workers(self) -> int:
        """How many event loops used this Redis in the last minute, this one included."""
        return max(1, self._client.here().heartbeat.workers)

    async def enter(self, ask: Ask) -> Entry:
        here = self._client.here()
        lease = here.session.new_name()
        here.flights.expect(lease)
        try:
            for recalls in range(RECALLS, -1, -1):
                sent_at = self._monotonic()
                verdict, detail, states, packed, redis_name, count, pin, pin_age = await here.session.run(
                    "enter",
                    lease,
                    ask.key or b"",
                    ask.lookup + 2 * ask.collapse,
                    -1 if ask.max_age_s is None else round(ask.max_age_s * 1000),
                    round(HOLD_S * 1000),
                    codec.encode_claims(ask, worker=self.worker, session=here.session.name, patient=recalls > 0),
                    ask.pin,
                )
                if verdict != _RECALLED:
                    break
                await asyncio.sleep(RECALL_S)
        except BaseException:
            # Redis may have admitted it all the same, or does so when it goes on.
            self.on_unanswered(Settlement(key=ask.key, lease=lease, refused=True))
            raise
        entry = Entry(
            verdict=codec.decode_verdict(ask, verdict, detail, packed, lease),
            pin=StoredPin(packed=pin, age_s=int(pin_age) / 1000) if pin else None,
            **codec.decode_states(ask, states),
        )
        if not isinstance(entry.verdict, Lead):
            here.flights.forget(lease)
        if states:
            if redis_name != self._client.redis_name or count < here.heartbeat.count:
                # Redis was emptied under an open connection, or lost its newest state: it gets back what it reported.
                with suppress(StoreUnreachable):
                    await self.reach()
            else:
                here.heartbeat.count = count
                self.last_states.record(entry.rates, entry.budgets, self._monotonic())
                self.allowances.record(entry.budgets, codec.decode_allowances(states), sent_at)
                if self.allowances.excess:
                    self._giving.start()
        return entry

    async def _yield(self, account: str) -> None:
        await self._give_back(self.allowances.give_up([account]))

    async def give_allowances_back(self) -> None:
        """Gives all of them back: this process spends nothing by itself from here on. Raises StoreUnreachable."""
        await self._give_back(self.allowances.give_up())

    async def _give_excess_back(self) -> None:
        with suppress(StoreUnreachable):
            while given := self.allowances.give_up(self.allowances.excess):
                await self._give_back(given)
                self.allowances.forget(given)

    async def _give_back(self, given: Sequence[tuple[str, int]]) -> None:
        for batch in batched(given, BATCH):
            await self._client.here().session.run("yield", self.worker, *(part for pair in batch for part in pair))

    async def leave(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        here = self._client.here()
        store = settlement.store
        answer: tuple[Any, ...] = ("",)
        if store is not None and settlement.key is not None:
            times = (round(store.ttl_s * 1000), round(store.stale_s * 1000))
            bounds = (self._bounds.max_entries, self._bounds.max_bytes)
            answer = (store.packed, *times, store.user, endpoint_name(store.endpoint), *bounds)
        states = await here.session.run(
            "leave",
            settlement.lease,
            settlement.key or b"",
            "" if settlement.cost is None else settlement.cost,
            "" if settlement.tokens is None else settlement.tokens,
            int(settlement.refused),
            codec.encode_budgets(settlement.budgets),
            *codec.encode_pin(settlement.pin),
            *answer,
        )
        # Not before: a lease whose settlement is still owed is ours, and disowned by nobody.
        here.flights.forget(settlement.lease)
        return codec.decode_budget_states(settlement.budgets, states)

    async def top_up(self, lease: str, amount: int, tokens: int = 0) -> bool:
        for _ in range(RECALLS):
            if (fits := await self._client.here().session.run("top_up", lease, amount, tokens)) >= 0:
                return bool(fits)
            await asyncio.sleep(RECALL_S)
        return bool(await self._client.here().session.run("top_up", lease, amount, tokens) == 1)

    async def stale(self, key: bytes) -> Stored | None:
        answer = await self._client.here().session.run("stale", key)
        return Stored(packed=answer[1], age_s=int(answer[0]) / 1000) if answer else None

    async def find_many(self, keys: Sequence[bytes], max_age_s: float | None) -> dict[bytes, bytes]:
        oldest = -1 if max_age_s is None else round(max_age_s * 1000)
        found: dict[bytes, bytes] = {}
        for batch in batched(keys, BATCH):
            packed = await self._client.here().session.run("find_many", oldest, *batch)
            found.update((key, value) for key, value in zip(batch, packed, strict=True) if value)
        return found

    async def store_many(self, stores: Mapping[bytes, NewEntry]) -> None:
        for batch in batched(stores.items(), BATCH):
            first = batch[0][1]
            times = (round(first.ttl_s * 1000), round(first.stale_s * 1000))
            bounds = (self._bounds.max_entries, self._bounds.max_bytes)
            pairs = [part for key, store in batch for part in (key, store.packed)]
            names = (first.user, endpoint_name(first.endpoint))
            await self._client.here().session.run("put_many", *times, *names, *bounds, *pairs)

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        criteria = (int(user is not None), user or "", int(endpoint is not None), endpoint_name(endpoint or ""))
        if endpoint is None:
            while await self._client.here().session.run("purge_pins", int(user is not None), user or "", BATCH):
                pass
        deleted, skipped, more = 0, 0, True
        while more:
            deleted_now, skipped_now, more = await self._client.here().session.run("purge", *criteria, skipped, BATCH)
            deleted += deleted_now
            skipped += skipped_now
        return deleted

    async def evict(self, key: bytes) -> bool:
        return bool(await self._client.here().session.run("evict", key))

    def new_name(self) -> str:
        """Returns a name that no other process gives out, for a lease or a report."""
        return self._client.here().session.new_name()

    async def report(self, report: Report) -> None:
        """Books what this process admitted by itself; told twice, it is booked once. Raises StoreUnreachable."""
        elapsed_ms = max(0, round((self._monotonic() - report.at) * 1000))
        reply = await self._client.here().session.run(
            "report", report.name, elapsed_ms, codec.encode_report(report), self.worker
        )
        self.last_states.record(*codec.decode_reported(report, reply), self._monotonic())

    async def reach(self) -> None:
        """Makes Redis write something. Raises StoreUnreachable."""
        here = self._client.here()
        await here.heartbeat.beat(await here.session.connection())

    async def _restore(self, connection: StoreConnection) -> None:
        # What it had set aside for this process is lost with all else.
        self.allowances.clear()
        rates, budgets = self.last_states.rates, self.last_states.budgets
        for start in range(0, max(len(rates), len(budgets)), BATCH):
            batch = slice(start, start + BATCH)
            await connection.run("restore", codec.encode_states(rates[batch], budgets[batch]))

    async def close(self) -> None:
        await self._giving.stop()
        await self._client.close()
