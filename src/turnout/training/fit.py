"""Fits a scorer on labelled logs: what the expensive tier's answer is expected to be better by.

Four views of a request (its structure, its words, word pairs, letters), each a ridge regression on the gain;
blended by non-negative least squares on out-of-fold predictions; beside them a shrunken mean per tag. All of
it is linear, so it folds into one set of weights. Deterministic.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from turnout.errors import LogError
from turnout.routing import artifact
from turnout.routing.artifact import Artifact
from turnout.routing.features import Reading, read
from turnout.routing.scorer import BITS, HASHED_VIEWS, FileScorer, scale, slots
from turnout.training.labelled_logs import Logs

Floats = NDArray[np.float64]

FEWEST_ROWS = 20
FOLDS = 5
# Tried for each view, the best out of fold kept. A view that knows nothing is shrunk away by the blend.
PENALTIES = {"structure": (30.0, 300.0, 3000.0), "hashed": (1.0, 10.0, 100.0)}
# Rows beyond this many teach a linear scorer little more, and would take minutes.
MOST_ROWS = 60_000
QUALITIES = tuple(round(0.5 + 0.005 * step, 3) for step in range(101))


@dataclass(frozen=True)
class Fitted:
    """A scorer and how its training went. out_of_fold: predicted gains of the training rows, [n]."""

    scorer: FileScorer
    artifact: Artifact
    out_of_fold: Floats
    warnings: tuple[str, ...]
    cheap: Floats
    expensive: Floats

    def expectations(self, wishes: Sequence[float]) -> list[dict[str, float]]:
        """For each wish to keep quality: the share of expensive calls and the quality kept, out of fold, with
        one standard error of the latter."""
        order = np.sort(self.out_of_fold)
        table = []
        for wish in wishes:
            at = self.scorer.threshold_for_quality(wish)
            taken = (
                self.out_of_fold >= np.interp(at, np.linspace(0, 1, len(order)), order)
                if at
                else np.full(len(order), True)
            )
            quality = np.where(taken, self.expensive, self.cheap)
            whole = float(self.expensive.mean()) or 1.0
            error = float((quality - self.expensive).std() / np.sqrt(len(quality)) / whole)
            table.append(
                {
                    "keep_quality": wish,
                    "threshold": at,
                    "expensive_share": float(taken.mean()),
                    "quality_kept": float(quality.mean()) / whole,
                    "standard_error": error,
                }
            )
        return table

    def save(self, path: str | Path) -> None:
        """Writes exactly this path."""
        artifact.save(self.artifact, Path(path))


@dataclass(frozen=True)
class _Linear:
    """Weights of one fit: per view, blended; the tags' offsets; the intercept."""

    weights: dict[str, Floats]
    offsets: dict[str, float]
    intercept: float


def train(logs: Logs, *, seed: int = 0) -> Fitted:
    """Fits a scorer. Raises LogError, with the reason, for logs that nothing can be learnt from."""
    _check(logs)
    rows = _sampled(len(logs), seed)
    gain = logs.gain[rows]
    readings = [read(logs.queries[row]) for row in rows]
    tags = [reading.tag for reading in readings]
    views = _views(readings)
    out_of_fold = np.zeros(len(gain))
    for inside, outside in KFold(FOLDS, shuffle=True, random_state=seed).split(gain):
        fitted = _fit({n: v[inside] for n, v in views.items()}, gain[inside], [tags[i] for i in inside], seed)
        out_of_fold[outside] = _predict(fitted, {n: v[outside] for n, v in views.items()}, [tags[i] for i in outside])
    whole = _fit(views, gain, tags, seed)
    warnings = _warnings(logs)
    file = _artifact(whole, out_of_fold, logs, rows, warnings)
    return Fitted(FileScorer(file), file, out_of_fold, warnings, logs.cheap[rows], logs.expensive[rows])


def _check(logs: Logs) -> None:
    if len(logs) < FEWEST_ROWS:
        raise LogError(f"{len(logs)} good rows are too few to learn from; label at least {FEWEST_ROWS}, better 500")
    if np.ptp(logs.gain) == 0:
        raise LogError(f"expensive minus cheap quality is {logs.gain[0]:g} in every row: nothing tells requests apart")


def _warnings(logs: Logs) -> tuple[str, ...]:
    told = []
    gap, error = float(logs.gain.mean()), float(logs.gain.std() / np.sqrt(len(logs)))
    if gap < -2 * error:
        told.append("the cheap tier is better on average: are the quality columns swapped?")
    elif gap < 2 * error:
        told.append(f"the gap between the tiers is {gap:.3f} +- {error:.3f}: too small to promise any quality")
    if len(logs) < 200:
        told.append(f"{len(logs)} rows are few: expect the figures to move by several points on new requests")
    return tuple(told)


def _sampled(count: int, seed: int) -> NDArray[np.intp]:
    if count <= MOST_ROWS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST_ROWS, replace=False))


# ------------------------------------------------------------------------------------------------ views


def _views(readings: Sequence[Reading]) -> dict[str, Any]:
    views: dict[str, Any] = {"structure": np.stack([reading.structure for reading in readings])}
    for name in HASHED_VIEWS:
        views[name] = _hashed([getattr(reading, name) for reading in readings])
    return views


def _hashed(rows: Sequence[NDArray[np.uint64]]) -> csr_matrix:
    lengths = [len(row) for row in rows]
    columns = np.concatenate([slots(row) for row in rows]) if sum(lengths) else np.zeros(0, np.intp)
    values = np.concatenate([np.full(n, scale(n)) for n in lengths]) if sum(lengths) else np.zeros(0)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    matrix = csr_matrix((values, columns, bounds), shape=(len(rows), 1 << BITS))
    matrix.sum_duplicates()
    return matrix


def _fit(views: dict[str, Any], gain: Floats, tags: Sequence[str], seed: int) -> _Linear:
    """The tags' shrunken means first, the views on what those leave, then the blend."""
    folds = list(KFold(FOLDS, shuffle=True, random_state=seed + 1).split(gain))
    mean = float(gain.mean())
    offsets = _tag_offsets(gain - mean, tags)
    tagged = np.array([offsets.get(tag, 0.0) for tag in tags])
    for inside, outside in folds:
        inner = _tag_offsets(gain[inside] - gain[inside].mean(), [tags[i] for i in inside])
        tagged[outside] = [inner.get(tags[i], 0.0) for i in outside]
    target = gain - mean - tagged
    solutions: dict[str, tuple[Floats, float]] = {}
    columns = [tagged]
    for name, view in views.items():
        weights, intercept, out_of_fold = _ridge(name, view, target, folds)
        solutions[name] = (weights, intercept)
        columns.append(out_of_fold)
    blend, _ = nnls(np.column_stack(columns), gain - mean)
    shares = dict(zip(views, (float(share) for share in blend[1:]), strict=True))
    return _Linear(
        weights={name: solutions[name][0] * share for name, share in shares.items()},
        offsets={tag: offset * float(blend[0]) for tag, offset in offsets.items()},
        intercept=mean + sum(solutions[name][1] * share for name, share in shares.items()),
    )


def _ridge(name: str, view: Any, target: Floats, folds: Sequence[tuple[Any, Any]]) -> tuple[Floats, float, Floats]:
    """Weights and intercept on the view's own scale, and out-of-fold predictions at the best penalty."""
    centre, spread = np.zeros(view.shape[1]), np.ones(view.shape[1])
    if name == "structure":
        centre, spread = view.mean(axis=0), view.std(axis=0)
        spread[spread < 1e-9] = np.inf
        view = (view - centre) / spread
    best: tuple[float, float, Floats] | None = None
    for penalty in PENALTIES["structure" if name == "structure" else "hashed"]:
        told = np.zeros(len(target))
        for inside, outside in folds:
            told[outside] = _solver(penalty).fit(view[inside], target[inside]).predict(view[outside])
        error = float(((target - told) ** 2).mean())
        if best is None or error < best[0]:
            best = (error, penalty, told)
    assert best is not None
    model = _solver(best[1]).fit(view, target)
    weights = np.asarray(model.coef_, dtype=np.float64) / spread
    return weights, float(model.intercept_ - centre @ weights), best[2]


def _solver(penalty: float) -> Any:
    return Ridge(alpha=penalty, solver="auto", tol=1e-4)


def _tag_offsets(residual: Floats, tags: Sequence[str]) -> dict[str, float]:
    """Each tag's mean, shrunk towards 0 by how little its rows tell: empirical Bayes, one-way random effects."""
    by_tag: dict[str, list[float]] = defaultdict(list)
    for value, tag in zip(residual, tags, strict=True):
        by_tag[tag].append(float(value))
    if len(by_tag) < 2:
        return {}
    within = float(np.mean([np.var(values) for values in by_tag.values() if len(values) > 1] or [residual.var()]))
    means = {tag: float(np.mean(values)) for tag, values in by_tag.items()}
    noise = float(np.mean([within / len(values) for values in by_tag.values()]))
    between = max(1e-6, float(np.var(list(means.values()))) - noise)
    return {tag: means[tag] * between / (between + within / len(values)) for tag, values in by_tag.items() if tag}


def _predict(fitted: _Linear, views: dict[str, Any], tags: Sequence[str]) -> Floats:
    told: Floats = np.full(len(tags), fitted.intercept)
    for name, view in views.items():
        told += view @ fitted.weights[name]
    told += [fitted.offsets.get(tag, 0.0) for tag in tags]
    return told


# ------------------------------------------------------------------------------------------------- file


def _artifact(
    fitted: _Linear, out_of_fold: Floats, logs: Logs, rows: NDArray[np.intp], warnings: Sequence[str]
) -> Artifact:
    gain = logs.gain[rows]
    # At most 1,001 quantiles: a rank to a thousandth.
    ranks = np.unique(np.quantile(out_of_fold, np.linspace(0, 1, min(1001, max(2, len(out_of_fold))))))
    if len(ranks) < 2:
        ranks = np.array([ranks[0] - 1e-9, ranks[0] + 1e-9])
    spread = float(out_of_fold.var())
    slope = max(0.0, float(np.cov(out_of_fold, gain, bias=True)[0, 1] / spread)) if spread > 0 else 0.0
    tags = sorted(fitted.offsets)
    header = {
        "intercept": fitted.intercept,
        "gain_slope": slope,
        "gain_intercept": float(gain.mean() - slope * out_of_fold.mean()),
        "tags": tags,
        "keep_quality": keep_table(out_of_fold, ranks, logs.cheap[rows], logs.expensive[rows]),
        "summary": {
            "rows": len(logs),
            "skipped": logs.skipped,
            "folds": FOLDS,
            "date": datetime.now(UTC).date().isoformat(),
            "cheap_quality": float(logs.cheap.mean()),
            "expensive_quality": float(logs.expensive.mean()),
            "warnings": list(warnings),
        },
    }
    arrays: dict[str, NDArray[Any]] = {name: weights.astype(np.float32) for name, weights in fitted.weights.items()}
    arrays["structure"] = fitted.weights["structure"]
    arrays["ranks"] = ranks
    arrays["tag_offsets"] = np.array([fitted.offsets[tag] for tag in tags], dtype=np.float64)
    return Artifact(header=header, arrays=arrays)


def keep_table(told: Floats, ranks: Floats, cheap: Floats, expensive: Floats) -> list[list[float]]:
    """Rows of (quality kept, threshold): the smallest share of expensive calls whose quality on these logs,
    decided by out-of-fold predictions, is that share of all-expensive's."""
    order = np.argsort(-told, kind="stable")
    quality = np.concatenate(([cheap.sum()], cheap.sum() + np.cumsum((expensive - cheap)[order])))
    whole = float(expensive.sum())
    if whole <= 0:
        return []
    table = []
    for wish in QUALITIES:
        reached = np.flatnonzero(quality >= wish * whole - 1e-12)
        if not len(reached):
            break
        taken = int(reached[0])
        table.append([wish, _threshold(told[order], ranks, taken)])
    return table


def _threshold(descending: Floats, ranks: Floats, taken: int) -> float:
    """The score from which on just the first `taken` are expensive."""
    if taken == 0:
        return 1.0
    if taken == len(descending):
        return 0.0
    middle = (descending[taken - 1] + descending[taken]) / 2
    return float(np.interp(middle, ranks, np.linspace(0, 1, len(ranks))))
