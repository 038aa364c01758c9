"""Accounts of the memory ledger, spent and reserved amounts, and the leases that reserve them.

Amounts are whole numbers: nano-USD, tokens or requests. Times are milliseconds of a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from turnout.stores.memory.sliding_window import SlidingWindow

Unit = Literal["usd", "tokens", "requests", "calls"]


class Account:
    """An account of a sliding window, or of a calendar window or calls in progress (`sliding` is None), whose amounts
    never leave it."""

    __slots__ = ("_spent", "keep_ms", "reserved", "sliding", "touched")

    def __init__(self, *, sliding: SlidingWindow | None, keep_ms: int) -> None:
        self.sliding = sliding
        self.reserved = 0
        self.keep_ms = keep_ms
        self.touched = 0
        self._spent = 0

    @property
    def spent(self) -> int:
        return self._spent if self.sliding is None else self.sliding.total

    @property
    def used(self) -> int:
        """What counts against the limit."""
        return self.spent + self.reserved

    def touch(self, now: int) -> None:
        self.touched = now
        if self.sliding is not None:
            self.sliding.expire(now)

    def spend(self, now: int, amount: int, slot: int) -> int:
        """Adds an amount, and returns the stamp to take it back by."""
        if self.sliding is not None:
            return self.sliding.add(now, amount, slot) if amount else 0
        self._spent += amount
        return 0

    def take_back(self, stamp: int, amount: int) -> None:
        if self.sliding is not None:
            self.sliding.take_back(stamp, amount)
        else:
            self._spent -= amount

    def is_obsolete(self, now: int) -> bool:
        """Whether its amounts count no longer. By the monotonic clock: where the wall clock jumps and comes back,
        the account is still there."""
        return self.reserved == 0 and now - self.touched > self.keep_ms


@dataclass(slots=True)
class LeasePart:
    """What a lease reserves of one account. stamp: what a spent amount is kept under."""

    unit: Unit
    account: Account
    limit: int
    amount: int
    slot: int = 1
    stamp: int = 0


@dataclass(slots=True)
class Lease:
    """One call's reservations, until it is settled or expires."""

    ends: int
    length: int
    parts: list[LeasePart] = field(default_factory=list)
    expired: bool = False

    def expire(self) -> None:
        """Counts everything reserved as spent, as of the lease's end: no settlement came."""
        self.expired = True
        for part in self.parts:
            if part.unit != "requests":
                part.account.reserved -= part.amount
                if part.unit != "calls":
                    part.stamp = part.account.spend(self.ends, part.amount, part.slot)

    def settle(self, now: int, cost: int | None, tokens: int | None, *, refused: bool) -> None:
        """Replaces what is reserved by what was really used, also after the lease has expired."""
        for part in self.parts:
            if part.unit == "requests":
                if refused:
                    part.account.take_back(part.stamp, part.amount)
                continue
            if part.unit == "calls":
                part.account.reserved -= 0 if self.expired else part.amount
                continue
            used = cost if part.unit == "usd" else tokens
            if not self.expired:
                part.account.reserved -= part.amount
            elif used is not None:
                part.account.take_back(part.stamp, part.amount)
            if used is not None or not self.expired:
                part.account.spend(now, part.amount if used is None else used, part.slot)

    def top_up(self, cost: int, tokens: int) -> bool:
        """Reserves this much more of every budget and token limit, or of none."""
        growing = [part for part in self.parts if part.unit in ("usd", "tokens")]
        additions = [(part, cost if part.unit == "usd" else tokens) for part in growing]
        if self.expired or any(part.account.used + amount > part.limit for part, amount in additions):
            return False
        for part, amount in additions:
            part.account.reserved += amount
            part.amount += amount
        return True
