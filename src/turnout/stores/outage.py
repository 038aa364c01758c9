"""Redis' own breaker: when this process stops asking it, and when it asks again. Pure."""

from __future__ import annotations

# In a row: one may be a hiccup, of Redis, the network or our own machine.
TIMEOUTS = 3


class Health:
    """Open after a refusal, or after this many time-outs in a row."""

    def __init__(self) -> None:
        self.open = False
        self._in_a_row = 0

    def answered(self) -> None:
        self._in_a_row = 0

    def failed(self, *, hung: bool) -> bool:
        """Whether this failure has opened it."""
        if self.open:
            return False
        self._in_a_row += 1
        self.open = not hung or self._in_a_row >= TIMEOUTS
        return self.open

    def closed(self) -> None:
        self.open = False
        self._in_a_row = 0
