"""Fits a scorer on labelled logs: what the expensive tier's answer is expected to be better by, and where the logs
tell costs, less what its extra cost buys elsewhere.

Each view of a request (views.py) has an estimator of the gain. They are blended by non-negative least squares on
out-of-fold predictions, drawn towards equal shares where rows are few. Penalties, shares, ranks, calibration and
thresholds all come from predictions of rows that the predictor did not see. Deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from turnout.errors import LogError
from turnout.logs.labelled import Logs
from turnout.openai.messages import text_of
from turnout.routing import artifact
from turnout.routing.artifact import Artifact
from turnout.routing.features import Floats, read_features
from turnout.routing.scorer import FileScorer
from turnout.training.blend import OutOfFold, blend_shares, out_of_fold, tags_out_of_fold
from turnout.training.curves import figures
from turnout.training.data_checks import data_checks, with_reason
from turnout.training.embedding import Embedding
from turnout.training.estimators import PENALTIES, View, fit_view
from turnout.training.folds import FOLDS, RowNumbers, divisions
from turnout.training.novelty_limit import seen_of
from turnout.training.scorer_file import artifact_of
from turnout.training.views import views_of

FEWEST_ROWS = 20
# Gains that differ by less differ by rounding.
SAME = 1e-9
# From so many rows on, one division into folds is enough; of fewer it is a matter of luck, and three are made.
ONCE_FROM_ROWS = 600
# Rows beyond this many teach a scorer this small little more, and would take minutes.
MOST_ROWS = 20_000
# Of their texts together. Hashed words and letters take some 60 bytes a character while they are fitted: 1.1 GiB.
MOST_CHARACTERS = 18_000_000

# Called after each step: how many of how many are done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Fitted:
    """A scorer and how its training went. predicted: out-of-fold gains of the rows used, [divisions, rows]: the
    rows were divided into folds so many times.
    views, shares: the estimators that the scorer serves, and what each is worth in it, the tag's last."""

    scorer: FileScorer
    artifact: Artifact
    predicted: Floats
    warnings: tuple[str, ...]
    logs: Logs
    views: Mapping[str, View]
    shares: Floats

    @property
    def out_of_fold(self) -> Floats:
        """One out-of-fold prediction of each row of `logs`, [rows]."""
        first: Floats = self.predicted[0]
        return first

    def calibrated(self, raw_gain: Floats) -> Floats:
        """The expected gains that the scorer tells for these raw ones, [rows]."""
        slope, intercept = float(self.artifact.header["gain_slope"]), float(self.artifact.header["gain_intercept"])
        return np.clip(slope * raw_gain + intercept, -1.0, 1.0)

    def save(self, path: str | Path) -> None:
        """Writes exactly this path."""
        artifact.save(self.artifact, Path(path))


def train(logs: Logs, *, seed: int = 0, embedding: Embedding | None = None, progress: Progress | None = None) -> Fitted:
    """Fits a scorer, each row counting for its weight. embedding: what words mean (`embedding.installed()`), one view
    more; the scorer is served without. Raises LogError, with the reason, for logs that nothing can be learnt from."""
    even = logs.evened(seed)
    _check(even)
    warnings = tuple(data_checks(logs))
    used = even.part(sampled(even, seed)).tagged()
    # One thread: sums in one order, so that the same logs give the same scorer; and no faster with more.
    with threadpool_limits(1):
        return _train(logs, used, warnings, seed, embedding, progress)


def _train(
    logs: Logs,
    used: Logs,
    warnings: tuple[str, ...],
    seed: int,
    embedding: Embedding | None,
    progress: Progress | None,
) -> Fitted:
    gain, tags = used.net_gain, used.groups
    readings = [read_features(query) for query in used.queries]
    views, folded = views_of(readings, embedding), divisions(used, seed, 3 if len(used) < ONCE_FROM_ROWS else 1)
    seen = seen_of(readings)
    steps = iter(range(1, (len(folded) + 1) * len(views) + 1))

    def done() -> None:
        if progress is not None:
            progress(next(steps), (len(folded) + 1) * len(views))

    predictions, fitted = [], dict[str, View]()
    for folds in folded:
        tried = {}
        for name in views:
            tried[name] = [out_of_fold(name, views[name], gain, p, folds, seed) for p in PENALTIES[name]]
            done()
        predictions.append(OutOfFold(folds, gain, tried, tags_out_of_fold(gain, tags, folds)))
    best, shares = blend_shares(predictions)
    penalties = {name: PENALTIES[name][at] for name, at in zip(views, best, strict=True)}
    for name in views:
        fitted[name] = fit_view(name, views[name], gain, penalties[name], seed)
        done()
    predicted = np.stack([each.blended() for each in predictions])
    summary = _summary(logs, used, predicted, warnings) | {
        "seed": seed,
        "costs": bool(np.any(used.net_gain != used.gain)),
        "embedding": None if embedding is None else embedding.name,
        "penalties": penalties,
        "shares": dict(zip((*views, "tag"), map(float, shares), strict=True)),
    }
    file = artifact_of(fitted, shares, predicted, used, seen, summary, embedding)
    return Fitted(FileScorer(file), file, predicted, warnings, used, fitted, shares)


def _check(logs: Logs) -> None:
    refusal = ""
    if len(logs) < FEWEST_ROWS:
        refusal = f"{len(logs)} good rows are too few to learn from; label at least {FEWEST_ROWS}, better 500"
    elif np.ptp(logs.gain) < SAME:
        refusal = f"expensive minus cheap quality is {logs.gain[0]:g} in every row: nothing tells requests apart"
    if refusal:
        raise LogError(with_reason(refusal, logs))


def sampled(logs: Logs, seed: int, *, max_rows: int = MOST_ROWS, max_characters: int = MOST_CHARACTERS) -> RowNumbers:
    """Rows drawn evenly, so many that training fits into bounded memory, in their order."""
    characters = sum(len(text_of(message)) for query in logs.queries for message in query.messages)
    count = min(max_rows, len(logs), max(FEWEST_ROWS, len(logs) * max_characters // max(1, characters)))
    if count == len(logs):
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(len(logs), count, replace=False))


def _summary(logs: Logs, used: Logs, predicted: Floats, warnings: Sequence[str]) -> dict[str, Any]:
    """What the file tells of its training."""
    apgrs = [figures(row, used.cheap, used.expensive)["apgr"] for row in predicted]
    return {
        "rows": logs.rows,
        "rows_used": len(used),
        "skipped": logs.skipped,
        "groups": len(set(logs.groups)),
        "folds": FOLDS,
        "repeats": len(predicted),
        "date": datetime.now(UTC).date().isoformat(),
        "cheap_quality": float(np.average(logs.cheap, weights=logs.weight)),
        "expensive_quality": float(np.average(logs.expensive, weights=logs.weight)),
        "apgr": None if None in apgrs else float(np.mean(apgrs)),
        "warnings": list(warnings),
    }
