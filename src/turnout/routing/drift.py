"""Has the traffic left the logs? Scores are ranks among the training logs, so on traffic like them they are uniform.

The drift figure is the Kolmogorov-Smirnov distance of the last WINDOW scores from uniform, in [0, 1], over BINS
equal bins. It reads as what it costs: at some threshold the share of expensive calls is off by so much of what the
logs promised. 0.2 is told as a drift: at 500 scores chance alone passes 0.087 once in a thousand windows.

Deterministic, bounded, no clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import accumulate

WINDOW = 500
BINS = 50
DRIFTED = 0.2
# Told once, and again only when it has been back below this: a figure that trembles at 0.2 is one event.
BACK = 0.15
# The figure is made anew after so many scores: a sum over the bins a request would be felt.
EVERY = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The figure as it was just made. crossed: True: it passed DRIFTED upwards; False: it fell back below BACK;
    None: neither."""

    distance: float
    crossed: bool | None = None


class Drift:
    """Watches the scores of one Turnout. distance: the figure; None until WINDOW scores were seen."""

    def __init__(self) -> None:
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
        if self.drifted == (distance >= (BACK if self.drifted else DRIFTED)):
            return None
        self.drifted = not self.drifted
        return self.drifted


def _distance(counts: list[int]) -> float:
    total = sum(counts)
    return max(abs(below / total - (place + 1) / BINS) for place, below in enumerate(accumulate(counts)))
