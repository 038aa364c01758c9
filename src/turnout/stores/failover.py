"""The Gate in Redis, replaced by one in the memory of this process during an outage, so that no request is lost.

Meanwhile the cache and the flights are this process' own. Of what was left of each rate limit it admits its share among
the workers seen in the last minute, and budgets refuse unless the settings let a worker spend what Redis set aside for
it. What was admitted and spent so is told to Redis before it is used again.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from weakref import WeakSet

from turnout.errors import BudgetUnavailable, StoreUnavailable
from turnout.loop_task import LoopTask
from turnout.ports.admission import Ask, Entry, Follow, Hit, Lead, NewEntry, Settlement, Stored
from turnout.ports.limits import BudgetState
from turnout.ports.runtime import Clock
from turnout.ports.sharing import FrameSource, LocalFlightBroker
from turnout.stores.local_share import local_ask, with_claims_of
from turnout.stores.memory.gate import MemoryGate
from turnout.stores.outage import OutageDetector
from turnout.stores.outage_book import OutageBook, Report
from turnout.stores.redis.connection import RequestRejected, StoreUnreachable
from turnout.stores.redis.gate import RedisGate

log = logging.getLogger("turnout")

# Between two attempts to reach Redis again; it is to be used again within 5 s.
PROBE_S = 1.0
# Settlements kept for a Redis that is unreachable. Of more within one outage the oldest are dropped, and what they had
# reserved stays reserved until its lease ends.
MAX_UNSETTLED = 10_000
# Where other workers spend shares of budgets too, Redis is used again so long after it was told of ours: they look for
# it as often as we do, and what they spent must be booked before anybody spends what is left.
OTHERS_S = 1.5 * PROBE_S
_LOCAL = "local-"
UNREACHABLE = "Redis cannot be reached: each process goes on by itself, with its own cache and its share of the limits"


class FailoverGate:
    """Gate, FlightBroker and CacheAdmin. local: makes an empty local gate. on_change(up, reason): called when Redis is
    lost and when it is back."""

    def __init__(
        self,
        *,
        shared: RedisGate,
        local: Callable[[], MemoryGate],
        clock: Clock,
        budgets_local: bool,
        on_change: Callable[[bool, str], None],
    ) -> None:
        self._shared = shared
        self._make_local = local
        self._local = local()
        self._outages = 0
        self._clock = clock
        self._budgets_local = budgets_local
        self._on_change = on_change
        self._outage = OutageDetector()
        self._unsettled: deque[Settlement] = deque()
        self._book = OutageBook()
        self._reports: deque[Report] = deque()
        # Calls that began in an earlier outage: their leases in Redis, by their local ones.
        self._adopted: dict[str, str] = {}
        self._probing = LoopTask(self._probe, "turnout.redis.probe")
        shared.on_unanswered = self._settle_later
        _gates.add(self)

    def begin_anew(self) -> None:
        """This process is a fork of the one that it was: what that one admitted, and may admit alone, stays its own."""
        self._unsettled.clear()
        self._book = OutageBook()
        self._reports.clear()
        self._adopted.clear()
        self._renew_local()
        self._shared.begin_anew()

    async def open(self) -> None:
        """Connects ahead of the first request, where Redis is reachable."""
        with suppress(StoreUnreachable):
            await self._shared.reach()

    async def warning(self) -> str:
        """What is wrong with Redis; "" where it can be used. Asks it: an app that no request came to has not yet."""
        if self._is_down:
            return UNREACHABLE
        try:
            await self._shared.reach()
        except StoreUnreachable as error:
            self._record_failure(error)
            return UNREACHABLE
        self._outage.record_success()
        return ""

    async def enter(self, ask: Ask) -> Entry:
        if not self._is_down:
            try:
                entry = await self._shared.enter(ask)
            except StoreUnreachable as error:
                self._record_failure(error)
            else:
                self._outage.record_success()
                return entry
        return await self._enter_locally(ask)

    async def _enter_locally(self, ask: Ask) -> Entry:
        last_states, now, at = self._shared.last_states, self._clock.time(), self._clock.monotonic()
        # A worker for which Redis never set aside anything of a budget spends nothing of it.
        allowed = [self._shared.allowances.amount(claim, now, at) for claim in ask.budgets]
        has_share = self._budgets_local and all(allowed)
        share = local_ask(ask, self._shared.workers, last_states, allowed if has_share else None, at=at)
        prefix = self._lease_prefix
        entry = with_claims_of(ask, share, await self._local.enter(share))
        verdict = entry.verdict
        if isinstance(verdict, Lead):
            if ask.budgets and not has_share:
                await self._local.leave(Settlement(key=ask.key, lease=verdict.lease, refused=True))
                raise BudgetUnavailable("the budgets cannot be read at the moment", retry_after_s=PROBE_S)
            verdict = replace(verdict, lease=prefix + verdict.lease)
            self._note_admitted(ask, verdict.lease, ask.worst[verdict.fits] if ask.budgets else 0)
        elif isinstance(verdict, Follow):
            verdict = replace(verdict, lease=prefix + verdict.lease)
        if isinstance(verdict, Hit | Follow):
            self._note_admitted(ask, None, 0)
        return replace(entry, verdict=verdict)

    def _note_admitted(self, ask: Ask, lease: str | None, cost: int) -> None:
        if ask.rates or ask.budgets:
            self._book.record(ask, lease, cost)
            self._shared.allowances.frozen = True
            self._probing.start()

    async def leave(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        if settlement.lease.startswith(_LOCAL):
            return await self._leave_locally(settlement)
        if not self._is_down:
            try:
                return await self._shared.leave(settlement)
            except StoreUnreachable as error:
                self._record_failure(error)
        # Its answer is served locally meanwhile; its cost is settled when Redis is back.
        self._settle_later(replace(settlement, store=None, pin=None))
        return await self._local.leave(replace(settlement, lease="", cost=0, tokens=0))

    def _settle_later(self, settlement: Settlement) -> None:
        if len(self._unsettled) == MAX_UNSETTLED:
            self._shared.flights.forget(self._unsettled.popleft().lease)
        self._unsettled.append(settlement)
        self._probing.start()

    async def _leave_locally(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        self._book.settle(settlement.lease)
        if (adopted := self._adopted.pop(settlement.lease, None)) is not None:
            settlement = replace(settlement, lease=adopted)
            if not self._reports and not self._is_down:
                return await self.leave(settlement)
            self._settle_later(replace(settlement, store=None))
            return ()
        lease = settlement.lease.removeprefix(self._lease_prefix)
        # The local gate of an earlier outage is gone, and the lease with it; the answer may still serve.
        return await self._local.leave(replace(settlement, lease="" if lease.startswith(_LOCAL) else lease))

    async def top_up(self, lease: str, amount: int, tokens: int = 0) -> bool:
        if lease.startswith(self._lease_prefix):
            fits = await self._local.top_up(lease.removeprefix(self._lease_prefix), amount, tokens)
            if fits:
                self._book.top_up(lease, amount, tokens)
            return fits
        lease = self._adopted.get(lease, lease)
        if lease.startswith(_LOCAL) or self._reports or self._is_down:
            return False
        try:
            return await self._shared.top_up(lease, amount, tokens)
        except StoreUnreachable as error:
            self._record_failure(error)
            return False

    async def stale(self, key: bytes) -> Stored | None:
        if not self._is_down:
            try:
                return await self._shared.stale(key)
            except StoreUnreachable as error:
                self._record_failure(error)
        return await self._local.stale(key)

    async def find_many(self, keys: Sequence[bytes], max_age_s: float | None) -> dict[bytes, bytes]:
        if not self._is_down:
            try:
                return await self._shared.find_many(keys, max_age_s)
            except StoreUnreachable as error:
                self._record_failure(error)
        return await self._local.find_many(keys, max_age_s)

    async def store_many(self, stores: Mapping[bytes, NewEntry]) -> None:
        if not self._is_down:
            try:
                return await self._shared.store_many(stores)
            except StoreUnreachable as error:
                self._record_failure(error)
        return await self._local.store_many(stores)

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        # This process' own answers too: those that serve in an outage hold nothing purged.
        await self._local.purge(user=user, endpoint=endpoint)
        try:
            return await self._shared.purge(user=user, endpoint=endpoint)
        except StoreUnreachable as error:
            self._record_failure(error)
            raise StoreUnavailable(f"Redis cannot be asked ({error}): its answers were not purged") from error

    async def evict(self, key: bytes) -> bool:
        evicted = await self._local.evict(key)
        try:
            return await self._shared.evict(key) or evicted
        except StoreUnreachable as error:
            self._record_failure(error)
            raise StoreUnavailable(f"Redis cannot be asked ({error}): the answer was not evicted") from error

    async def close(self) -> None:
        await self._probing.stop()
        if not self._outage.active:
            with suppress(StoreUnreachable):
                await self._report_owed()
                await self._settle_owed()
                await self._shared.give_allowances_back()
        await self._shared.close()
        await self._local.close()

    def share(self, key: bytes, lease: str, frames: FrameSource) -> None:
        if not lease.startswith(_LOCAL):
            self._shared.flights.share(key, lease, frames)

    def end(self, lease: str) -> None:
        if not lease.startswith(_LOCAL):
            self._shared.flights.end(lease)

    def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        flight_broker = LocalFlightBroker() if lease.startswith(_LOCAL) else self._shared.flights
        return flight_broker.follow(key, lease, chunks=chunks)

    @property
    def _lease_prefix(self) -> str:
        """What the leases of the current local gate begin with."""
        return f"{_LOCAL}{self._outages}."

    @property
    def _is_down(self) -> bool:
        """Whether Redis is not to be used now; if so, it is being probed."""
        if self._outage.active:
            self._probing.start()
        return self._outage.active

    def _record_failure(self, error: StoreUnreachable) -> None:
        if isinstance(error, RequestRejected):
            log.error("Redis rejected one request, which goes on without it: %s", error)
            return
        if self._outage.record_failure(timed_out=error.timed_out):
            log.warning("Redis cannot be used (%s): this process goes on by itself and looks for it", error)
            self._on_change(False, str(error))
            self._probing.start()

    async def _probe(self) -> None:
        while self._outage.active or self._unsettled or self._book or self._reports:
            await self._clock.sleep(PROBE_S)
            with suppress(StoreUnreachable):
                await self._shared.reach()
                await self._report_owed()
                await self._settle_owed()
                if self._outage.active and self._budgets_local and self._shared.workers > 1:
                    await self._clock.sleep(OTHERS_S)
                    await self._shared.reach()
                    await self._report_owed()
                self._end_outage()

    async def _report_owed(self) -> None:
        """Tells Redis what this process admitted by itself. A new local gate takes the place of the old one: what it
        may admit from here on is less by what is being told."""
        if self._book:
            reports, leases = self._book.close(self._local.ledger, self._clock.monotonic(), self._shared.new_name)
            self._reports.extend(reports)
            self._adopted.update(leases)
            for report in reports:
                self._shared.last_states.subtract(report)
                self._shared.allowances.subtract(report)
            self._renew_local()
        while self._reports:
            report = self._reports[0]
            with suppress(RequestRejected):
                await self._shared.report(report)
            if self._reports and self._reports[0] is report:
                self._reports.popleft()
        self._shared.allowances.frozen = bool(self._book)

    async def _settle_owed(self) -> None:
        while self._unsettled:
            settlement = self._unsettled[0]
            with suppress(RequestRejected):
                await self._shared.leave(settlement)
            self._shared.flights.forget(settlement.lease)
            if self._unsettled and self._unsettled[0] is settlement:
                self._unsettled.popleft()

    def _end_outage(self) -> None:
        """Uses Redis again. The local answers are dropped: they miss what was purged or stored elsewhere."""
        if self._outage.active:
            self._outage.end()
            # What was admitted while the last report was under way is still to be told.
            if not self._book:
                self._renew_local()
            log.warning("Redis is used again")
            self._on_change(True, "")

    def _renew_local(self) -> None:
        self._outages += 1
        self._local = self._make_local()


_gates: WeakSet[FailoverGate] = WeakSet()


def _forked() -> None:
    for gate in _gates:
        gate.begin_anew()


os.register_at_fork(after_in_child=_forked)
