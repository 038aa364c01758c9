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
    rb"(?:####|\\boxed\{|\banswer(?: is| would be| will be| should be)?\b)[\s:*({\\=\"']{0,8}"
    rb"((?:[^\n.;(})*]|\.\d){1,60})"
)
# With its sign, its power of ten and the word that scales it.
_NUMBER = re.compile(
    rb"(?:(?<![\w.)]) ?(-))?(\d[\d,]{0,14}(?:\.\d{1,9})?)(e[-+]?\d{1,3})?"
    rb"(?: ?(hundred|thousand|million|billion|trillion))?"
)
_WORD = re.compile(rb"[a-z0-9\x80-\xff]+")
_REFUSES = re.compile(rb"\b(?:sorry|apologi[sz]e|cannot|can't|unable)\b")
_CODE = (b"```", b"def ", b"return ")


def final_answer(text: str) -> str:
    """What an answer comes to: what the last marker that names something names, else its last number, else all of its
    words, as of code. "" where it refuses, or holds none."""
    data = text[-LAST_CHARACTERS:].lower().replace("\u2212", "-").replace("$", "").encode("utf-8", "replace")
    if _REFUSES.search(data[:100]):
        return ""
    marked = next((named for named in reversed(_MARKED.findall(data)) if _WORD.search(named)), None)
    words = _WORD.findall(data if marked is None else marked)
    numbers = _NUMBER.findall(data if marked is None else marked)
    if marked is None and any(mark in data for mark in _CODE):
        numbers = []
    # Several numbers of a marked result are one result: a fraction, a power, a list.
    kept = numbers if marked is not None else numbers[-1:]
    if kept:
        return " ".join(map(_written, kept))
    return b" ".join(words).decode("utf-8", "replace")


def _written(number: tuple[bytes, bytes, bytes, bytes]) -> str:
    sign, digits, power, scale = (part.decode() for part in number)
    return f"{sign}{value_of(digits.encode()):.15g}{power}{scale}"


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
