"""What a second cheap answer to the same question tells of the first: whether both come to the same.

gain = intercept + slope x the verifier's expected gain of the first answer + agreement, where they agree
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.errors import ArtifactError
from turnout.ports.scoring import Query
from turnout.routing.answer_arithmetic import value_of
from turnout.routing.scorer_header import CascadeHeader
from turnout.routing.three_ways import BINS, QUANTILES, second_pays
from turnout.routing.verifier import PREFIX, Verdict, Verifier

GAINS = f"{PREFIX}second_gains"
# Characters at the end of an answer that are read for what it comes to.
LAST_CHARACTERS = 1_500
_MARKED = re.compile(
    rb"(?:####|\\boxed\{|\banswer(?: is| would be| will be| should be)?\b)[\s:*$({\\=\"']{0,8}"
    rb"((?:[^\n.;})*$]|\.\d){1,60})"
)
_NUMBER = re.compile(rb"\d[\d,]{0,14}(?:\.\d{1,9})?")
_WORD = re.compile(rb"[a-z0-9\x80-\xff]+")


def final_answer(text: str) -> str:
    """What an answer comes to: what the last marker that names something names, else its last number, else all of its
    words."""
    data = text[-LAST_CHARACTERS:].lower().encode("utf-8", "replace")
    result = next((named for named in reversed(_MARKED.findall(data)) if _WORD.search(named)), data)
    if numbers := _NUMBER.findall(result):
        return f"{value_of(numbers[-1]):.15g}"
    return b" ".join(_WORD.findall(result)).decode("utf-8", "replace")


def agrees(first: str, second: str) -> bool:
    """Whether both answers come to the same. Two that come to nothing do not."""
    return final_answer(first) == final_answer(second) != ""


class AgreementVerifier:
    """Implements SecondOpinion, beside the verifier of its file. Raises ArtifactError where its numbers do not fit."""

    def __init__(self, verifier: Verifier, header: CascadeHeader, arrays: Mapping[str, NDArray[Any]]) -> None:
        assert header.second is not None
        self._verifier = verifier
        self._weights = header.second
        self._gains = np.asarray(arrays.get(GAINS, np.empty(0)), np.float64)
        if self._gains.shape != (BINS, QUANTILES) or not header.gain_slope > 0:
            raise ArtifactError("a damaged scorer file: its second opinion does not fit together; train it again")

    def pays(self, question_score: float, threshold: float) -> bool:
        """Whether it is expected to be worth its price, at this threshold of the verifier's score."""
        verifier = self._verifier
        gain = verifier.gain_at(threshold)
        return second_pays(question_score, gain, verifier.gains, self._gains, verifier.price_ratio)

    def verify(self, query: Query, question_gain: float, answer: str, second: str, threshold: float) -> Verdict:
        """What is to be thought of the answer, on the scale of the verifier's own verdicts."""
        alone = self._verifier.verify(query, question_gain, answer, threshold)
        same = agrees(answer, second)
        gain = self._weights.gain(alone.expected_gain, agrees=same)
        return Verdict(
            score=self._verifier.score_at(gain),
            expected_gain=max(-1.0, min(1.0, gain)),
            threshold=threshold,
            second_agrees=same,
        )
