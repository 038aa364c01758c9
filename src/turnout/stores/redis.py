"""The Gate in Redis: one answer, one flight, one limit for every worker on every host.

Each verb is one Lua script (lua/*.lua) in one round trip. Every key begins with `{prefix}`, a hash tag, so
that a Cluster runs the scripts too, on the one shard that holds that tag. Time is Redis' own.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import weakref
from typing import Any

from turnout.ports import (
    Ask,
    BudgetRefused,
    Entry,
    Follow,
    Hit,
    Lead,
    RateRefused,
    Settlement,
    Stored,
)
from turnout.stores.addresses import connect_by
from turnout.stores.claims import budget_refused, packed_claims, rate_refused, states
from turnout.stores.line import Line
from turnout.stores.scripts import Scripts

# How long a flight is held without a beat of its process: so soon is it noticed that one was killed.
HOLD_S = 3.0


class RedisGate:
    """The Gate of all processes that share a Redis. Connects when first asked, once for each loop and process:
    never before a fork. Raises LineDown where Redis cannot be asked within `timeout_s`, connecting included."""

    def __init__(self, *, url: str, prefix: str, timeout_s: float, scripts: Scripts | None = None) -> None:
        self._root = f"{{{prefix}}}"
        self._connect = connect_by(url, self._root)
        self._timeout_s = timeout_s
        self._scripts = scripts or Scripts()
        self._seats: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Seat] = weakref.WeakKeyDictionary()

    async def enter(self, ask: Ask) -> Entry:
        seat = self._seat()
        lease = seat.lease()
        verdict, detail, told, packed = await self._run(
            "enter",
            lease,
            ask.key or b"",
            ask.lookup + 2 * ask.collapse,
            -1 if ask.max_age_s is None else round(ask.max_age_s * 1000),
            round(HOLD_S * 1000),
            packed_claims(ask),
        )
        return Entry(verdict=_verdict(ask, verdict, detail, packed, lease), **states(ask, told))

    async def leave(self, settlement: Settlement) -> None:
        store = settlement.store
        kept: tuple[Any, ...] = ("",)
        if store is not None and settlement.key is not None:
            kept = (store.packed, round(store.ttl_s * 1000), round(store.stale_s * 1000), store.user, store.endpoint)
        await self._run(
            "leave",
            settlement.lease,
            settlement.key or b"",
            "" if settlement.cost is None else settlement.cost,
            "" if settlement.tokens is None else settlement.tokens,
            *kept,
        )

    async def top_up(self, lease: str, amount: int) -> bool:
        return bool(await self._run("top_up", lease, amount))

    async def stale(self, key: bytes) -> Stored | None:
        found = await self._run("stale", key)
        return Stored(packed=found[1], age_s=int(found[0]) / 1000) if found else None

    async def close(self) -> None:
        seat = self._seats.pop(asyncio.get_running_loop(), None)
        if seat is not None:
            await seat.close()

    # ---------------------------------------------------------------------------------------- the connection

    async def _run(self, name: str, *arguments: str | bytes | int) -> Any:
        line = await self._seat().line()
        return await line.run(self._scripts[name], self._root, *arguments)

    def _seat(self) -> _Seat:
        loop = asyncio.get_running_loop()
        seat = self._seats.get(loop)
        if seat is None or seat.pid != os.getpid():
            seat = self._seats[loop] = _Seat(self)
        return seat


class _Seat:
    """What one loop of one process has of its own: a name, its leases' numbers, a connection."""

    def __init__(self, gate: RedisGate) -> None:
        self.pid = os.getpid()
        self.name = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._gate = gate
        self._line: Line | None = None
        self._opening = asyncio.Lock()

    def lease(self) -> str:
        return f"{self.name}.{next(self._numbers)}"

    async def line(self) -> Line:
        """The open connection. Raises LineDown."""
        line = self._line
        if line is not None and line.down is None:
            return line
        async with self._opening:
            if self._line is None or self._line.down is not None:
                if self._line is not None:
                    await self._line.close()
                self._line = await Line.open(self._gate._connect, self._gate._timeout_s)
        return self._line

    async def close(self) -> None:
        if self._line is not None:
            await self._line.close()


def _verdict(
    ask: Ask, verdict: int, detail: bytes, packed: bytes, lease: str
) -> Hit | Follow | Lead | RateRefused | BudgetRefused:
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
