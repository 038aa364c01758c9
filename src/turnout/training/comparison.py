"""Two scorers on the same labelled rows: how much better the second one is, and how sure that is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.logs.labelled import Logs
from turnout.training.curves import Ranked, bootstrap, interval, quality_figures, threshold_figures
from turnout.training.evaluate import Scored
from turnout.training.folds import texts_of

Floats = NDArray[np.float64]
# Compared: what the ranking is worth, and what is kept of the quality at the scorer's own threshold.
COMPARED = ("apgr", "keep95_quality")


def paired(logs: Logs, first: Scored, second: Scored, *, seed: int = 0) -> dict[str, Any]:
    """The second's figures less the first's, None where one has none, and the middle 95 % of the bootstrap's draws.

    `by`: what was drawn, groups where the logs have at least two, else rows, those of one text together.
    """
    ranked = [Ranked.of(scored.score, logs.cheap, logs.expensive, sent=scored.sent) for scored in (first, second)]

    def differences(weight: Floats) -> dict[str, float | None]:
        one, other = (_figures(each, weight[each.order]) for each in ranked)
        pairs = {name: (one[name], other[name]) for name in COMPARED}
        return {name: None if a is None or b is None else b - a for name, (a, b) in pairs.items()}

    drawn = _groups_of(logs)
    by, units = ("rows", texts_of(logs)) if drawn is None else ("groups", drawn)
    draws = bootstrap(differences, logs.weight, draws=500 if len(logs) <= 20_000 else 100, seed=seed, texts=units)
    intervals = {name: interval(values) for name, values in draws.items()}
    return {**differences(logs.weight), "intervals": intervals, "by": by}


def _figures(ranked: Ranked, weight: Floats) -> dict[str, Any]:
    return quality_figures(ranked, weight) | threshold_figures(ranked, weight)


def _groups_of(logs: Logs) -> NDArray[np.intp] | None:
    """Which group each row is of, [n], each row without one by itself; None where there are not two groups."""
    if len({group for group in logs.groups if group}) < 2:
        return None
    names = [group or f"\0{row}" for row, group in enumerate(logs.groups)]
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.intp)
