"""How well scores tell "the expensive answer is better". Pure, deterministic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FOLDS = 5


def auc(score: Floats, better: NDArray[np.bool_], weight: Floats) -> float | None:
    """The area under the ROC curve; None where all rows are alike."""
    seen = weight > 0
    if not better[seen].any() or better[seen].all():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(better[seen], score[seen], sample_weight=weight[seen]))


def chances(gain: Floats, score: Floats, better: NDArray[np.bool_], weight: Floats, seed: int) -> Floats:
    """The chance that the expensive answer is better, [n].

    A scorer tells an expected gain, which is no chance: an expensive answer may be better by little or often
    worse. So the predicted gain and score are mapped to one by a logistic regression on the other four fifths of the
    rows; where those are all alike, or few, it is their share of better ones.
    """
    from sklearn.linear_model import LogisticRegression

    signs = np.column_stack((gain, score))
    fold = np.random.default_rng(seed).permutation(len(gain)) % FOLDS
    probability = np.zeros(len(gain))
    for number in range(FOLDS):
        outside = fold == number
        inside = ~outside & (weight > 0)
        known = better[inside]
        if not outside.any():
            continue
        if min(known.sum(), (~known).sum()) < FOLDS:
            probability[outside] = (known.sum() + 0.5) / (len(known) + 1.0)
            continue
        # Less its unit, or light rows would be drawn to their mean by the regression's penalty.
        counts = weight[inside] / weight[inside].mean()
        fitted = LogisticRegression().fit(signs[inside], known, sample_weight=counts)
        probability[outside] = fitted.predict_proba(signs[outside])[:, 1]
    return probability
