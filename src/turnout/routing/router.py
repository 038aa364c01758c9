"""From a request to its Decision: score it, hold the score against the wish, list the candidates."""

from __future__ import annotations

from turnout.outcome import Decision, Reason, Tier
from turnout.ports import Query, Scorer
from turnout.routing.catalog import Catalog


class Router:
    """Decides by one threshold: a score at or above it goes to the expensive tier."""

    def __init__(self, *, catalog: Catalog, scorer: Scorer, threshold: float) -> None:
        self._catalog = catalog
        self._scorer = scorer
        self._threshold = threshold

    def decide(self, query: Query) -> Decision:
        """The decision of a routed request. Deterministic, no I/O."""
        told = self._scorer.score(query)
        tier: Tier = "expensive" if told.score >= self._threshold else "cheap"
        reason: Reason = "default_scorer" if self._scorer.is_default else "scored"
        return Decision(
            tier=tier,
            reason=reason,
            candidates=self._catalog.route(tier),
            score=told.score,
            expected_gain=told.expected_gain,
            threshold=self._threshold,
            novelty=told.novelty,
            tag=query.tag,
            scorer_version=self._scorer.version,
        )
