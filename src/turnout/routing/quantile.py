"""Keeps the share of expensive calls that was asked for, whatever the traffic: an online quantile.

The threshold is the quantile of the last `WINDOW` scores, so traffic of another kind has replaced the old
within as many requests. Deterministic, bounded, no clock.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

# A share is off by at most 1 in WINDOW once the window is full of the new traffic; 400 leaves room before 500.
WINDOW = 400
# What stands in for traffic before there is any: scores are ranks, so uniform.
SEED = 50


class ShareKeeper:
    """Decides score by score. `share` in [0, 1] is that of expensive calls."""

    def __init__(self, share: float) -> None:
        self.share = share
        scores = [(number + 0.5) / SEED for number in range(SEED)]
        # Interleaved, so that what is forgotten first is spread over the whole range.
        self._recent = deque((score, score >= 1.0 - share) for score in scores[::2] + scores[1::2])
        self._ordered = list(scores)
        self._expensive = sum(expensive for _, expensive in self._recent)

    @property
    def threshold(self) -> float:
        """The score that a request must reach."""
        if self.share <= 0.0:
            return 1.0 + 1e-9
        return self._ordered[max(0, min(len(self._ordered) - 1, int((1.0 - self.share) * len(self._ordered))))]

    def expensive(self, score: float) -> bool:
        """Whether this score would go to the expensive tier now. Equal scores go there while it has room."""
        threshold = self.threshold
        if score == threshold:
            return self._expensive < self.share * (len(self._recent) + 1)
        return score > threshold

    def observe(self, score: float, expensive: bool) -> None:
        """Takes one decision into account."""
        self._recent.append((score, expensive))
        self._expensive += expensive
        insort(self._ordered, score)
        if len(self._recent) > WINDOW:
            old, was_expensive = self._recent.popleft()
            self._expensive -= was_expensive
            del self._ordered[bisect_left(self._ordered, old)]
