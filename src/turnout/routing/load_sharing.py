"""Models of a tier that share its load by weight, such as keys, regions or servers of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby


class LoadSharing:
    """Orders a tier's models so that each leads as often as its weight says, evenly spread (nginx's rule). Holds what
    each is owed; no chance, no clock. weights: of those that share, by configured name."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._owed = dict.fromkeys(weights, 0.0)

    def order(self, models: Sequence[str]) -> tuple[str, ...]:
        """The models in the order of trying: those that share and stand together in turn, the others in their place."""
        if self._weights.keys().isdisjoint(models):
            return tuple(models)
        ordered: list[str] = []
        for shares, together in groupby(models, self._weights.__contains__):
            group = list(together)
            ordered += self._in_turn(group) if shares else group
        return tuple(ordered)

    def _in_turn(self, group: list[str]) -> list[str]:
        for name in group:
            self._owed[name] += self._weights[name]
        ordered = sorted(group, key=self._owed.__getitem__, reverse=True)
        self._owed[ordered[0]] -= sum(self._weights[name] for name in group)
        return ordered
