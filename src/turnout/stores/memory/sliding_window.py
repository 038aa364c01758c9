"""A sum over a sliding window: what was added in its last so many milliseconds. Pure; time is an argument.

Exact to the millisecond for limits up to `EXACT`; above, an amount counts as added at the end of its slot of
1/`SLOTS` of the window: never too early, and with a bounded number of entries. In Redis: lua/functions/accounts.lua.
"""

from __future__ import annotations

from bisect import insort

# A window has at most so many entries: a limit of so many requests, one entry each, is kept exactly.
EXACT = 4096
SLOTS = 4096


def slot_ms(limit: int, window_ms: int) -> int:
    """Returns the length of one slot."""
    return 1 if limit <= EXACT else -(-window_ms // SLOTS)


class SlidingWindow:
    """The sum. Every `now` and stamp is in milliseconds of a clock that does not go back."""

    __slots__ = ("_amounts", "_stamps", "_window_ms", "total")

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._stamps: list[int] = []
        self._amounts: dict[int, int] = {}
        self.total = 0

    def expire(self, now: int) -> None:
        """Removes what has left the window."""
        expired = 0
        for stamp in self._stamps:
            if now - stamp < self._window_ms:
                break
            self.total -= self._amounts.pop(stamp)
            expired += 1
        if expired:
            del self._stamps[:expired]

    def add(self, now: int, amount: int, slot: int) -> int:
        """Adds an amount as of now, or of an earlier time, and returns the stamp that it is kept under."""
        stamp = -(-now // slot) * slot
        if stamp not in self._amounts:
            insort(self._stamps, stamp)
            self._amounts[stamp] = 0
        self._amounts[stamp] += amount
        self.total += amount
        return stamp

    def take_back(self, stamp: int, amount: int) -> None:
        """Removes what was added under this stamp, unless it has left the window."""
        if stamp in self._amounts:
            self._amounts[stamp] -= amount
            self.total -= amount

    def wait_ms(self, now: int, excess: int) -> int:
        """Returns in how many milliseconds at least `excess` will have left; a whole window where that is never."""
        for stamp in self._stamps:
            excess -= self._amounts[stamp]
            if excess <= 0:
                return max(1, stamp + self._window_ms - now)
        return self._window_ms

    def amounts(self, now: int, most: int) -> tuple[tuple[int, int], ...]:
        """Returns what is in the window as (milliseconds since it was added, amount), in at most so many parts; each
        part counts as added with the newest of it."""
        parts: dict[int, tuple[int, int]] = {}
        for stamp in self._stamps:
            part = stamp * most // self._window_ms
            parts[part] = (max(0, now - stamp), parts.get(part, (0, 0))[1] + self._amounts[stamp])
        return tuple(part for part in parts.values() if part[1])

    def next_ms(self, now: int) -> int:
        """Returns in how many milliseconds an amount next leaves; 0 where the window is empty."""
        return next((stamp + self._window_ms - now for stamp in self._stamps if self._amounts[stamp]), 0)
