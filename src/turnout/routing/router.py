"""From a request to its Decision: score it, hold the score against the wish, list the candidates."""

from __future__ import annotations

from collections.abc import Callable

from turnout.ports.scoring import Query, Score, Scorer
from turnout.records import Decision, Reason, Tier
from turnout.routing.catalog import Catalog
from turnout.routing.share_control import NEVER, ShareControl
from turnout.routing.share_sync import ShareSync


def raised(threshold: float, pacing_factor: float) -> float:
    """A fixed threshold under this ease. A score is a rank, so the share that reaches it becomes `ease` times
    what it was. Never below the threshold; above every score where the ease is 0."""
    if pacing_factor >= 1.0:
        return threshold
    return 1.0 - pacing_factor * (1.0 - threshold) if pacing_factor > 0.0 else NEVER


def decisive(told: Score) -> tuple[float, float]:
    """The score and the expected gain to decide by. A novel request's text tells nothing, so its tag's mean gain
    stands for it; where the tag is unknown too, the middle: it goes where most of the logs go under this wish, to
    the cheap tier where under half of the calls may be expensive, to the expensive one where quality needs more."""
    return (told.tag_score, told.tag_gain) if told.novel else (told.score, told.expected_gain)


class Router:
    """Decides by a fixed threshold, or by one that keeps a share: a score that reaches it is expensive.

    seen: is told what the scorer made of each request that counts, such as to watch whether traffic leaves the logs.
    fleet: who keeps the share with other processes, where somebody does.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        scorer: Scorer,
        target: float | ShareControl,
        seen: Callable[[Score], None] = lambda told: None,
        share_sync: ShareSync | None = None,
    ) -> None:
        self._catalog = catalog
        self._scorer = scorer
        self._wish = target
        self._seen = seen
        self._share_sync = share_sync

    @property
    def share_store(self) -> str:
        """The share that other processes keep too, for an Ask to name; "": none."""
        return self._share_sync.name if self._share_sync is not None else ""

    def heard(self, debt: float | None) -> None:
        """What the Entry told of it."""
        if self._share_sync is not None:
            self._share_sync.heard(debt)

    def decide(self, query: Query, *, observe: bool = True, pacing_factor: float = 1.0) -> Decision:
        """The decision of a routed request. No I/O. observe: whether it counts for the share that is kept.
        ease: what pacing leaves of the wish for the expensive tier, 1 all of it, 0 nothing."""
        told = self._scorer.score(query)
        score, gain = decisive(told)
        if observe:
            self._seen(told)
        target = self._wish
        if isinstance(target, ShareControl):
            threshold, expensive = target.decide(score, pacing_factor)
            paced = pacing_factor < 1.0 and not expensive and target.expensive(score)
            if observe:
                target.observe(score, expensive, pacing_factor)
                if self._share_sync is not None:
                    self._share_sync.routed()
        else:
            threshold = raised(target, pacing_factor)
            expensive = score >= threshold
            paced = not expensive and score >= target
        tier: Tier = "expensive" if expensive else "cheap"
        reason: Reason = "default_scorer" if self._scorer.is_default else "scored"
        if told.novel:
            reason = "novel"
        if paced:
            reason = "pacing"
        return Decision(
            tier=tier,
            reason=reason,
            candidates=self._catalog.route(tier),
            score=score,
            expected_gain=gain,
            threshold=threshold,
            novelty=told.novelty,
            tag=query.tag or query.endpoint,
            scorer_version=self._scorer.version,
        )
