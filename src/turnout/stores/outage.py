"""Detects an outage of Redis: when this process stops using it. Pure."""

from __future__ import annotations

# One alone may be a hiccup, of Redis, the network or our own machine.
TIMEOUTS_IN_A_ROW = 3


class OutageDetector:
    """active: from a refused connection, or so many time-outs in a row, until `end()`."""

    def __init__(self) -> None:
        self.active = False
        self._failures = 0

    def record_success(self) -> None:
        self._failures = 0

    def record_failure(self, *, timed_out: bool) -> bool:
        """Returns whether the outage begins with this failure."""
        if self.active:
            return False
        self._failures += 1
        self.active = not timed_out or self._failures >= TIMEOUTS_IN_A_ROW
        return self.active

    def end(self) -> None:
        self.active = False
        self._failures = 0
