"""A scorer whose verifier doubts each answer that says so, for tests of what follows from a verdict."""

from __future__ import annotations

from turnout.ports.scoring import Query
from turnout.routing.three_ways import Way
from turnout.routing.verifier import Verdict
from turnout.testing import FixedScorer

WRONG, RIGHT = "wrong", "right"


class FixedOpinion:
    """Doubts an answer whose second one is another. asked: the pairs that it was given."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def pays(self, question_score: float, threshold: float) -> bool:
        return question_score < 0.5

    def verify(self, query: Query, question_gain: float, answer: str, second: str, threshold: float) -> Verdict:
        self.asked.append((answer, second))
        score = 0.2 if answer == second else 0.8
        return Verdict(score=score, expected_gain=score - 0.5, threshold=threshold, second_agrees=answer == second)


class FixedVerifier:
    """Doubts what holds WRONG; sends a question "straight" or "cheap" where its score says so."""

    price_ratio = 16.7

    def __init__(self, *, refused: str = "", cheap_model: str = "") -> None:
        self.refused = refused
        self.cheap_model = cheap_model
        self.asked: list[str] = []

    def verify(self, query: Query, question_gain: float, answer: str, threshold: float = 1.0) -> Verdict:
        self.asked.append(answer)
        score = 0.9 if WRONG in answer else 0.1
        return Verdict(score=score, expected_gain=score - 0.5, threshold=threshold)

    def threshold_for_quality(self, quality: float) -> float:
        return quality / 2

    def gain_at(self, score: float) -> float:
        return score - 0.5

    def score_at(self, gain: float) -> float:
        return min(1.0, gain + 0.5)

    def way(self, question_score: float, threshold: float, price_factor: float = 1.0) -> Way:
        return "straight" if question_score > 0.95 else "cheap" if question_score < 0.05 else "verify"


class VerifyingScorer(FixedScorer):
    """Scores by words of the question: hard .9, straight .99, trivial .01, else .1."""

    def __init__(self, *, refused: str = "", cheap_model: str = "", opinion: bool = True) -> None:
        super().__init__(0.1, scores={"hard": 0.9, "straight": 0.99, "trivial": 0.01})
        self.verifier = FixedVerifier(refused=refused, cheap_model=cheap_model)
        self.second_opinion: FixedOpinion | None = FixedOpinion() if opinion else None
