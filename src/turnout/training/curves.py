"""What routing by some scores is worth on labelled rows. Pure: arrays in, figures out.

The exact cost-quality curve: requests are sent to the expensive tier in the order of their score, ties shared
out. Definitions of APGR and CPT: I. Ong et al., "RouteLLM", 2024; of AIQ: Q. Hu et al., "RouterBench", 2024.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NO_GAP = "the expensive tier is not better on average: there is no gap to recover"


@dataclass(frozen=True)
class Ranked:
    """Labelled rows in the order of their score, the highest first, so that a draw of the bootstrap sorts nothing.

    cheap, expensive: qualities, [n]. cheap_usd, expensive_usd: [n] or None where not all are known. sent: whether
    the row goes to the expensive tier at the scorer's own threshold, [n], 0 or 1. ends: the last of each tie.
    """

    cheap: Floats
    expensive: Floats
    sent: Floats
    cheap_usd: Floats | None
    expensive_usd: Floats | None
    ends: NDArray[np.intp]
    order: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        score: Floats,
        cheap: Floats,
        expensive: Floats,
        *,
        sent: Floats | None = None,
        costs: tuple[Floats, Floats] | None = None,
    ) -> Ranked:
        order = np.argsort(-score, kind="stable")
        known = costs is not None and all(np.isfinite(usd).all() for usd in costs)
        return cls(
            cheap=cheap[order],
            expensive=expensive[order],
            sent=np.zeros(len(score)) if sent is None else sent[order],
            cheap_usd=costs[0][order] if costs is not None and known else None,
            expensive_usd=costs[1][order] if costs is not None and known else None,
            ends=np.flatnonzero(np.diff(score[order], append=-np.inf)),
            order=order,
        )

    def __len__(self) -> int:
        return len(self.cheap)

    @cached_property
    def even(self) -> Floats:
        """Every row counts the same."""
        return np.ones(len(self))

    def curve(self, weight: Floats) -> tuple[Floats, Floats]:
        """The share of expensive calls and the mean quality, each [knots], from all-cheap to all-expensive."""
        return self._along(weight), self._mixed(self.cheap, self.expensive, weight)

    def costs(self, weight: Floats) -> Floats:
        """The mean cost in USD at each knot of the curve. Only where the costs are known."""
        assert self.cheap_usd is not None
        assert self.expensive_usd is not None
        return self._mixed(self.cheap_usd, self.expensive_usd, weight)

    def _along(self, values: Floats) -> Floats:
        total: Floats = np.concatenate(([0.0], np.cumsum(values)[self.ends]))
        share: Floats = total / total[-1]
        return share

    def _mixed(self, low: Floats, high: Floats, weight: Floats) -> Floats:
        added = np.concatenate(([0.0], np.cumsum((high - low) * weight)[self.ends]))
        mixed: Floats = (np.dot(low, weight) + added) / weight.sum()
        return mixed


def figures(score: Floats, cheap: Floats, expensive: Floats) -> dict[str, Any]:
    """apgr, cpt50, cpt80: None, with a `reason`, where the expensive tier is not better on average."""
    ranked = Ranked.of(score, cheap, expensive)
    return quality_figures(ranked, ranked.even)


def quality_figures(ranked: Ranked, weight: Floats) -> dict[str, Any]:
    """apgr, cpt50, cpt80 and keep95_expensive_share (in hindsight) of rows that count so much. Shares as fractions."""
    share, quality = ranked.curve(weight)
    low, high = float(quality[0]), float(quality[-1])
    figures: dict[str, Any] = {
        "rows": len(ranked),
        "cheap_quality": low,
        "expensive_quality": high,
        "apgr": None,
        "cpt50": None,
        "cpt80": None,
    }
    if high - low <= 1e-12:
        figures["reason"] = NO_GAP
    else:
        gained = (quality - low) / (high - low)
        figures["apgr"] = float(np.trapezoid(gained, share))
        figures["cpt50"], figures["cpt80"] = reached(share, gained, 0.5), reached(share, gained, 0.8)
    figures["keep95_expensive_share"] = reached(share, quality, 0.95 * high)
    return figures


def by_taken(predicted: Floats, cheap: Floats, expensive: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The rows in the order of their predicted gain, the highest first, [n], and the total quality when the first 0, 1,
    ... n of them are expensive, [n + 1]. What a quality target chooses its threshold by."""
    order = np.argsort(-predicted, kind="stable")
    return order, np.concatenate(([cheap.sum()], cheap.sum() + np.cumsum((expensive - cheap)[order])))


def midway(descending: Floats, taken: int) -> float:
    """The threshold that just the first `taken` of these reach, halfway to the next; infinite where none does, or
    minus that where all do."""
    if taken == 0:
        return np.inf
    return -np.inf if taken == len(descending) else float((descending[taken - 1] + descending[taken]) / 2)


def reached(share: Floats, value: Floats, wanted: float) -> float | None:
    """The smallest share at which the curve reaches the value, linear between its knots; None: nowhere."""
    above = np.flatnonzero(value >= wanted - 1e-12)
    if not len(above):
        return None
    at = int(above[0])
    if at == 0:
        return 0.0
    rise = value[at] - value[at - 1]
    return float(share[at - 1] + (share[at] - share[at - 1]) * (wanted - value[at - 1]) / rise)


def threshold_figures(ranked: Ranked, weight: Floats) -> dict[str, float | None]:
    """At the scorer's own threshold: the share of expensive calls, the share that is kept of all-expensive's
    quality, and what is saved of its cost; None where the logs tell no costs."""
    whole = float(np.dot(ranked.expensive, weight))
    routed = float(np.dot(np.where(ranked.sent > 0, ranked.expensive, ranked.cheap), weight))
    figures: dict[str, float | None] = {
        "keep95_threshold_share": float(np.dot(ranked.sent, weight) / weight.sum()),
        "keep95_quality": routed / whole if whole else None,
        "keep95_saving": None,
    }
    if ranked.cheap_usd is not None and ranked.expensive_usd is not None:
        dear = float(np.dot(ranked.expensive_usd, weight))
        spent = float(np.dot(np.where(ranked.sent > 0, ranked.expensive_usd, ranked.cheap_usd), weight))
        if dear > 0:
            figures |= {"keep95_saving": 1.0 - spent / dear, "keep95_saving_usd": dear - spent, "expensive_usd": dear}
    return figures


def cost_figures(ranked: Ranked, weight: Floats) -> dict[str, float]:
    """aiq: the area under the non-decreasing hull of quality over cost, from the cheaper tier's mean cost to the
    dearer's, by its width: a quality. aiq_no_router: the same of the two tiers alone. {} without costs."""
    if ranked.cheap_usd is None:
        return {}
    cost, quality = ranked.costs(weight), ranked.curve(weight)[1]
    low, high = sorted((float(cost[0]), float(cost[-1])))
    if high - low <= 0:
        return {}
    ends = np.array([0, -1])
    return {
        "aiq": _hull_area(cost, quality, low, high) / (high - low),
        "aiq_no_router": _hull_area(cost[ends], quality[ends], low, high) / (high - low),
    }


def _hull_area(cost: Floats, quality: Floats, low: float, high: float) -> float:
    """The area under the least non-decreasing concave function above all points, from `low` to `high`."""
    order = np.lexsort((-quality, cost))
    hull: list[tuple[float, float]] = []
    for x, y in zip(cost[order], quality[order], strict=True):
        if hull and (x == hull[-1][0] or y <= hull[-1][1]):
            continue
        while len(hull) > 1 and _below(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((float(x), float(y)))
    xs, ys = np.array(hull).T
    # Beyond its best point the hull is level: whoever pays more need not get less.
    at = np.unique(np.concatenate(([low, high], xs[(xs > low) & (xs < high)])))
    return float(np.trapezoid(np.interp(at, xs, ys), at))


def _below(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Whether the middle point is on or below the line between the others."""
    return (middle[1] - left[1]) * (right[0] - left[0]) <= (right[1] - left[1]) * (middle[0] - left[0])


Figures = Callable[[Floats], dict[str, Any]]


def bootstrap(
    compute: Figures, weight: Floats, *, draws: int, seed: int = 0, texts: NDArray[np.intp] | None = None
) -> dict[str, list[float]]:
    """All draws of each figure. Texts are drawn anew, as many as there are and each as likely as any, and every row
    counts for its weight as often as its text was drawn: weights and repeated rows make nothing surer.

    texts: which text each row holds, [n] (folds.texts_of); None: each row its own.
    """
    rng = np.random.default_rng(seed)
    whose = np.arange(len(weight)) if texts is None else texts
    count = int(whose.max()) + 1
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        drawn = rng.multinomial(count, np.full(count, 1.0 / count)).astype(np.float64)[whose] * weight
        for name, value in compute(drawn).items() if drawn.sum() > 0 else ():
            if isinstance(value, float):
                found.setdefault(name, []).append(value)
    return {name: values for name, values in found.items() if len(values) > draws // 2}


def mean_and_error(values: Floats, weight: Floats, texts: NDArray[np.intp]) -> tuple[float, float]:
    """The weighted mean and its standard error, rows of one text counting as one; infinite for a single text."""
    share = weight / weight.sum()
    mean = float(np.dot(share, values))
    apart = np.bincount(texts, weights=share * (values - mean))
    return mean, float(np.sqrt((apart**2).sum())) if len(apart) > 1 else np.inf


def interval(values: list[float]) -> list[float]:
    """The middle 95 % of the draws."""
    return [float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))]
