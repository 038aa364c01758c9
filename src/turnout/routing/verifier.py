"""Says of a cheap answer what the expensive one is expected to be better by. Served from plain arrays of a scorer file.

gain = intercept + weights . (ranks of the answer's signs - their middle) + the weights of its words / sqrt(count)
       + the leaves of the trees + the question's expected gain x its share
score = its rank among the out-of-fold gains of the training logs: 0.83 = more doubtful than 83 % of their answers
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.errors import ArtifactError
from turnout.ports.scoring import Query
from turnout.routing.answer_signs import NAMES, SIGNS_VERSION, AnswerReading, read_answer
from turnout.routing.features import Floats
from turnout.routing.rank_scale import RankScale
from turnout.routing.scorer_header import CascadeHeader, threshold_for
from turnout.routing.three_ways import BINS, QUANTILES, Way, way_of
from turnout.routing.trees import Trees
from turnout.routing.view_scale import HASHED_BITS, KNOTS, scale, slots

PREFIX = "cascade_"
# The signs, and the question's expected gain.
WIDTH = len(NAMES) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """score: the answer's rank among those of the logs, in [0, 1]; high is doubtful. expected_gain: what the expensive
    answer is expected to be better by, in [-1, 1]. accepted: whether the score is below the threshold. second_agrees:
    whether a second answer came to the same; None where there was none."""

    score: float
    expected_gain: float
    threshold: float
    second_agrees: bool | None = None

    @property
    def accepted(self) -> bool:
        return self.score < self.threshold


class Verifier:
    """Raises ArtifactError where its arrays do not fit together."""

    def __init__(self, header: CascadeHeader, arrays: Mapping[str, NDArray[Any]]) -> None:
        if header.signs != SIGNS_VERSION:
            raise ArtifactError("its verifier reads other signs than this version; train again with `turnout train`")
        self._header = header
        try:
            self._take({name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)})
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactError(f"a damaged scorer file: its verifier lacks {error}; train it again") from error
        if not (self._fits() and self._trees.sound):
            raise ArtifactError("a damaged scorer file: its verifier's numbers do not fit together; train it again")

    def _take(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._knots: Floats = np.ascontiguousarray(arrays["knots"].astype(np.float64).T)
        self._ranked: Floats = arrays["rank_weights"].astype(np.float64) / KNOTS
        self._middle: Floats = arrays["rank_middle"].astype(np.float64) * KNOTS
        self._words: Floats = arrays["words"].astype(np.float64)
        self._trees = Trees(arrays, self._header.tree_depth, self._header.trees, len(NAMES))
        self._scale = RankScale(arrays["ranks"], arrays["levels"])
        self._gains: Floats = arrays["gains"].astype(np.float64)

    def _fits(self) -> bool:
        return (
            self._knots.shape == (KNOTS, WIDTH)
            and self._ranked.shape == self._middle.shape == (WIDTH,)
            and self._words.shape == (1 << HASHED_BITS,)
            and self._scale.sound
            and self._gains.shape == (BINS, QUANTILES)
            and bool((np.diff(self._gains, axis=1) >= 0).all())
        )

    @property
    def refused(self) -> str:
        """Why it may not be switched on; "": it may."""
        return self._header.refused

    @property
    def cheap_model(self) -> str:
        """Whose answers it was trained on; "": not told."""
        return self._header.cheap_model

    @property
    def price_ratio(self) -> float:
        """An expensive call's price, a cheap one's being 1."""
        return self._header.price_ratio

    @property
    def summary(self) -> Mapping[str, Any]:
        """What training reported of it."""
        return self._header.summary

    def verify(self, query: Query, question_gain: float, answer: str, threshold: float = 1.0) -> Verdict:
        """What is to be thought of this answer. question_gain: what the scorer expects of the question alone."""
        raw = self.raw(read_answer(query, answer), question_gain)
        gain = self._header.gain_slope * raw + self._header.gain_intercept
        return Verdict(score=self._scale.rank(raw), expected_gain=max(-1.0, min(1.0, gain)), threshold=threshold)

    def raw(self, reading: AnswerReading, question_gain: float) -> float:
        """The predicted gain before calibration."""
        signs = np.append(reading.numbers, question_gain)
        ranks = (signs > self._knots).sum(axis=0) - self._middle
        words = float(self._words[slots(reading.hashes)] @ reading.weights) * scale(len(reading.words))
        linear = float(ranks @ self._ranked) + self._header.question_share * question_gain
        return self._header.intercept + linear + words + self._trees.gain(reading.numbers, question_gain)

    def threshold_for_quality(self, quality: float) -> float:
        """The threshold of the smallest share of second calls that was expected, out of fold and with a margin, to keep
        this share of all-expensive's quality. Above the table's end: 0, every answer is asked again."""
        return threshold_for(self._header.keep_quality, quality)

    @property
    def gains(self) -> Floats:
        """What it said of answers to questions of each eighth of the scores, [BINS, QUANTILES], ascending."""
        return self._gains

    def gain_at(self, score: float) -> float:
        """The expected gain of an answer with this score."""
        return self._header.gain_slope * self._scale.gain(score) + self._header.gain_intercept

    def score_at(self, gain: float) -> float:
        """The score of an answer with this expected gain."""
        return self._scale.rank((gain - self._header.gain_intercept) / self._header.gain_slope)

    def way(self, question_score: float, threshold: float, price_factor: float = 1.0) -> Way:
        """Cheap only, expensive straight, or cheap and then verified, at this threshold of the verifier's score.
        price_factor: what an expensive call costs in times of what it costs by the logs."""
        if not 0.0 < threshold < 1.0:
            return "straight" if threshold <= 0.0 else "cheap"
        return way_of(question_score, self.gain_at(threshold), self._gains, self._header.price_ratio * price_factor)
