"""From fitted views to a scorer file: weights folded into one another, ranks, calibration, thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.logs.labelled import Logs
from turnout.routing.artifact import Artifact
from turnout.routing.features import Floats
from turnout.routing.scorer import HASHED_VIEWS
from turnout.routing.tokens import packed
from turnout.training.curves import by_taken, midway
from turnout.training.embedding import Embedding
from turnout.training.estimators import Forest, Linear, RankLinear, View, flattened
from turnout.training.leakage_check import sample_of
from turnout.training.novelty_limit import Seen
from turnout.training.tag_means import tag_means

# The keep_quality targets that a file holds a threshold for; what is set in between is kept as the next one above.
QUALITIES = tuple(round(0.005 * step, 3) for step in range(201))


def artifact_of(
    fitted: Mapping[str, View],
    shares: Floats,
    by_division: Floats,
    logs: Logs,
    seen: Seen,
    summary: Mapping[str, Any],
    embedding: Embedding | None = None,
) -> Artifact:
    """The arrays and the header of a scorer. shares: of the views, then of the tag. by_division: out-of-fold gains,
    [divisions, rows]. A view that the blend gives nothing to is left out, for serving to spare its time; but for the
    ranks, which cost next to none."""
    mean = float(logs.gain.mean())
    share = dict(zip(fitted, map(float, shares[:-1]), strict=True))
    forests = [(view, share[name]) for name, view in fitted.items() if isinstance(view, Forest) and share[name] > 0]
    intercept, arrays = _linear_parts(fitted, share, mean)
    arrays |= flattened(forests)
    predicted, gain = by_division.ravel(), np.tile(logs.gain, len(by_division))
    arrays["ranks"], arrays["levels"] = gain_ranks(predicted)
    slope, offset = calibration(predicted, gain)
    tags, of_tags = _tag_arrays(logs)
    arrays |= of_tags
    if embedding is not None and "meaning" in arrays:
        arrays |= packed(embedding.tokens)
    arrays |= {f"seen_{view}": bits for view, bits in seen.bits.items()}
    arrays["trained_on"] = sample_of(logs.queries)
    header = {
        "intercept": intercept,
        "mean_gain": mean,
        "novelty": seen.header,
        "gain_slope": slope,
        "gain_intercept": offset,
        "served": [name for name in (*HASHED_VIEWS, "meaning") if name in arrays],
        "trees": len(arrays["tree_roots"]),
        "tree_depth": max((forest.depth for forest, _ in forests), default=0),
        "tag_share": float(shares[-1]),
        "tags": tags,
        "known_tags": sorted({tag for tag in logs.groups if tag}),
        "keep_quality": keep_table(
            predicted, arrays, *(np.tile(q, len(by_division)) for q in (logs.cheap, logs.expensive))
        ),
        "summary": summary,
    }
    return Artifact(header=header, arrays=arrays)


def _linear_parts(
    fitted: Mapping[str, View], share: Mapping[str, float], mean: float
) -> tuple[float, dict[str, NDArray[Any]]]:
    """The intercept of the blend, and the weights of the views that are no forest, each times its share."""
    intercept, arrays = mean, dict[str, NDArray[Any]]()
    for name, view in fitted.items():
        intercept -= mean * share[name]
        if isinstance(view, RankLinear):
            arrays |= {"knots": view.knots, "rank_weights": view.weights * share[name], "rank_middle": view.middle}
        elif isinstance(view, Linear) and share[name] > 0:
            arrays[name] = view.weights * share[name]
        if not isinstance(view, Forest):
            intercept += view.intercept * share[name]
    return intercept, arrays


def _tag_arrays(logs: Logs) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """The tags in order, and the means of each: of the gain less its cost, and of the gain itself."""
    means, gains = (tag_means(values, logs.groups) for values in (logs.net_gain, logs.gain))
    tags = sorted(means)
    return tags, {
        "tag_means": np.array([means[tag] for tag in tags], dtype=np.float64),
        "tag_gains": np.array([gains.get(tag, 0.0) for tag in tags], dtype=np.float64),
    }


def calibration(predicted: Floats, gain: Floats) -> tuple[float, float]:
    """slope, intercept: the expected gain is slope x predicted + intercept. A slope is never below 0."""
    spread = float(predicted.var())
    slope = max(0.0, float(np.cov(predicted, gain, bias=True)[0, 1] / spread)) if spread > 1e-18 else 0.0
    return slope, float(gain.mean() - slope * predicted.mean())


def gain_ranks(predicted: Floats) -> tuple[Floats, Floats]:
    """At most 1,001 gains, ascending and distinct, and the share of rows below each; equals share theirs out."""
    values, counts = np.unique(predicted, return_counts=True)
    levels = (np.cumsum(counts) - counts / 2) / len(predicted)
    if len(values) > 1001:
        at = np.unique(np.searchsorted(levels, np.linspace(levels[0], levels[-1], 1001)).clip(0, len(values) - 1))
        values, levels = values[at], levels[at]
    if len(values) < 2:
        return np.array([values[0] - 1e-9, values[0] + 1e-9]), np.array([0.25, 0.75])
    return values, levels


def keep_table(
    predicted: Floats, arrays: dict[str, NDArray[Any]], cheap: Floats, expensive: Floats
) -> list[list[float]]:
    """Rows of (quality kept, threshold): the smallest share of expensive calls whose quality on these logs,
    decided by out-of-fold predictions, is that share of all-expensive's."""
    order, quality = by_taken(predicted, cheap, expensive)
    table = []
    for target in QUALITIES:
        reached = np.flatnonzero(quality >= target * expensive.sum() - 1e-12)
        if not len(reached):
            break
        raw = midway(predicted[order], int(reached[0]))
        # As a rank: what no row needs is 1, what all need 0.
        table.append([target, float(np.interp(raw, arrays["ranks"], arrays["levels"], left=0.0, right=1.0))])
    return table
