"""What a cascade decides: which way a request goes, and whether its cheap answer is asked again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from turnout.ports.scoring import Query
from turnout.routing.held_share import HeldShare
from turnout.routing.router import raised
from turnout.routing.share_control import ShareControl
from turnout.routing.three_ways import Way
from turnout.routing.verifier import Verdict, Verifier

# Of the accepted answers, asked again by chance: without them the logs would tell of doubted answers alone.
EXPLORED = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What stands beside the target for one request. pacing_factor: what pacing leaves of it, in [0, 1].
    least_threshold: the caller's own. price_factor: what an expensive call costs here in times of what it costs
    elsewhere; 2 where a conversation's prompt is cached at the cheap model alone and would be read anew."""

    pacing_factor: float = 1.0
    least_threshold: float = 0.0
    price_factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """escalates: whether the expensive tier is asked. propensity: the chance that it was to be."""

    verdict: Verdict
    escalates: bool
    propensity: float


class SecondOpinion(Protocol):
    """What a second cheap answer to the same question tells of the first. Part of a verifier."""

    def pays(self, question_score: float, threshold: float) -> bool:
        """Whether it is expected to be worth its price, at this threshold of the verifier's score."""
        ...

    def verify(self, query: Query, question_gain: float, answer: str, second: str, threshold: float) -> Verdict:
        """What is to be thought of the answer, on the scale of the verifier's own verdicts."""
        ...


class CascadePolicy:
    """target: a fixed threshold of the verifier's score, or what keeps a share of answers asked again. acts: False in
    shadow, where nothing but chance escalates. second_opinion: None where none is asked for. chance: uniform in [0, 1).
    """

    def __init__(
        self,
        verifier: Verifier,
        *,
        target: float | ShareControl,
        mode: Literal["shadow", "on"],
        max_held_share: float,
        second_opinion: SecondOpinion | None = None,
        chance: Callable[[], float],
    ) -> None:
        self._verifier = verifier
        self._second_opinion = second_opinion
        self._target = target
        self.acts = mode == "on"
        self._held = HeldShare(max_held_share)
        self._chance = chance

    def way(self, question_score: float, demands: Demands, *, may_leave: bool = True) -> Way | None:
        """The way of greatest expected value; None: no more requests may wait, so the question decides. may_leave:
        False for a conversation that stays with its cheap model unless an answer of it is doubted."""
        way = self._verifier.way(question_score, self._threshold(demands), demands.price_factor)
        if way == "straight" and not may_leave:
            way = "verify"
        if way != "verify":
            self._count(1.0 if way == "straight" else 0.0, way == "straight", demands.pacing_factor)
            return way
        return way if self._held.take() else None

    def asks_twice(self, question_score: float, demands: Demands) -> bool:
        """Whether a second cheap answer is expected to be worth its price."""
        opinion = self._second_opinion
        return opinion is not None and opinion.pays(question_score, self._threshold(demands))

    def judge(
        self, query: Query, question_gain: float, answer: str, demands: Demands, *, second: str | None = None
    ) -> Judgement:
        """What is thought of this answer, and what follows. second: another answer to the same question, if any."""
        threshold = self._threshold(demands)
        if second is None or self._second_opinion is None:
            verdict = self._verifier.verify(query, question_gain, answer, threshold)
        else:
            verdict = self._second_opinion.verify(query, question_gain, answer, second, threshold)
        rejected = not verdict.accepted
        explored = not rejected and self._chance() < EXPLORED
        declined = not rejected and verdict.score >= self._threshold(replace(demands, least_threshold=0.0))
        # In shadow as if it acted: the threshold is what it would be. What a caller declined is nobody else's to spend.
        self._count(verdict.score, rejected or (explored and self.acts), 0.0 if declined else demands.pacing_factor)
        if rejected:
            return Judgement(verdict=verdict, escalates=self.acts, propensity=1.0 if self.acts else 0.0)
        return Judgement(verdict=verdict, escalates=explored, propensity=EXPLORED)

    def release(self) -> None:
        """A request that was to be verified waits for no second call."""
        self._held.release()

    def _threshold(self, demands: Demands) -> float:
        """At which an answer is doubted. A dearer call has to be worth as many times the gain."""
        target, pacing_factor = self._target, demands.pacing_factor
        if isinstance(target, ShareControl):
            threshold = max(demands.least_threshold, target.decide(-1.0, pacing_factor)[0])
        else:
            threshold = max(demands.least_threshold, raised(target, pacing_factor))
        if demands.price_factor <= 1.0 or not 0.0 < threshold < 1.0:
            return threshold
        gain = self._verifier.gain_at(threshold)
        return max(threshold, self._verifier.score_at(gain * demands.price_factor)) if gain > 0 else threshold

    def _count(self, score: float, expensive: bool, pacing_factor: float) -> None:
        if isinstance(self._target, ShareControl):
            self._target.observe(score, expensive, pacing_factor)
