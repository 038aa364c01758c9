"""Serves a trained scorer from plain arrays: no estimator, no scikit-learn, nothing executed out of the file.

gain = intercept + weights . (ranks of the numbers - their middle) + sum of hashed weights / sqrt(count), per view
       + the mean of the tokens' weights + the leaves of the trees + the tag's mean x its share
       (of the gain net of extra cost, where the logs give costs)
score = its rank among the out-of-fold gains of the training logs
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from turnout.errors import ArtifactError
from turnout.ports.scoring import Query, Score
from turnout.routing import artifact, reasons
from turnout.routing.artifact import Arrays, Artifact
from turnout.routing.features import NAMES, Floats, Hashes, Reading, read_features
from turnout.routing.novelty import Novelty
from turnout.routing.rank_scale import RankScale
from turnout.routing.scorer_header import Header, threshold_for
from turnout.routing.second_opinion import AgreementVerifier
from turnout.routing.tags import SYSTEM, with_known_tag
from turnout.routing.tokens import Meaning
from turnout.routing.trees import Trees
from turnout.routing.verifier import Verifier
from turnout.routing.view_scale import HASHED_BITS, KNOTS, scale, slots

HASHED_VIEWS = ("words", "letters", "tagged_words")
# The routing target that a scorer is judged by where none is set.
KEPT_QUALITY = 0.95
# The score of a request of which nothing is known: it goes where most of the logs go.
MIDDLE = 0.5


class FileScorer:
    """Implements Scorer over an Artifact. Raises ArtifactError where its arrays do not fit together."""

    is_default = False

    def __init__(self, file: Artifact) -> None:
        self._artifact = file
        try:
            header = self._header = Header.of(file.header)
            self._take(header, file.arrays)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(f"a damaged scorer file: {error}; train it again with `turnout train`") from error
        if not (self._fits() and self._trees.sound):
            raise ArtifactError("a damaged scorer file: its numbers do not fit together; train it again")
        # None in a file that was trained without the cheap answers.
        self.verifier = None if header.cascade is None else Verifier(header.cascade, file.arrays)
        # None in a file that was trained without second cheap answers.
        self.second_opinion: AgreementVerifier | None = None
        if self.verifier is not None and header.cascade is not None and header.cascade.second is not None:
            self.second_opinion = AgreementVerifier(self.verifier, header.cascade, file.arrays)
        self._by_tag = {
            tag: (self.rank(self._mean_gain + net), max(-1.0, min(1.0, self._mean_gain + self._tag_gains[tag])))
            for tag, net in self._tags.items()
        }

    def _take(self, header: Header, arrays: Arrays) -> None:
        self._knots: Floats = np.ascontiguousarray(arrays["knots"].astype(np.float64).T)
        self._ranked: Floats = arrays["rank_weights"].astype(np.float64) / KNOTS
        self._middle: Floats = arrays["rank_middle"].astype(np.float64) * KNOTS
        # Those that the blend gave a share.
        self._tables = {view: arrays[view].astype(np.float64) for view in header.served if view != "meaning"}
        self._scale = RankScale(arrays["ranks"], arrays["levels"])
        self._meaning = Meaning(arrays) if "meaning" in header.served else None
        self._trees = Trees(arrays, header.tree_depth, header.trees)
        self._intercept, self._tag_share, self._mean_gain = header.intercept, header.tag_share, header.mean_gain
        self._gain = (header.gain_slope, header.gain_intercept)
        self._tags = dict(zip(header.tags, map(float, arrays["tag_means"]), strict=True))
        self._tag_gains = dict(zip(header.tags, map(float, arrays["tag_gains"]), strict=True))
        self._novelty = Novelty(arrays, header.novelty)

    def _fits(self) -> bool:
        return (
            self._knots.shape == (KNOTS, len(NAMES))
            and self._ranked.shape == self._middle.shape == (len(NAMES),)
            and all(view in HASHED_VIEWS and table.shape == (1 << HASHED_BITS,) for view, table in self._tables.items())
            and self._scale.sound
        )

    @cached_property
    def version(self) -> str:
        return self._artifact.version

    @property
    def summary(self) -> Mapping[str, Any]:
        """What training reported of itself: rows, folds, date, figures."""
        return self._header.summary

    @property
    def known_tags(self) -> Collection[str]:
        """The tags of its logs."""
        return self._header.known_tags

    @property
    def trained_on(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """The smallest hashes of the texts that it was trained on (training/leakage_check.py), ascending; none where
        the file holds none."""
        array = self._artifact.arrays.get("trained_on", np.empty(0))
        return np.asarray(array if array.dtype == np.uint64 and array.ndim == 1 else np.empty(0), np.uint64)

    @property
    def threshold(self) -> float:
        """The file's own threshold: the one for keeping KEPT_QUALITY of all-expensive's quality."""
        return self.threshold_for_quality(KEPT_QUALITY)

    def _read(self, query: Query) -> Reading:
        """Read under a tag of the logs, where they knew it."""
        return read_features(with_known_tag(query, self._header.known_tags))

    def raw(self, reading: Reading) -> float:
        """The predicted gain before calibration."""
        total = self._intercept + float(self._above(reading.structure) @ self._ranked)
        for view in self._tables:
            total += self._hashed(view, reading)
        if self._meaning is not None:
            total += self._meaning.gain(reading.data)
        mean: float = self._tags.get(reading.tag, 0.0)
        return total + self._trees.gain(reading.structure, mean) + mean * self._tag_share

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
        novelty = self._novelty.of(reading)
        tag_score, tag_gain = self._by_tag.get(reading.tag, (MIDDLE, self._mean_gain))
        return Score(
            score=self.rank(raw),
            expected_gain=self._calibrated(raw),
            novelty=novelty,
            novel=novelty > self._novelty.limit,
            tag_score=tag_score,
            tag_gain=tag_gain,
        )

    def explain(self, query: Query, count: int = 5) -> list[str]:
        """The strongest reasons in words, the strongest first: what raised the reported gain, and what lowered it."""
        return reasons.strongest(self.parts(query), count)

    def parts(self, query: Query) -> Mapping[str, float]:
        """What each sign adds to the raw gain, by its name: together that gain, less what all requests have alike."""
        reading = self._read(query)
        mean = self._tags.get(reading.tag, 0.0)
        by_trees = self._trees.parts(reading.structure, mean)
        parts: dict[str, float] = defaultdict(float)
        parts[self._whose(reading.tag)] = mean * self._tag_share + float(by_trees[-1])
        linear = self._above(reading.structure) * self._ranked
        for name, part in reasons.of_numbers(reading.structure, linear + by_trees[:-1]):
            parts[name] += part
        for view in ("words", "tagged_words"):
            # Under no tag there are no tagged words.
            if view in self._tables and (hashes := getattr(reading, view)).size:
                weights = self._tables[view][slots(hashes)] * scale(len(hashes))
                for name, part in reasons.of_words(reading.folded, weights):
                    parts[name] += part
        if "letters" in self._tables:
            parts["its letters"] = self._hashed("letters", reading)
        if self._meaning is not None:
            parts[reasons.of_meaning(self._meaning.strongest(reading.data))] = self._meaning.gain(reading.data)
        return parts

    def _whose(self, tag: str) -> str:
        if tag.startswith(SYSTEM):
            return "its system prompt"
        return f"the group {tag!r}" if tag else "no group that the logs held"

    def rank(self, raw: float) -> float:
        """Where a gain stands among the out-of-fold gains of the logs; beyond them nearer and nearer to 0 or 1."""
        return self._scale.rank(raw)

    def gain_at(self, score: float) -> float:
        """The expected gain of a request with this score, in [-1, 1]: `rank` the other way round, within the logs."""
        return self._calibrated(self._scale.gain(score))

    def _calibrated(self, raw: float) -> float:
        slope, intercept = self._gain
        return max(-1.0, min(1.0, slope * raw + intercept))

    def threshold_for_quality(self, quality: float) -> float:
        """The threshold of the smallest share of expensive calls that was expected, out of fold, to keep this
        share of all-expensive's quality. Above the table's end: 0, everything to the expensive tier."""
        return threshold_for(self._header.keep_quality, quality)


def load_scorer(path: str | os.PathLike[str]) -> FileScorer:
    """The scorer in this file. Raises ArtifactError, which names the file and what to do."""
    file = artifact.load_artifact(Path(path))
    try:
        return FileScorer(file)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
