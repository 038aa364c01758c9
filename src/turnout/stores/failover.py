"""The shared Gate, and the process' own for as long as Redis cannot be asked. No request is lost to an outage.

While it lasts the cache and the flights are this process' own, each rate limit is its share among the workers
seen in the last minute, and budgets refuse unless the settings let a share of what was left go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace

from turnout.errors import BudgetUnavailable, StoreUnavailable
from turnout.ports.admission import Ask, Entry, Follow, Lead, Settlement, Stored
from turnout.ports.limits import BudgetState
from turnout.ports.runtime import Clock
from turnout.ports.sharing import FlightBroker, FrameSource, LocalFlightBroker
from turnout.stores.local_share import as_asked, local_ask
from turnout.stores.memory.gate import MemoryGate
from turnout.stores.outage import Health
from turnout.stores.redis.connection import StoreUnreachable
from turnout.stores.redis.gate import RedisGate

log = logging.getLogger("turnout")

# Between two looks whether it is back; it is to be used again within 5 s.
LOOK_S = 1.0
# Settlements kept for a Redis that is away. More than these were asked for within one outage: the oldest go,
# and what they had reserved stands until its lease ends.
OWED = 10_000
_LOCAL = "local-"


class FailoverGate:
    """Gate, Relay and Shelf. `local` makes an empty gate of the process' own; `told(up, why)` hears of each change."""

    def __init__(
        self,
        *,
        shared: RedisGate,
        flight_broker: FlightBroker,
        local: Callable[[], MemoryGate],
        clock: Clock,
        budgets_local: bool = False,
        told: Callable[[bool, str], None] = lambda up, why: None,
    ) -> None:
        self._shared = shared
        self._flight_broker = flight_broker
        self._make_local = local
        self._local = local()
        self._outage = 0
        self._clock = clock
        self._budgets_local = budgets_local
        self._told = told
        self._health = Health()
        self._owed: deque[Settlement] = deque(maxlen=OWED)
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects ahead of the first request, where Redis is there."""
        with suppress(StoreUnreachable):
            await self._shared.reach()

    async def enter(self, ask: Ask) -> Entry:
        if not self._away:
            try:
                entry = await self._shared.enter(ask)
            except StoreUnreachable as down:
                self._failed(down)
            else:
                self._health.answered()
                return entry
        return await self._enter_here(ask)

    async def _enter_here(self, ask: Ask) -> Entry:
        remembered, now = self._shared.remembered, self._clock.time()
        here = local_ask(ask, self._shared.workers, remembered, now, budgets=self._budgets_local)
        entry = as_asked(ask, here, await self._local.enter(here))
        verdict = entry.verdict
        if isinstance(verdict, Lead):
            if ask.budgets and not self._budgets_local:
                await self._local.leave(Settlement(key=ask.key, lease=verdict.lease, refused=True))
                raise BudgetUnavailable("the budgets cannot be read at the moment", retry_after_s=LOOK_S)
            verdict = replace(verdict, lease=self._mark + verdict.lease)
        elif isinstance(verdict, Follow):
            verdict = replace(verdict, lease=self._mark + verdict.lease)
        return replace(entry, verdict=verdict)

    async def leave(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        if settlement.lease.startswith(_LOCAL):
            return await self._leave_here(settlement)
        if not self._away:
            try:
                return await self._shared.leave(settlement)
            except StoreUnreachable as down:
                self._failed(down)
        # Its answer serves here meanwhile; what it cost is told when somebody listens again.
        self._owed.append(replace(settlement, store=None))
        self._watch()
        return await self._local.leave(replace(settlement, lease="", cost=0, tokens=0))

    async def _leave_here(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        lease = settlement.lease.removeprefix(self._mark)
        # A lease of an outage that is over is nobody's; its answer may serve.
        return await self._local.leave(replace(settlement, lease="" if lease.startswith(_LOCAL) else lease))

    async def top_up(self, lease: str, amount: int, tokens: int = 0) -> bool:
        if lease.startswith(self._mark):
            return await self._local.top_up(lease.removeprefix(self._mark), amount, tokens)
        if lease.startswith(_LOCAL) or self._away:
            return False
        try:
            return await self._shared.top_up(lease, amount, tokens)
        except StoreUnreachable as down:
            self._failed(down)
            return False

    async def stale(self, key: bytes) -> Stored | None:
        if not self._away:
            try:
                return await self._shared.stale(key)
            except StoreUnreachable as down:
                self._failed(down)
        return await self._local.stale(key)

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        # What this process keeps itself goes too: a shelf that is found in an outage holds nothing purged.
        await self._local.purge(user=user, endpoint=endpoint)
        try:
            return await self._shared.purge(user=user, endpoint=endpoint)
        except StoreUnreachable as down:
            self._failed(down)
            raise StoreUnavailable(f"Redis cannot be asked ({down}): its answers were not purged") from down

    async def close(self) -> None:
        looking = self._looking
        if looking is not None and looking.get_loop() is asyncio.get_running_loop():
            looking.cancel()
            await asyncio.wait({looking})
        await self._shared.close()
        await self._local.close()

    def share(self, key: bytes, lease: str, tell: FrameSource) -> None:
        if not lease.startswith(_LOCAL):
            self._flight_broker.share(key, lease, tell)

    def end(self, lease: str) -> None:
        if not lease.startswith(_LOCAL):
            self._flight_broker.end(lease)

    def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        flight_broker = LocalFlightBroker() if lease.startswith(_LOCAL) else self._flight_broker
        return flight_broker.follow(key, lease, chunks=chunks)

    @property
    def _mark(self) -> str:
        """What the leases of this outage begin with."""
        return f"{_LOCAL}{self._outage}."

    @property
    def _away(self) -> bool:
        """Whether Redis is not asked now. Whoever finds that out sees to it that somebody looks for it."""
        if self._health.open:
            self._watch()
        return self._health.open

    def _watch(self) -> None:
        looking = self._looking
        # One that began on a loop that is gone, or before a fork, never ends and finds nothing.
        if looking is None or looking.done() or looking.get_loop() is not asyncio.get_running_loop():
            self._looking = asyncio.create_task(self._look(), name="turnout.redis.look")

    def _failed(self, down: StoreUnreachable) -> None:
        if self._health.failed(hung=down.hung):
            log.warning("Redis cannot be used (%s): this process goes on by itself and looks for it", down)
            self._told(False, str(down))

    async def _look(self) -> None:
        while self._health.open or self._owed:
            await self._clock.sleep(LOOK_S)
            with suppress(StoreUnreachable):
                await self._shared.reach()
                while self._owed:
                    await self._shared.leave(self._owed[0])
                    self._owed.popleft()
                self._back()

    def _back(self) -> None:
        """Uses it again. What was cached meanwhile is dropped: it missed what was purged or made elsewhere."""
        if self._health.open:
            self._outage += 1
            self._local = self._make_local()
            self._health.closed()
            log.warning("Redis is used again")
            self._told(True, "")
