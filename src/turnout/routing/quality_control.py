"""Keeps the quality that the settings ask for: what conversations give up by staying, other requests make up for."""

from __future__ import annotations

# A debt is made up for within about so many requests.
REPAID_WITHIN = 50
# The threshold, a rank, moves by no more than this.
MOST_SHIFT = 0.2
# In gains of requests at the threshold: beyond it no conversation stays on the cheap tier against its score.
MOST_DEBT = 6.0
# A gain at the threshold below this is taken for it.
LEAST_GAIN = 0.01


class QualityControl:
    """A threshold that moves with the expected gain that is owed. Deterministic, bounded, no clock. base: the threshold
    that the target means where each request goes by its score; gain: what one at it is expected to gain."""

    def __init__(self, base: float, gain: float) -> None:
        self.base = base
        self._gain = max(gain, LEAST_GAIN)
        self._debt = 0.0

    @property
    def threshold(self) -> float:
        """Lower while quality is owed, higher while more was served than the target asks."""
        shift = self._debt / (REPAID_WITHIN * self._gain)
        return min(1.0, max(0.0, self.base - max(-MOST_SHIFT, min(MOST_SHIFT, shift))))

    @property
    def has_room(self) -> bool:
        """Whether one more turn may stay on the cheap tier against its score."""
        return self._debt <= MOST_DEBT * self._gain

    def observe(self, score: float, gain: float, *, expensive: bool) -> None:
        """Takes one decision into account. gain: what was expected of the expensive tier."""
        self._debt += gain * ((score >= self.base) - expensive)
