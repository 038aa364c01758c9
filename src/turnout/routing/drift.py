"""Has the traffic left the logs? Scores are ranks among the training logs, so on traffic like them they are uniform.

The drift figure is the Kolmogorov-Smirnov distance of the last WINDOW scores from uniform, in [0, 1], over BINS
equal bins. It reads as what it costs: at some threshold the share of expensive calls is off by so much of what the
logs promised. 0.2 is told as a drift, more where the scorer's rows were few: at 500 scores chance alone passes 0.087
once in a thousand windows.

Deterministic, bounded, no clock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import accumulate

WINDOW = 500
BINS = 50
DRIFTED = 0.2
# Told once, and again only when it has been back below this: a figure that trembles at 0.2 is one event.
BACK = 0.15
# By this over the square root of the rows more where a scorer was trained on few: measured, .22 to .33 on the very
# traffic of 300 to 400 rows.
BY_HEART = 2.0
# The figure is made anew after so many scores: a sum over the bins a request would be felt.
EVERY = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The figure as it was just made. crossed: True: it passed the limit upwards; False: it fell back below it;
    None: neither."""

    distance: float
    crossed: bool | None = None


class Drift:
    """Watches the scores of one Turnout. distance: the figure; None until WINDOW scores were seen."""

    def __init__(self, rows: int = 0) -> None:
        """rows: how many the scorer was trained on; 0: not known."""
        # Few rows are known by heart in part: the scores of traffic just like them are less even.
        self.limit = DRIFTED + (BY_HEART / math.sqrt(rows) if rows else 0.0)
        self._recent: deque[int] = deque()
        self._counts = [0] * BINS
        self._since = 0
        self.distance: float | None = None
        self.drifted = False

    def observe(self, score: float) -> Look | None:
        """Takes one score into account; tells the figure when it is made anew, and a crossing once."""
        place = min(BINS - 1, max(0, int(score * BINS)))
        self._recent.append(place)
        self._counts[place] += 1
        if len(self._recent) > WINDOW:
            self._counts[self._recent.popleft()] -= 1
        self._since += 1
        if self._since < EVERY or len(self._recent) < WINDOW:
            return None
        self._since = 0
        self.distance = _distance(self._counts)
        return Look(distance=self.distance, crossed=self._crossed(self.distance))

    def _crossed(self, distance: float) -> bool | None:
        if self.drifted == (distance >= (self.limit - DRIFTED + BACK if self.drifted else self.limit)):
            return None
        self.drifted = not self.drifted
        return self.drifted


def _distance(counts: list[int]) -> float:
    total = sum(counts)
    return max(abs(below / total - (place + 1) / BINS) for place, below in enumerate(accumulate(counts)))
