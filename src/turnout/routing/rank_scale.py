"""Where a predicted gain stands among those of the training logs: a rank in [0, 1]."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RankScale:
    """ranks: gains, ascending and distinct; levels: the share of the logs' rows below each, [n], n >= 2."""

    def __init__(self, ranks: NDArray[Any], levels: NDArray[Any]) -> None:
        self._ranks = [float(rank) for rank in ranks.tolist()]
        self._levels = [float(level) for level in levels.tolist()]

    @property
    def sound(self) -> bool:
        """Whether both ascend, as many of the one as of the other, the levels in [0, 1]."""
        return (
            len(self._ranks) == len(self._levels) >= 2
            and all(low < high for numbers in (self._ranks, self._levels) for low, high in pairwise(numbers))
            and all(0.0 <= level <= 1.0 for level in self._levels)
        )

    def rank(self, raw: float) -> float:
        """Beyond the gains of the logs nearer and nearer to 0 or 1."""
        ranks, levels = self._ranks, self._levels
        at = bisect_left(ranks, raw)
        if 0 < at < len(ranks):
            within = (raw - ranks[at - 1]) / (ranks[at] - ranks[at - 1])
            return levels[at - 1] + within * (levels[at] - levels[at - 1])
        width = ranks[-1] - ranks[0]
        if at == 0:
            return levels[0] * math.exp((raw - ranks[0]) / width)
        return 1.0 - (1.0 - levels[-1]) * math.exp((ranks[-1] - raw) / width)

    def gain(self, level: float) -> float:
        """The gain that stands there: `rank` the other way round, within the logs."""
        return float(np.interp(level, self._levels, self._ranks))
