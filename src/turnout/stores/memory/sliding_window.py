"""A sum over a window that slides: what was added in the last so many milliseconds. Pure; time is an argument.

Exact to the millisecond for limits up to `EXACT`; above, an amount counts as added at the end of its slot of
1/`SLOTS` of the window: never too little, and so many entries at most. lua/sums.lua is the same in Redis.
"""

from __future__ import annotations

from bisect import insort

# So many entries at most: a limit of so many requests, one entry each, is kept exactly.
EXACT = 4096
SLOTS = 4096


def grain_ms(limit: int, window_ms: int) -> int:
    """How long one slot is."""
    return 1 if limit <= EXACT else -(-window_ms // SLOTS)


class Sliding:
    """The sum. Every `now` and stamp is in milliseconds of a clock that does not go back."""

    __slots__ = ("_amounts", "_stamps", "_window", "total")

    def __init__(self, window_ms: int) -> None:
        self._window = window_ms
        self._stamps: list[int] = []
        self._amounts: dict[int, int] = {}
        self.total = 0

    def drop(self, now: int) -> None:
        """Forgets what has left the window."""
        gone = 0
        for stamp in self._stamps:
            if now - stamp < self._window:
                break
            self.total -= self._amounts.pop(stamp)
            gone += 1
        if gone:
            del self._stamps[:gone]

    def add(self, now: int, amount: int, grain: int) -> int:
        """Adds this much as of now, or of an earlier time, and gives the stamp it stands under."""
        stamp = -(-now // grain) * grain
        if stamp not in self._amounts:
            insort(self._stamps, stamp)
            self._amounts[stamp] = 0
        self._amounts[stamp] += amount
        self.total += amount
        return stamp

    def take_back(self, stamp: int, amount: int) -> None:
        """Takes back what was added under this stamp, where it has not left yet."""
        if stamp in self._amounts:
            self._amounts[stamp] -= amount
            self.total -= amount

    def wait_ms(self, now: int, excess: int) -> int:
        """In how many milliseconds at least `excess` will have left; a whole window where that is never."""
        for stamp in self._stamps:
            excess -= self._amounts[stamp]
            if excess <= 0:
                return max(1, stamp + self._window - now)
        return self._window

    def next_ms(self, now: int) -> int:
        """In how many milliseconds something next leaves; 0 where nothing is in the window."""
        return next((stamp + self._window - now for stamp in self._stamps if self._amounts[stamp]), 0)
