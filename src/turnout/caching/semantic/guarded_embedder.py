"""An embedder that may be slow or fail, kept off the request path: timed out, left alone after failures."""

from __future__ import annotations

from collections import OrderedDict

from turnout.ports.runtime import Clock
from turnout.ports.semantic import Embedder

# Vectors that are remembered, and for how long: rewordings are one text by the time that they come here.
MOST_KEPT, KEPT_S = 1000, 300.0


class EmbedderPaused(Exception):
    """It has failed too often, and is left alone for a while."""


class GuardedEmbedder:
    """Implements Embedder around another. timeout_s: how long one text may take. failures: so many in a row, and it is
    left alone for reset_s; then one text tries it."""

    def __init__(self, embedder: Embedder, clock: Clock, *, timeout_s: float, failures: int, reset_s: float) -> None:
        self._embedder = embedder
        self._clock = clock
        self._timeout_s = timeout_s
        self._most_failures = failures
        self._reset_s = reset_s
        self._failures = 0
        self._paused_until = 0.0
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def embed(self, text: str) -> bytes:
        """Raises TimeoutError, EmbedderPaused, or whatever the embedder raises."""
        now = self._clock.monotonic()
        vector, until = self._kept.get(text, (b"", 0.0))
        if now < until:
            self._kept.move_to_end(text)
            return vector
        if now < self._paused_until:
            raise EmbedderPaused(f"left alone after {self._failures} failures")
        if self._failures >= self._most_failures:
            # This one tries; the others wait for what comes of it.
            self._paused_until = now + self._timeout_s
        try:
            async with self._clock.timeout_at(now + self._timeout_s):
                vector = await self._embedder.embed(text)
        except Exception:
            # Whatever an app's own function raises.
            self._failures += 1
            if self._failures >= self._most_failures:
                self._paused_until = self._clock.monotonic() + self._reset_s
            raise
        self._failures, self._paused_until = 0, 0.0
        self._kept[text] = vector, now + KEPT_S
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return vector

    def forget(self) -> None:
        """Forgets the texts that it remembers."""
        self._kept.clear()
