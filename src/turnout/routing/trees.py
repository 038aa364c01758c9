"""Serves shallow trees over a request's numbers and its tag's mean, all walked at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from turnout.routing.features import NAMES, Floats

# Far more than any tree is deep: a file that says more is not ours.
MOST_LEVELS = 64
# More than twice what training makes: every request asks all of them.
MOST_NODES = 1 << 17


class Trees:
    """All trees as one list of nodes; a leaf leads to itself, so all are walked at once for as many levels."""

    def __init__(self, arrays: Mapping[str, Any], depth: int, count: int, width: int = len(NAMES)) -> None:
        """width: how many numbers they may ask for, beside the tag's mean."""
        self._features = arrays["tree_features"].astype(np.intp)
        self._cuts = arrays["tree_cuts"].astype(np.float64)
        children = arrays["tree_children"].astype(np.intp).reshape(-1, 2)
        self._left, self._right = np.ascontiguousarray(children[:, 0]), np.ascontiguousarray(children[:, 1])
        self._values: Floats = arrays["tree_values"].astype(np.float64)
        self._roots = arrays["tree_roots"].astype(np.intp)
        self._depth, self._count, self._width = depth, count, width
        self.middle = float(self._values[self._roots].sum()) if self.sound else 0.0

    @property
    def sound(self) -> bool:
        """Whether every node leads to a node and asks for a feature that there is."""
        nodes = len(self._values)
        sizes = (len(self._features), len(self._cuts), len(self._left)) == (nodes, nodes, nodes)
        # The last number is the tag's mean.
        within = [(self._features, self._width + 1), (self._left, nodes), (self._right, nodes), (self._roots, nodes)]
        return (
            sizes
            and 0 <= self._depth <= MOST_LEVELS
            and nodes <= MOST_NODES
            and self._cuts.ndim == self._values.ndim == 1
            and len(self._roots) == self._count
            and all(array.ndim == 1 and ((array >= 0) & (array < end)).all() for array, end in within)
        )

    def gain(self, structure: Floats, tag_mean: float) -> float:
        """The sum of the leaves. Numbers are held against the cuts in single precision, as they were learnt."""
        numbers = _numbers(structure, tag_mean)
        # Every node is asked at once: on some thousand nodes that is no dearer than ten steps for each level.
        below = np.where(numbers.take(self._features) > self._cuts, self._right, self._left)
        at = self._roots
        for _ in range(self._depth):
            at = below.take(at)
        return float(self._values.take(at).sum())

    def parts(self, structure: Floats, tag_mean: float) -> Floats:
        """What each number adds to the gain beyond `middle`, the tag's mean last: [len(structure) + 1]. Along each
        tree's path, a step's change of value is that of the number that was asked for (Saabas' attribution)."""
        numbers = _numbers(structure, tag_mean)
        parts, at = np.zeros(len(numbers)), self._roots
        for _ in range(self._depth):
            asked = self._features[at]
            below = np.where(numbers[asked] > self._cuts[at], self._right[at], self._left[at])
            np.add.at(parts, asked, self._values[below] - self._values[at])
            at = below
        return parts


def _numbers(structure: Floats, tag_mean: float) -> Floats:
    numbers = np.empty(len(structure) + 1, np.float32)
    numbers[:-1] = structure
    numbers[-1] = tag_mean
    return numbers.astype(np.float64)
