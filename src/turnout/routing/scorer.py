"""Serves a trained scorer from plain arrays: no estimator, no scikit-learn, nothing executed out of the file.

gain = intercept + structure . weights + sum of hashed weights / sqrt(count), per view + the tag's offset
score = the gain's rank among the out-of-fold gains of the training logs
"""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from turnout.errors import ArtifactError
from turnout.ports import Query, Score
from turnout.routing import artifact
from turnout.routing.artifact import Artifact
from turnout.routing.features import COUNTED, NAMES, Floats, Hashes, Reading, describe, read

# Each hashed view's table has 2**BITS weights.
BITS = 14
HASHED_VIEWS = ("words", "word_pairs", "letters")
_SHIFT = np.uint64(64 - BITS)


def slots(hashes: Hashes) -> np.ndarray[Any, np.dtype[np.intp]]:
    """The table slot of each hash: its top bits."""
    return (hashes >> _SHIFT).astype(np.intp)


def scale(count: int) -> float:
    """What a view's sum is divided by, so that a long text does not outweigh a short one."""
    return 1.0 / math.sqrt(count) if count else 0.0


class FileScorer:
    """Implements Scorer over an Artifact. Raises ArtifactError where its arrays do not fit together."""

    is_default = False

    def __init__(self, file: Artifact) -> None:
        self._artifact = file
        header, arrays = file.header, file.arrays
        try:
            self._structure: Floats = arrays["structure"].astype(np.float64)
            self._tables = [arrays[view].astype(np.float64) for view in HASHED_VIEWS]
            self._ranks = [float(rank) for rank in arrays["ranks"]]
            self._intercept = float(header["intercept"])
            self._gain = (float(header["gain_slope"]), float(header["gain_intercept"]))
            self._tags = dict(zip(header["tags"], (float(o) for o in arrays["tag_offsets"]), strict=True))
            self._keep = [(float(q), float(t)) for q, t in header["keep_quality"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"a damaged scorer file: {error}; train it again with `turnout train`") from error
        fits = self._structure.shape == (len(NAMES),) and all(t.shape == (1 << BITS,) for t in self._tables)
        if not fits or len(self._ranks) < 2:
            raise ArtifactError("a damaged scorer file: its arrays have the wrong sizes; train it again")

    @cached_property
    def version(self) -> str:
        return self._artifact.version

    @property
    def summary(self) -> Mapping[str, Any]:
        """What training told of itself: rows, folds, date, figures."""
        told: Mapping[str, Any] = self._artifact.header.get("summary", {})
        return told

    def raw(self, reading: Reading) -> float:
        """The predicted gain before calibration."""
        total = self._intercept + float(reading.structure @ self._structure)
        views = (reading.words, reading.word_pairs, reading.letters)
        for hashes, table in zip(views, self._tables, strict=True):
            total += float(table[slots(hashes)].sum()) * scale(len(hashes))
        offset: float = self._tags.get(reading.tag, 0.0)
        return total + offset

    def score(self, query: Query) -> Score:
        """The rank in [0, 1] and the calibrated gain in [-1, 1]."""
        raw = self.raw(read(query))
        slope, intercept = self._gain
        return Score(score=self._rank(raw), expected_gain=max(-1.0, min(1.0, slope * raw + intercept)))

    def explain(self, query: Query, count: int = 5) -> list[str]:
        """The strongest reasons in words, the strongest first: what raised the gain told, and what lowered it."""
        reading = read(query)
        parts = {
            f"{name} ({describe(value)})" if name in COUNTED else name: float(value * weight)
            for name, value, weight in zip(NAMES, reading.structure, self._structure, strict=True)
            if value
        }
        views = (reading.words, reading.word_pairs, reading.letters)
        for name, hashes, table in zip(
            ("its words", "its word pairs", "its letters"), views, self._tables, strict=True
        ):
            parts[name] = float(table[slots(hashes)].sum()) * scale(len(hashes))
        if reading.tag in self._tags:
            parts[f"the group {reading.tag!r}"] = self._tags[reading.tag]
        strongest = sorted(parts.items(), key=lambda part: -abs(part[1]))[:count]
        return [f"{'+' if weight > 0 else '-'}{abs(weight):.3f}  {name}" for name, weight in strongest]

    def _rank(self, raw: float) -> float:
        ranks = self._ranks
        at = bisect_left(ranks, raw)
        if at == 0:
            return 0.0
        if at == len(ranks):
            return 1.0
        low, high = ranks[at - 1], ranks[at]
        within = (raw - low) / (high - low) if high > low else 0.5
        return (at - 1 + within) / (len(ranks) - 1)

    def threshold_for_quality(self, quality: float) -> float:
        """The threshold of the smallest share of expensive calls that was expected, out of fold, to keep this
        share of all-expensive's quality. Above the table's end: 0, everything to the expensive tier."""
        for kept, threshold in self._keep:
            if kept >= quality:
                return threshold
        return 0.0


def load(path: str | os.PathLike[str]) -> FileScorer:
    """The scorer in this file. Raises ArtifactError, which names the file and what to do."""
    file = artifact.load(Path(path))
    try:
        return FileScorer(file)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
