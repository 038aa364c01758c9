"""Out-of-fold predictions of each view, and the blend of the views that they choose.

A row's prediction comes of views that were fitted without it, at penalties and shares that other rows chose. Through
those rows' predictions, which views fitted on it made, it has a say in penalties and shares all the same: on shuffled
labels too small a one to be measured (a correlation of 0.008 +- 0.012 over 24 runs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from turnout.routing.features import Floats
from turnout.training.estimators import fit_view
from turnout.training.folds import FOLDS, RowNumbers
from turnout.training.tag_means import tag_means

# The shares start out equal, as if this many rows had said so (0 to 3,000 differ by .005 over all nine files).
PRIOR_ROWS = 300
# So they count where predictions explain this share of the gains' variance; where less, for more, up to so many times.
EXPLAINED, MOST_NOISE = 0.1, 30.0
# In gain, which is in [-1, 1]: predictions that differ less do not differ.
ROUNDING = 1e-9


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold predictions of one division, less the mean: of each view at each penalty, and of the tags."""

    folds: RowNumbers
    gain: Floats
    tried: dict[str, list[Floats]]
    tagged: Floats

    def errors(self, name: str, rows: NDArray[np.bool_] | None = None) -> list[float]:
        """The squared error of a view at each of its penalties, on these rows."""
        seen = np.full(len(self.gain), True) if rows is None else rows
        gain = self.gain[seen] - self.gain[seen].mean()
        return [float(((gain - predicted[seen]) ** 2).mean()) for predicted in self.tried[name]]

    def columns(self, best: Sequence[int]) -> Floats:
        """[rows, views + tag] at these penalties."""
        predicted = [tried[at] for tried, at in zip(self.tried.values(), best, strict=True)]
        return np.column_stack([*predicted, self.tagged])

    def blended(self) -> Floats:
        """The prediction of each fold, by penalties and shares that the other folds chose."""
        predicted = np.zeros(len(self.gain))
        for fold in range(FOLDS):
            outside = self.folds == fold
            columns = self.columns([int(np.argmin(self.errors(name, ~outside))) for name in self.tried])
            predicted[outside] = columns[outside] @ shares(columns[~outside], self.gain[~outside])
        return predicted + float(self.gain.mean())


def out_of_fold(name: str, view: Any, gain: Floats, penalty: float, folds: RowNumbers, seed: int) -> Floats:
    """A view's predictions. Less the mean that was learnt, which is low just where the fold's own is high."""
    predicted = np.zeros(len(gain))
    for fold in range(FOLDS):
        outside = folds == fold
        inside = gain[~outside]
        predicted[outside] = (
            fit_view(name, view[~outside], inside, penalty, seed).predict(view[outside]) - inside.mean()
        )
    return predicted


def tags_out_of_fold(gain: Floats, tags: Sequence[str], folds: RowNumbers) -> Floats:
    """The tags' shrunken means from the other folds; 0 for a tag that is not there."""
    predicted = np.zeros(len(gain))
    for fold in range(FOLDS):
        outside = folds == fold
        means = tag_means(gain[~outside], [tag for tag, out in zip(tags, outside, strict=True) if not out])
        predicted[outside] = [means.get(tag, 0.0) for tag, out in zip(tags, outside, strict=True) if out]
    return predicted


def blend_shares(predictions: Sequence[OutOfFold]) -> tuple[list[int], Floats]:
    """The place of each view's penalty, and the shares of the views and of the tag, by all divisions together."""
    best = [int(np.mean([each.errors(name) for each in predictions], axis=0).argmin()) for name in predictions[0].tried]
    return best, np.mean([shares(each.columns(best), each.gain) for each in predictions], axis=0)


def _noise(predicted: Floats, gain: Floats) -> float:
    """How many times the prior's rows count: the less the predictions explain of the gains, the less these rows say of
    the shares. Where 20 % of the labels are swapped at random, that gives back a quarter of what they cost in APGR."""
    spread = float(predicted.std()) * float(gain.std())
    explained = float(np.mean((predicted - predicted.mean()) * (gain - gain.mean())) / spread) ** 2 if spread else 0.0
    return min(MOST_NOISE, EXPLAINED / explained) if explained else MOST_NOISE


def shares(columns: Floats, gain: Floats) -> Floats:
    """Each column's share, 0 or more: least squares, drawn towards equal views and half the tag's mean."""
    equal = np.full(columns.shape[1], 1.0 / (columns.shape[1] - 1))
    equal[-1] = 0.5
    # What a view says of everything alike is rounding, which a share of 1e13 would make the loudest of all.
    columns = columns * (columns.std(axis=0) > ROUNDING)
    pull = np.sqrt(PRIOR_ROWS * _noise(columns @ equal, gain)) * columns.std(axis=0)
    weights, _ = nnls(np.vstack((columns, np.diag(pull))), np.concatenate((gain - gain.mean(), pull * equal)))
    return np.asarray(weights, dtype=np.float64)
