"""The default scorer: a plain prior for the first day, before there are logs of the app's own.

A handful of signs that a request takes many steps, weighed by hand and squashed into [0, 1]. It was trained on
nothing and promises nothing: routing does not transfer between kinds of traffic, so train on your own logs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from turnout.ports import Query, Score
from turnout.routing.features import FEATURE_VERSION, NAMES, describe, read

# Feature (a logged count or a share) -> weight. Length and numbers first: the two that never misled much.
WEIGHTS: Mapping[str, float] = {
    "words": 0.25,
    "numbers": 0.30,
    "count of maths words": 0.35,
    "count of logic words": 0.25,
    "count of code words": 0.25,
    "count of compare words": 0.15,
    "count of quantity words": 0.15,
    "count of portion words": 0.30,
    "options": 0.20,
    "code_fences": 0.30,
    "fractions": 0.40,
    "turns": 0.15,
    "tools": 0.20,
}
# The sum at which a request is as hard as easy: that of a plain question of some twenty words.
MIDDLE = 1.6


class PriorScorer:
    """Implements Scorer without any training."""

    version = f"prior-1-{FEATURE_VERSION}"
    is_default = True

    def __init__(self) -> None:
        self._weights = np.zeros(len(NAMES))
        for name, weight in WEIGHTS.items():
            self._weights[NAMES.index(name)] = weight

    def score(self, query: Query) -> Score:
        """A guess at the expected gain's rank; the gain itself is not known, and told as 0."""
        total = float(read(query).structure @ self._weights)
        return Score(score=1.0 / (1.0 + math.exp(MIDDLE - total)), expected_gain=0.0)

    def explain(self, query: Query, count: int = 5) -> list[str]:
        """The strongest reasons in words, the strongest first."""
        structure = read(query).structure
        parts = [(name, float(structure[NAMES.index(name)]), weight) for name, weight in WEIGHTS.items()]
        strongest = sorted(parts, key=lambda part: -part[1] * part[2])[:count]
        return [f"+{value * weight:.3f}  {name} ({describe(value)})" for name, value, weight in strongest if value]
