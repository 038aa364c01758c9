"""The default scorer: a plain prior for the first day, before there are logs of the app's own.

Which kinds of words a request is made of, weighed by what they said alike on six public logs. Its numbers
lie in default.json, written by benchmarks/train_default.py, with what priors made the same way were worth on logs left
out of their training. Routing does not transfer between kinds of traffic: train on your own logs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from turnout.errors import ArtifactError
from turnout.ports.scoring import Query, Score
from turnout.routing.features import FEATURE_VERSION, NAMES, Floats, read_features
from turnout.routing.reasons import strongest

FILE = "default.json"


@cache
def _shipped() -> tuple[str, Mapping[str, Any]]:
    text = files("turnout.routing").joinpath(FILE).read_text(encoding="utf-8")
    weights = json.loads(text)
    if weights["features"] != FEATURE_VERSION:
        raise ArtifactError(f"{FILE} is of other features; write it anew with benchmarks/train_default.py")
    return hashlib.sha256(text.encode()).hexdigest()[:12], weights


class PriorScorer:
    """Implements Scorer by the numbers that ship with the library."""

    is_default = True

    def __init__(self) -> None:
        digest, weights = _shipped()
        self.version = f"prior-{digest}"
        self.limits: str = weights["limits"]
        self._names: list[str] = weights["names"]
        self._at = np.array([NAMES.index(name) for name in self._names], dtype=np.intp)
        # [knots, names]: a number's rank is the share of its knots that it is above.
        self._knots: Floats = np.array(weights["knots"], dtype=np.float64).T
        self._weights: Floats = np.array(weights["weights"], dtype=np.float64)
        self._middle: Floats = np.array(weights["middle"], dtype=np.float64)
        self._ranks: Floats = np.array(weights["ranks"], dtype=np.float64)
        self._levels: Floats = np.array(weights["levels"], dtype=np.float64)

    def score(self, query: Query) -> Score:
        """The guessed gain's rank among the public sources; the gain itself is not known, and reported as 0."""
        total = float(self._parts(query).sum())
        return Score(score=float(np.interp(total, self._ranks, self._levels)), expected_gain=0.0)

    def explain(self, query: Query, count: int = 5) -> list[str]:
        """The strongest reasons in words, the strongest first."""
        parts = self._parts(query)
        return strongest(dict(zip(self._names, map(float, parts), strict=True)), count)

    def _parts(self, query: Query) -> Floats:
        numbers = read_features(query).structure[self._at]
        return np.asarray(((numbers > self._knots).mean(axis=0) - self._middle) * self._weights)
