"""What routing by some scores is worth on labelled rows. Pure: arrays in, figures out.

The exact cost-quality curve: requests are sent to the expensive tier in the order of their score, ties shared
out. Definitions of APGR and CPT: I. Ong et al., "RouteLLM", 2024.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.ports import Query, Scorer

Floats = NDArray[np.float64]


def recovered(score: Floats, cheap: Floats, expensive: Floats) -> tuple[Floats, Floats]:
    """The curve: share of expensive calls and mean quality, each [knots], from all-cheap to all-expensive."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(score[order], append=-np.inf))
    total = np.cumsum((expensive - cheap)[order])[ends]
    share = np.concatenate(([0.0], (ends + 1) / len(score)))
    return share, cheap.mean() + np.concatenate(([0.0], total)) / len(score)


def figures(score: Floats, cheap: Floats, expensive: Floats) -> dict[str, Any]:
    """apgr, cpt50, cpt80: None, with a `reason`, where the expensive tier is not better on average."""
    share, quality = recovered(score, cheap, expensive)
    gap = float(expensive.mean() - cheap.mean())
    told: dict[str, Any] = {
        "rows": len(score),
        "cheap_quality": float(cheap.mean()),
        "expensive_quality": float(expensive.mean()),
        "apgr": None,
        "cpt50": None,
        "cpt80": None,
    }
    if gap <= 0:
        told["reason"] = "the expensive tier is not better on average: there is no gap to recover"
    else:
        gained = (quality - cheap.mean()) / gap
        told["apgr"] = float(np.trapezoid(gained, share))
        told["cpt50"], told["cpt80"] = _reached(share, gained, 0.5), _reached(share, gained, 0.8)
    kept = _reached(share, quality, 0.95 * expensive.mean())
    told["keep95_expensive_share"] = kept
    return told


def _reached(share: Floats, value: Floats, wanted: float) -> float | None:
    """The smallest share at which the curve reaches the value, linear between its knots."""
    above = np.flatnonzero(value >= wanted - 1e-12)
    if not len(above):
        return None
    at = int(above[0])
    if at == 0:
        return 0.0
    rise = value[at] - value[at - 1]
    return float(share[at - 1] + (share[at] - share[at - 1]) * (wanted - value[at - 1]) / rise)


def classification(score: Floats, gain_told: Floats, gain: Floats) -> dict[str, float | None]:
    """auc of "the expensive answer is better", and the Brier score of the told gain as its probability."""
    better = gain > 0
    if better.all() or not better.any():
        return {"auc": None, "brier": None}
    from sklearn.metrics import roc_auc_score

    chance = np.clip(gain_told, 0.0, 1.0)
    return {"auc": float(roc_auc_score(better, score)), "brier": float(((chance - better) ** 2).mean())}


def apgr_error(score: Floats, cheap: Floats, expensive: Floats, *, draws: int = 200, seed: int = 0) -> float | None:
    """One standard error of the APGR, by bootstrap over the rows."""
    rng = np.random.default_rng(seed)
    told = []
    for _ in range(draws):
        rows = rng.integers(0, len(score), len(score))
        value = figures(score[rows], cheap[rows], expensive[rows])["apgr"]
        if value is not None:
            told.append(value)
    return float(np.std(told)) if len(told) > draws // 2 else None


def at_threshold(score: Floats, threshold: float, cheap: Floats, expensive: Floats) -> tuple[float, float]:
    """The share of expensive calls, and the quality kept of all-expensive's, at this threshold."""
    sent = score >= threshold
    whole = float(expensive.mean())
    quality = float(np.where(sent, expensive, cheap).mean())
    return float(sent.mean()), quality / whole if whole else 0.0


def saving(score: Floats, threshold: float, cheap_usd: Floats, expensive_usd: Floats) -> float | None:
    """What routing at this threshold saves of all-expensive's cost; None where the logs tell no costs."""
    if not (np.isfinite(cheap_usd).all() and np.isfinite(expensive_usd).all()) or expensive_usd.sum() <= 0:
        return None
    return 1.0 - float(np.where(score >= threshold, expensive_usd, cheap_usd).sum() / expensive_usd.sum())


def scored(scorer: Scorer, queries: Sequence[Query]) -> tuple[Floats, Floats, Mapping[str, float]]:
    """Scores and told gains, each [n], and the time of a score in microseconds."""
    told, took = [], []
    for query in queries:
        began = time.perf_counter()
        told.append(scorer.score(query))
        took.append((time.perf_counter() - began) * 1e6)
    times = {"score_us_p50": float(np.quantile(took, 0.5)), "score_us_p99": float(np.quantile(took, 0.99))}
    return np.array([t.score for t in told]), np.array([t.expected_gain for t in told]), times
