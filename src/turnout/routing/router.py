"""From a request to its Decision: score it, hold the score against the routing target, list the candidates."""

from __future__ import annotations

from collections.abc import Callable

from turnout.ports.scoring import Query, Score, Scorer
from turnout.records import Decision, Reason, Tier
from turnout.routing.catalog import Catalog
from turnout.routing.quality_control import QualityControl
from turnout.routing.share_control import NEVER, ShareControl
from turnout.routing.share_sync import ShareSync


def raised(threshold: float, pacing_factor: float) -> float:
    """A fixed threshold under this pacing factor, in [0, 1]. A score is a rank, so the share that reaches the threshold
    becomes `pacing_factor` times what it was. Never below the threshold; above every score where the factor is 0."""
    if pacing_factor >= 1.0:
        return threshold
    return 1.0 - pacing_factor * (1.0 - threshold) if pacing_factor > 0.0 else NEVER


def decisive(scored: Score) -> tuple[float, float]:
    """The score and the expected gain to decide by. A novel request's text tells nothing, so its tag's mean gain
    stands for it; where the tag is unknown too, the middle: it goes where most of the logs go under this target, to
    the cheap tier where under half of the calls may be expensive, to the expensive one where quality needs more."""
    return (scored.tag_score, scored.tag_gain) if scored.novel else (scored.score, scored.expected_gain)


class Router:
    """Decides by a fixed threshold, or by one that keeps a share: a score that reaches it is expensive.

    seen: is called with the score of each request that counts, such as to watch whether traffic leaves the logs.
    share_sync: keeps the share together with other processes; None: this process keeps its own. quality: moves a fixed
    threshold by what conversations give up; None: it stays.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        scorer: Scorer,
        target: float | ShareControl,
        seen: Callable[[Score], None] = lambda scored: None,
        share_sync: ShareSync | None = None,
        quality: QualityControl | None = None,
    ) -> None:
        self._catalog = catalog
        self._scorer = scorer
        self._target = target
        self._seen = seen
        self._share_sync = share_sync
        self._quality = quality

    @property
    def share_name(self) -> str:
        """The share that other processes keep too, for an Ask to name; "": none."""
        return self._share_sync.name if self._share_sync is not None else ""

    def note_debt(self, debt: float | None) -> None:
        """Takes in the shared share's debt, as an Entry carries it; None: nobody knows it."""
        if self._share_sync is not None:
            self._share_sync.note_debt(debt)

    def has_room(self, tier: Tier) -> bool:
        """Whether the share or the quality that is kept leaves room for one more request of this tier beyond the score;
        True where none is kept."""
        if self._quality is not None and tier == "cheap":
            return self._quality.has_room
        return not isinstance(self._target, ShareControl) or self._target.has_room(tier == "expensive")

    def decide(
        self,
        query: Query,
        *,
        observe: bool = True,
        pacing_factor: float = 1.0,
        least_threshold: float = 0.0,
        steer: Callable[[Decision], Decision] = lambda decision: decision,
    ) -> Decision:
        """The decision of a routed request. No I/O. observe: whether it counts for the share that is kept.
        pacing_factor: what pacing leaves of the target for the expensive tier, 1 all of it, 0 nothing.
        least_threshold: the caller's own, which counts where it is above the target's.
        steer: given the decision by score alone, returns the one to act on, which is the one that counts."""
        scored = self._scorer.score(query)
        score, gain = decisive(scored)
        if observe:
            self._seen(scored)
        threshold, expensive, paced = self._held_against_target(score, pacing_factor)
        declined = expensive and score < least_threshold
        if declined:
            threshold, expensive = least_threshold, False
        tier: Tier = "expensive" if expensive else "cheap"
        decision = steer(
            Decision(
                tier=tier,
                reason="pacing" if paced else self._reason(scored),
                candidates=self._catalog.route(tier),
                score=score,
                expected_gain=gain,
                threshold=threshold,
                novelty=scored.novelty,
                tag=query.tag or query.endpoint,
                scorer_version=self._scorer.version,
            )
        )
        if observe:
            # What a caller declined of the share is nobody else's to spend.
            self._observe(decision, score, gain, 0.0 if declined else pacing_factor)
        return decision

    def correct(self, decision: Decision, *, expensive: bool) -> None:
        """This decision was counted, and something else came of it: whether the expensive tier's answer was served."""
        if isinstance(self._target, ShareControl):
            self._target.correct(expensive - (decision.tier == "expensive"))

    def _held_against_target(self, score: float, pacing_factor: float) -> tuple[float, bool, bool]:
        """The threshold that holds, whether the score reaches it, and whether pacing alone is why it does not."""
        if isinstance(self._target, ShareControl):
            threshold, expensive = self._target.decide(score, pacing_factor)
            return threshold, expensive, pacing_factor < 1.0 and not expensive and self._target.expensive(score)
        fixed = self._target if self._quality is None else self._quality.threshold
        threshold = raised(fixed, pacing_factor)
        expensive = score >= threshold
        return threshold, expensive, not expensive and score >= fixed

    def _reason(self, scored: Score) -> Reason:
        if scored.novel:
            return "novel"
        return "default_scorer" if self._scorer.is_default else "scored"

    def _observe(self, decision: Decision, score: float, gain: float, pacing_factor: float) -> None:
        """Counts what was decided for the share or the quality that is kept."""
        expensive = decision.tier == "expensive"
        if isinstance(self._target, ShareControl):
            self._target.observe(score, expensive, pacing_factor)
            if self._share_sync is not None:
                self._share_sync.notify()
        if self._quality is not None and pacing_factor >= 1.0:
            self._quality.observe(score, gain, expensive=expensive)
