"""Serves a trained scorer from plain arrays: no estimator, no scikit-learn, nothing executed out of the file.

gain = intercept + weights . (ranks of the numbers - their middle) + sum of hashed weights / sqrt(count), per view
       + the mean of the tokens' weights + the leaves of the trees + the tag's mean x its share
       (of the gain net of extra cost, where the logs told costs)
score = its rank among the out-of-fold gains of the training logs
"""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from turnout.errors import ArtifactError
from turnout.ports import Query, Score
from turnout.routing import artifact
from turnout.routing.artifact import Artifact
from turnout.routing.features import COUNTED, NAMES, Floats, Hashes, Reading, describe, read
from turnout.routing.novelty import Novelty
from turnout.routing.tags import SYSTEM, with_known_tag
from turnout.routing.tokens import Vocabulary, unpacked

# Each hashed view's table has 2**BITS weights.
BITS = 15
HASHED_VIEWS = {"words": "its words", "letters": "its letters", "tagged_words": "its words under its tag"}
# A number's rank is told in this many steps.
KNOTS = 16
# Far more than any tree is deep: a file that says more is not ours.
MOST_LEVELS = 64
# The score of a request of which nothing is known: it goes where most of the logs go.
MIDDLE = 0.5
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
            self._knots: Floats = np.ascontiguousarray(arrays["knots"].astype(np.float64).T)
            self._ranked: Floats = arrays["rank_weights"].astype(np.float64) / KNOTS
            self._middle: Floats = arrays["rank_middle"].astype(np.float64) * KNOTS
            # Those that the blend gave a share.
            served = [str(view) for view in header["served"]]
            self._tables = {view: arrays[view].astype(np.float64) for view in served if view != "meaning"}
            self._ranks = [float(rank) for rank in arrays["ranks"]]
            self._levels = [float(level) for level in arrays["levels"]]
            self._meaning = _Meaning(arrays) if "meaning" in served else None
            self._trees = _Trees(arrays, int(header["tree_depth"]), int(header["trees"]))
            self._intercept = float(header["intercept"])
            self._gain = (float(header["gain_slope"]), float(header["gain_intercept"]))
            self._tags = dict(zip(header["tags"], (float(mean) for mean in arrays["tag_means"]), strict=True))
            gains = dict(zip(header["tags"], (float(gain) for gain in arrays["tag_gains"]), strict=True))
            self._tag_share = float(header["tag_share"])
            self._known_tags = frozenset(str(tag) for tag in header["known_tags"])
            self._keep = [(float(q), float(t)) for q, t in header["keep_quality"]]
            self._novelty = Novelty(arrays, header["novelty"])
            self._mean_gain = float(header["mean_gain"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(f"a damaged scorer file: {error}; train it again with `turnout train`") from error
        fits = (
            self._knots.shape == (KNOTS, len(NAMES))
            and self._ranked.shape == self._middle.shape == (len(NAMES),)
            and all(view in HASHED_VIEWS and table.shape == (1 << BITS,) for view, table in self._tables.items())
        )
        ordered = len(self._ranks) == len(self._levels) >= 2 and all(
            low < high for told in (self._ranks, self._levels) for low, high in pairwise(told)
        )
        shares = [*self._levels, *(share for row in self._keep for share in row), abs(self._mean_gain)]
        finite = all(map(math.isfinite, (self._intercept, *self._gain, self._tag_share)))
        if not (fits and ordered and finite and self._trees.sound and all(0.0 <= share <= 1.0 for share in shares)):
            raise ArtifactError("a damaged scorer file: its numbers do not fit together; train it again")
        self._by_tag = {
            tag: (self.rank(self._mean_gain + net), max(-1.0, min(1.0, self._mean_gain + gains[tag])))
            for tag, net in self._tags.items()
        }

    @cached_property
    def version(self) -> str:
        return self._artifact.version

    @property
    def summary(self) -> Mapping[str, Any]:
        """What training told of itself: rows, folds, date, figures."""
        told: Mapping[str, Any] = self._artifact.header.get("summary", {})
        return told

    @property
    def threshold(self) -> float:
        """The file's own threshold: the one for keeping 95 % of all-expensive's quality."""
        return self.threshold_for_quality(0.95)

    def _read(self, query: Query) -> Reading:
        """Read under a tag of the logs, where they knew it."""
        return read(with_known_tag(query, self._known_tags))

    def raw(self, reading: Reading) -> float:
        """The predicted gain before calibration."""
        total = self._intercept + float(self._above(reading.structure) @ self._ranked)
        for view in self._tables:
            total += self._hashed(view, reading)
        if self._meaning is not None:
            total += self._meaning.told(reading.data)
        mean: float = self._tags.get(reading.tag, 0.0)
        return total + self._trees.told(reading.structure, mean) + mean * self._tag_share

    def _hashed(self, view: str, reading: Reading) -> float:
        hashes: Hashes = getattr(reading, view)
        return float(self._tables[view][slots(hashes)].sum()) * scale(len(hashes))

    def _above(self, structure: Floats) -> Floats:
        """How many of its knots each number is above, less the middle of the training rows, [names]."""
        return np.asarray((structure > self._knots).sum(axis=0) - self._middle)

    def score(self, query: Query) -> Score:
        """The rank in [0, 1] and the calibrated gain in [-1, 1]; how novel it is, and what its tag alone tells."""
        reading = self._read(query)
        raw = self.raw(reading)
        slope, intercept = self._gain
        novelty = self._novelty.of(reading)
        tag_score, tag_gain = self._by_tag.get(reading.tag, (MIDDLE, self._mean_gain))
        return Score(
            score=self.rank(raw),
            expected_gain=max(-1.0, min(1.0, slope * raw + intercept)),
            novelty=novelty,
            novel=novelty > self._novelty.limit,
            tag_score=tag_score,
            tag_gain=tag_gain,
        )

    def explain(self, query: Query, count: int = 5) -> list[str]:
        """The strongest reasons in words, the strongest first: what raised the gain told, and what lowered it."""
        reading = self._read(query)
        parts = {
            f"{name} ({describe(value)})" if name in COUNTED else name: float(part)
            for name, value, part in zip(
                NAMES, reading.structure, self._above(reading.structure) * self._ranked, strict=True
            )
        }
        for view in self._tables:
            parts[HASHED_VIEWS[view]] = self._hashed(view, reading)
        if self._meaning is not None:
            parts["what its words mean"] = self._meaning.told(reading.data)
        mean = self._tags.get(reading.tag, 0.0)
        parts["several signs together"] = self._trees.told(reading.structure, mean) - self._trees.middle
        if reading.tag in self._tags:
            whose = "the system prompt" if reading.tag.startswith(SYSTEM) else "the group"
            parts[f"{whose} {reading.tag!r}"] = mean * self._tag_share
        strongest = sorted(parts.items(), key=lambda part: -abs(part[1]))[:count]
        return [f"{'+' if weight > 0 else '-'}{abs(weight):.3f}  {name}" for name, weight in strongest]

    def rank(self, raw: float) -> float:
        """Where a gain stands among the out-of-fold gains of the logs; beyond them nearer and nearer to 0 or 1."""
        ranks, levels = self._ranks, self._levels
        at = bisect_left(ranks, raw)
        if 0 < at < len(ranks):
            within = (raw - ranks[at - 1]) / (ranks[at] - ranks[at - 1])
            return levels[at - 1] + within * (levels[at] - levels[at - 1])
        width = ranks[-1] - ranks[0]
        if at == 0:
            return levels[0] * math.exp((raw - ranks[0]) / width)
        return 1.0 - (1.0 - levels[-1]) * math.exp((ranks[-1] - raw) / width)

    def threshold_for_quality(self, quality: float) -> float:
        """The threshold of the smallest share of expensive calls that was expected, out of fold, to keep this
        share of all-expensive's quality. Above the table's end: 0, everything to the expensive tier."""
        for kept, threshold in self._keep:
            if kept >= quality:
                return threshold
        return 0.0


class _Meaning:
    """One weight for each token of a static embedding. Raises KeyError or ValueError for arrays that do not fit."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        tokens = unpacked(arrays)
        self._weights: Floats = arrays["meaning"].astype(np.float64)
        if self._weights.shape != (len(tokens),):
            raise ValueError("its tokens have not one weight each")
        self._vocabulary = Vocabulary(tokens)

    def told(self, data: bytes) -> float:
        """The mean of the tokens' weights; 0 without tokens."""
        places = self._vocabulary.read(data)
        return float(self._weights[places].sum()) / len(places) if places else 0.0


class _Trees:
    """All trees as one list of nodes; a leaf leads to itself, so all are walked at once for as many levels."""

    def __init__(self, arrays: Mapping[str, Any], depth: int, count: int) -> None:
        self._features = arrays["tree_features"].astype(np.intp)
        self._cuts = arrays["tree_cuts"].astype(np.float64)
        # Flat, [2 x nodes]: one look-up goes to the left (even) or to the right child (odd).
        self._children = arrays["tree_children"].astype(np.intp).reshape(-1)
        self._values: Floats = arrays["tree_values"].astype(np.float64)
        self._roots = arrays["tree_roots"].astype(np.intp)
        self._depth, self._count = depth, count
        self.middle = float(self._values[self._roots].sum()) if self.sound else 0.0

    @property
    def sound(self) -> bool:
        """Whether every node leads to a node and asks for a feature that there is."""
        nodes = len(self._values)
        sizes = (len(self._features), len(self._cuts), len(self._children) // 2) == (nodes, nodes, nodes)
        # The last number is the tag's mean.
        within = [(self._features, len(NAMES) + 1), (self._children, nodes), (self._roots, nodes)]
        return (
            sizes
            and 0 <= self._depth <= MOST_LEVELS
            and self._cuts.ndim == self._values.ndim == 1
            and len(self._roots) == self._count
            and all(told.ndim == 1 and ((told >= 0) & (told < end)).all() for told, end in within)
        )

    def told(self, structure: Floats, tag_mean: float) -> float:
        """The sum of the leaves. Numbers are held against the cuts in single precision, as they were learnt."""
        numbers = np.empty(len(structure) + 1, np.float32)
        numbers[:-1] = structure
        numbers[-1] = tag_mean
        numbers = numbers.astype(np.float64)
        at = self._roots
        for _ in range(self._depth):
            at = self._children[2 * at + (numbers[self._features[at]] > self._cuts[at])]
        return float(self._values[at].sum())


def load(path: str | os.PathLike[str]) -> FileScorer:
    """The scorer in this file. Raises ArtifactError, which names the file and what to do."""
    file = artifact.load(Path(path))
    try:
        return FileScorer(file)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
