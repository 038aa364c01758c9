"""What a cascade is worth on labelled rows, every cheap call paid. Pure: arrays in, figures out.

Prices: a cheap call costs 1, an expensive one `ratio`; costs are told as shares of all-expensive's. By the question a
share x of expensive calls costs x + (1 - x) / ratio; with a cascade, where each request calls the cheap tier first,
x + 1 / ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.routing.three_ways import BINS, bin_of, way_of
from turnout.training.curves import NO_GAP, Ranked, bootstrap, by_taken, interval, quality_figures, reached

Floats = NDArray[np.float64]
DRAWS = 400
# What `cost_at_97` keeps of all-expensive's quality.
KEPT = 0.97
# Standard errors that a threshold's quality must stand above what is asked. Asked .97 without, two of eight files kept
# .946 to .948 of rows put aside.
MARGIN = 1.5
_COSTS = 201
# Of a curve that is drawn.
_POINTS = 41


def gain_curve(ranked: Ranked, weight: Floats, ratio: float, *, cascade: bool) -> tuple[Floats, Floats]:
    """The cost and the mean quality, [knots], as the share of expensive calls grows from 0 to 1."""
    share, quality = ranked.curve(weight)
    return (share + 1.0 / ratio if cascade else share + (1.0 - share) / ratio), quality


CostCurve = list[tuple[float, float]]


def cost_curves(
    question: Floats,
    said: Floats,
    gains: Floats,
    cheap: Floats,
    expensive: Floats,
    ratio: float,
    weight: Floats | None = None,
) -> dict[str, CostCurve]:
    """(cost, mean quality) as ever more is asked of the expensive tier. question: the questions' scores, ranks in
    [0, 1], [n]; said: what the verifier expects the expensive answer to be better by, [n]; gains: as `way_of` takes
    them. question: routed by that alone; cascade: each cheap answer is read; both: the three ways, as served."""
    even = np.ones(len(said)) if weight is None else weight
    curves = {}
    for name, score, cascade in (("question", question, False), ("cascade", said, True)):
        ranked = Ranked.of(score, cheap, expensive)
        cost, quality = gain_curve(ranked, even[ranked.order], ratio, cascade=cascade)
        drawn = np.linspace(cost[0], cost[-1], _POINTS)
        curves[name] = list(zip(drawn.tolist(), np.interp(drawn, cost, quality).tolist(), strict=True))
    bins, share = np.array([bin_of(each) for each in question]), even / even.sum()
    thresholds = np.quantile(said, np.linspace(1.0, 0.0, _POINTS))
    curves["both"] = [
        _three_ways(float(threshold), bins, said, gains, cheap, expensive, ratio, share)
        for threshold in (np.inf, *thresholds, -np.inf)
    ]
    return curves


def _three_ways(
    threshold: float,
    bins: NDArray[np.intp],
    said: Floats,
    gains: Floats,
    cheap: Floats,
    expensive: Floats,
    ratio: float,
    share: Floats,
) -> tuple[float, float]:
    """The mean cost and quality where each question goes its bin's way at this gain."""
    ways = np.array([way_of((at + 0.5) / BINS, threshold, gains, ratio) for at in range(BINS)])[bins]
    escalated = (ways == "straight") | ((ways == "verify") & (said >= threshold))
    cost = (ways != "straight") / ratio + escalated
    return float(share @ cost), float(share @ np.where(escalated, expensive, cheap))


def added(question: Sequence[Ranked], verified: Sequence[Ranked], weight: Floats, ratio: float) -> float:
    """How much more quality the cascade gives at equal cost, in units of quality: the mean over all costs from
    all-cheap's to all-expensive's, and of the repeats."""
    costs = np.linspace(1.0 / ratio, 1.0, _COSTS)
    differences = []
    for one, other in zip(question, verified, strict=True):
        plain = np.interp(costs, *gain_curve(one, weight[one.order], ratio, cascade=False))
        cascaded = np.interp(costs, *gain_curve(other, weight[other.order], ratio, cascade=True))
        differences.append(float((cascaded - plain).mean()))
    return float(np.mean(differences))


def paired_added(
    question: Sequence[Floats],
    verified: Sequence[Floats],
    cheap: Floats,
    expensive: Floats,
    *,
    ratio: float,
    weight: Floats | None = None,
    texts: NDArray[np.intp] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """added, paired_low, paired_high: what the cascade adds at equal cost as a share of the gap between the tiers, and
    the middle 95 % of the bootstrap's draws. question, verified: scores of the rows, one array a repeat. None each,
    with a `reason`, where there is no gap."""
    even = np.ones(len(cheap)) if weight is None else weight
    gap = float(np.dot(expensive - cheap, even) / even.sum())
    if gap <= 1e-12:
        return {"added": None, "paired_low": None, "paired_high": None, "reason": NO_GAP}
    first = [Ranked.of(score, cheap, expensive) for score in question]
    second = [Ranked.of(score, cheap, expensive) for score in verified]
    drawn = bootstrap(
        lambda draw: {"added": added(first, second, draw, ratio) / gap}, even, draws=DRAWS, seed=seed, texts=texts
    )
    low, high = interval(drawn["added"])
    return {"added": added(first, second, even, ratio) / gap, "paired_low": low, "paired_high": high}


def figures_at_97(score: Floats, cheap: Floats, expensive: Floats, ratio: float, *, cascade: bool) -> dict[str, Any]:
    """apgr; cost_at_97: the share of all-expensive's cost at the cheapest threshold that keeps 97 % on these rows, in
    hindsight; expensive_share: of the calls there. None where nothing keeps it."""
    ranked = Ranked.of(score, cheap, expensive)
    quality = quality_figures(ranked, ranked.even)
    share = reached(*ranked.curve(ranked.even), KEPT * quality["expensive_quality"])
    own = 1.0 / ratio if cascade else (1.0 - (share or 0.0)) / ratio
    return {"apgr": quality["apgr"], "cost_at_97": None if share is None else share + own, "expensive_share": share}


def safe_rows(predicted: Floats, cheap: Floats, expensive: Floats, targets: Sequence[float]) -> list[tuple[float, int]]:
    """For each target the fewest expensive calls whose quality, MARGIN standard errors off it, is that share of
    all-expensive's: (target, rows taken in the order of their predicted gain). predicted: [repeats, n], as one."""
    repeats = len(predicted)
    low, high = np.tile(cheap, repeats), np.tile(expensive, repeats)
    order, quality = by_taken(predicted.ravel(), low, high)
    low, high = low[order], high[order]
    whole = float(high.sum())
    if whole <= 0:
        return []
    kept = quality / whole
    # The squared distance of each row's quality from that share of its expensive one, summed up along the order.
    squares = _along(low**2, high**2) - 2 * kept * _along(low * high, high**2) + kept**2 * float((high**2).sum())
    error = np.sqrt(np.maximum(squares, 0.0) * repeats) / whole
    sure = kept - MARGIN * error
    found = []
    for target in targets:
        above = np.flatnonzero(sure >= target - 1e-12)
        if not len(above):
            break
        found.append((target, int(above[0])))
    return found


def _along(before: Floats, after: Floats) -> Floats:
    """The sum over all rows as the first 0, 1, ... n of them change from `before` to `after`."""
    total: Floats = float(before.sum()) + np.concatenate(([0.0], np.cumsum(after - before)))
    return total
