"""Keeps the share of requests that may wait for a second call at most at what is allowed. Deterministic, no clock."""

from __future__ import annotations

# Requests that are counted, about: what came before fades.
WINDOW = 1_000
# Requests that may wait beyond the share, so that the first ones need not all be easy.
ALLOWANCE = 20


class HeldShare:
    """share: in [0, 1]. A request that may come to wait is counted as waiting until it is known not to."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._seen = 0.0
        self._held = 0.0

    def take(self) -> bool:
        """Counts one request; whether it may wait. Then it is counted as waiting."""
        if self._seen >= WINDOW:
            self._seen *= 0.5
            self._held *= 0.5
        self._seen += 1.0
        if self._share <= 0.0 or self._held + 1.0 > self._share * self._seen + ALLOWANCE * self._share:
            return False
        self._held += 1.0
        return True

    def release(self) -> None:
        """It did not wait after all."""
        self._held = max(0.0, self._held - 1.0)
