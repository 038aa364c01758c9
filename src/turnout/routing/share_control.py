"""Keeps the share of expensive calls that was asked for, whatever the traffic: an online quantile, and a debt.

The threshold is a quantile of the last WINDOW scores, so traffic of another kind has replaced the old within as
many requests. A quantile alone fails where scores drift (each one higher than all before: all expensive), so the
calls that were sent beyond the share, or short of it, are counted as a debt that moves which quantile it is: hardly
while it is small, so that on steady traffic the score decides, and all the way at MOST_DEBT, so that it never passes
that by more than one call. So in any stretch of n requests, of whatever scores, even of somebody who knows the
threshold, the expensive ones are off the share by at most 2 x (MOST_DEBT + 1): 2.8 points in 500, 1.4 in 1,000.

Deterministic, bounded, no clock. How several processes keep one share is in routing/share_sync.py.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

# Long enough that the quantile of steady traffic moves little (2 points), short enough to be all new before 500.
WINDOW = 400
# What stands in for traffic before there is any: scores are ranks, so uniform.
SEED = 50
# In calls. 2 x (6 + 1) = 14 of 500 requests are 2.8 points: below the 3 that are promised.
MOST_DEBT = 6.0
# No score reaches it.
NEVER = 1.0 + 1e-9


class ShareControl:
    """Decides score by score. `share` in [0, 1] is that of expensive calls."""

    def __init__(self, share: float) -> None:
        self.share = share
        self._ordered = [(number + 0.5) / SEED for number in range(SEED)]
        # Interleaved, so that what is forgotten first is spread over the whole range.
        self._recent = deque(self._ordered[::2] + self._ordered[1::2])
        self._debt = 0.0

    @property
    def debt(self) -> float:
        """How many calls were expensive beyond the share; negative: short of it."""
        return self._debt

    @property
    def threshold(self) -> float:
        """The score that a request must reach; where many scores equal it, not all of them are expensive."""
        return self._threshold(self._target(self.share))

    def _threshold(self, target: float) -> float:
        if target <= 0.0:
            return NEVER
        return 0.0 if target >= 1.0 else self._quantile(target)

    def _target(self, share: float) -> float:
        """The share of the recent scores that would be expensive: the share kept, less what the debt takes off."""
        debt = self.debt
        room = share if debt > 0 else 1.0 - share
        # To the third power: 0.2 % of the room at a debt of 0.75 calls, 12 % at 3, all of it at 6.
        return share - room * (debt / MOST_DEBT) ** 3

    def _quantile(self, target: float) -> float:
        ordered = self._ordered
        return ordered[max(0, min(len(ordered) - 1, int((1.0 - target) * len(ordered))))]

    def expensive(self, score: float) -> bool:
        """Whether this score would go to the expensive tier now."""
        return self.decide(score)[1]

    def decide(self, score: float, pacing_factor: float = 1.0) -> tuple[float, bool]:
        """The threshold, and whether the score reaches it. Of scores that equal it, so many as the share has room
        for are expensive; for the others the threshold is given as just above them. pacing_factor: in [0, 1], how much
        of the share is wanted now; 0: nothing at all, whatever the debt."""
        share = self.share * pacing_factor
        target = self._target(share) if pacing_factor > 0.0 else 0.0
        threshold = self._threshold(target)
        if score != threshold or target >= 1.0:
            return threshold, score >= threshold
        # One more of the expensive ones would bring the debt to at most half a call.
        expensive = self.debt + 1.0 - share <= 0.5
        return (threshold, True) if expensive else (math.nextafter(score, 2.0), False)

    def has_room(self, expensive: bool) -> bool:
        """Whether one more call of this kind, whatever its score, leaves the debt within MOST_DEBT, or pays it off."""
        debt, after = self.debt, self.debt + expensive - self.share
        return abs(after) <= max(MOST_DEBT, abs(debt))

    def observe(self, score: float, expensive: bool, pacing_factor: float = 1.0) -> None:
        """Takes one decision into account. The debt is to the share that was wanted at its pacing factor."""
        self._owe(expensive - self.share * pacing_factor)
        self.add_scores((score,))

    def correct(self, calls: float) -> None:
        """Of a decision that was observed so many more calls were expensive than it said; negative: fewer."""
        if calls:
            self._owe(calls)

    def _owe(self, debt: float) -> None:
        self._debt += debt

    def add_scores(self, scores: Iterable[float]) -> None:
        """Adds scores of the traffic to the window, whichever process decided on them, the newest last."""
        for score in scores:
            self._recent.append(score)
            insort(self._ordered, score)
            if len(self._recent) > WINDOW:
                del self._ordered[bisect_left(self._ordered, self._recent.popleft())]
