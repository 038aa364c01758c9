"""From a request to its Decision: score it, hold the score against the wish, list the candidates."""

from __future__ import annotations

from collections.abc import Callable

from turnout.outcome import Decision, Reason, Tier
from turnout.ports import Query, Scorer
from turnout.routing.catalog import Catalog
from turnout.routing.quantile import ShareKeeper


class Router:
    """Decides by a fixed threshold, or by one that keeps a share: a score that reaches it is expensive.

    seen: is told each score that was decided on, such as to watch whether the traffic leaves the logs.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        scorer: Scorer,
        wish: float | ShareKeeper,
        seen: Callable[[float], None] = lambda score: None,
    ) -> None:
        self._catalog = catalog
        self._scorer = scorer
        self._wish = wish
        self._seen = seen

    def decide(self, query: Query, *, observe: bool = True) -> Decision:
        """The decision of a routed request. No I/O. observe: whether it counts for the share that is kept."""
        told = self._scorer.score(query)
        if observe:
            self._seen(told.score)
        if isinstance(self._wish, ShareKeeper):
            threshold, expensive = self._wish.decide(told.score)
            if observe:
                self._wish.observe(told.score, expensive)
        else:
            threshold, expensive = self._wish, told.score >= self._wish
        tier: Tier = "expensive" if expensive else "cheap"
        reason: Reason = "default_scorer" if self._scorer.is_default else "scored"
        return Decision(
            tier=tier,
            reason=reason,
            candidates=self._catalog.route(tier),
            score=told.score,
            expected_gain=told.expected_gain,
            threshold=threshold,
            novelty=told.novelty,
            tag=query.tag,
            scorer_version=self._scorer.version,
        )
