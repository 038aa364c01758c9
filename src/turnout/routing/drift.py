"""Has the traffic left the logs? Scores are ranks among the training logs, so on traffic like them they are uniform.

The drift figure is the Kolmogorov-Smirnov distance of the last WINDOW scores from uniform, in [0, 1], over BINS
equal bins. It reads as what it costs: at some threshold the share of expensive calls is off by so much of what the
logs promised. 0.2 is reported as a drift, more where the scorer's rows were few: at 500 scores chance alone passes
0.087 once in a thousand windows. Texts that no score can be believed of may score evenly all the same: so the share of
novel requests is watched beside it.

Deterministic, bounded, no clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

WINDOW = 500
BINS = 50
DRIFTED = 0.2
# Reported once, and again only when it has been back below this: a figure that trembles at 0.2 is one event.
BACK = 0.15
# By this over the square root of the rows more where a scorer was trained on few: measured, .22 to .33 on the very
# traffic of 300 to 400 rows.
BY_HEART = 2.0
# Of traffic like the logs 1 to 2 % is novel; reported once, and again only when it has been back below half of this.
MOST_NOVEL = 0.1
# The figure is made anew after so many scores: a sum over the bins a request would be felt.
EVERY = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The figures as they were just made. novel: the share of novel requests. crossed: True: one of them passed its
    limit upwards; False: both are back below theirs; None: neither."""

    distance: float
    novel: float = 0.0
    crossed: bool | None = None


class Drift:
    """Watches the scores of one Turnout. distance, novel: the figures; None until WINDOW scores were seen."""

    def __init__(self, rows: int = 0) -> None:
        """rows: how many the scorer was trained on; 0: not known."""
        # A scorer partly memorises its rows where they are few: the scores of traffic just like them are less even.
        self.limit = DRIFTED + (BY_HEART / math.sqrt(rows) if rows else 0.0)
        # The bin of each score, and whether its request was novel.
        self._recent: deque[tuple[int, bool]] = deque()
        self._counts = [0] * BINS
        self._novel = 0
        self._since = 0
        self.distance: float | None = None
        self.novel: float | None = None
        self.drifted = False

    def observe(self, score: float, *, novel: bool = False) -> Look | None:
        """Takes one score into account; tells the figures when they are made anew, and a crossing once."""
        place = _bin(score)
        self._recent.append((place, novel))
        self._counts[place] += 1
        self._novel += novel
        if len(self._recent) > WINDOW:
            gone, was_novel = self._recent.popleft()
            self._counts[gone] -= 1
            self._novel -= was_novel
        self._since += 1
        if self._since < EVERY or len(self._recent) < WINDOW:
            return None
        self._since = 0
        self.distance, self.novel = _distance(self._counts), self._novel / WINDOW
        return Look(distance=self.distance, novel=self.novel, crossed=self._crossed(self.distance, self.novel))

    def _crossed(self, distance: float, novel: float) -> bool | None:
        limits = (self.limit - DRIFTED + BACK, MOST_NOVEL / 2) if self.drifted else (self.limit, MOST_NOVEL)
        if self.drifted == (distance >= limits[0] or novel >= limits[1]):
            return None
        self.drifted = not self.drifted
        return self.drifted


def uniform_distance(scores: Iterable[float]) -> float:
    """The drift figure of all these scores; 0 of none."""
    counts = [0] * BINS
    for score in scores:
        counts[_bin(score)] += 1
    return _distance(counts) if any(counts) else 0.0


def _bin(score: float) -> int:
    return min(BINS - 1, max(0, int(score * BINS)))


def _distance(counts: list[int]) -> float:
    total = sum(counts)
    return max(abs(below / total - (place + 1) / BINS) for place, below in enumerate(accumulate(counts)))
