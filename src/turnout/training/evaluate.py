"""What a scorer is worth on labelled logs: a file's, the default's, or, by cross-validation, train's own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from turnout.errors import LogError
from turnout.ports import Scorer
from turnout.routing.scorer import FileScorer
from turnout.training import fit
from turnout.training.curves import apgr_error, at_threshold, classification, figures, saving, scored
from turnout.training.labelled_logs import Logs

Floats = NDArray[np.float64]
FOLDS = 5
# A group of fewer rows has no figures worth telling.
FEWEST_IN_GROUP = 10
KEEP = 0.95


@dataclass(frozen=True)
class Scored:
    """Scores and told gains of every row, [n]; thresholds for keeping 95 %, [n] (by the fold's own scorer)."""

    score: Floats
    gain: Floats
    threshold: Floats
    times: dict[str, float]


def with_scorer(logs: Logs, scorer: Scorer) -> Scored:
    """The rows scored by one scorer. The default scorer promises no quality: a share of 0.5."""
    score, gain, times = scored(scorer, logs.queries)
    threshold = scorer.threshold_for_quality(KEEP) if isinstance(scorer, FileScorer) else float(np.median(score))
    return Scored(score, gain, np.full(len(score), threshold), dict(times))


def cross_validated(logs: Logs, *, seed: int = 0) -> Scored:
    """Each row scored by a scorer that was trained without it: train's own defaults, 5 folds."""
    if len(logs) < 2 * fit.FEWEST_ROWS:
        raise LogError(f"{len(logs)} good rows are too few to cross-validate; label at least {2 * fit.FEWEST_ROWS}")
    score, gain, threshold = (np.zeros(len(logs)) for _ in range(3))
    times: dict[str, float] = {}
    for inside, outside in KFold(FOLDS, shuffle=True, random_state=seed).split(score):
        scorer = fit.train(logs.part(inside), seed=seed).scorer
        told = with_scorer(logs.part(outside), scorer)
        score[outside], gain[outside], threshold[outside] = told.score, told.gain, told.threshold
        times = times or told.times
    return Scored(score, gain, threshold, times)


def report(logs: Logs, told: Scored) -> dict[str, Any]:
    """All figures, and the same by group."""
    groups = Counter(logs.groups)
    by_group = {}
    if len(groups) > 1:
        for group in sorted(group for group, rows in groups.items() if rows >= FEWEST_IN_GROUP):
            rows = np.array([row for row, tag in enumerate(logs.groups) if tag == group])
            inside = Scored(told.score[rows], told.gain[rows], told.threshold[rows], told.times)
            by_group[group] = _figures(logs.part(rows), inside)
    whole = _figures(logs, told)
    whole["apgr_standard_error"] = apgr_error(told.score, logs.cheap, logs.expensive)
    return {**whole, **told.times, "skipped": logs.skipped, "groups": by_group}


def _figures(logs: Logs, told: Scored) -> dict[str, Any]:
    # A fold's threshold is on its own scale, so rows are held against their own.
    above = (told.score >= told.threshold).astype(np.float64)
    share, kept = at_threshold(above, 0.5, logs.cheap, logs.expensive)
    return {
        **figures(told.score, logs.cheap, logs.expensive),
        **classification(told.score, told.gain, logs.gain),
        "keep95_quality": kept,
        "keep95_share": share,
        "keep95_saving": saving(above, 0.5, logs.cheap_usd, logs.expensive_usd),
    }
