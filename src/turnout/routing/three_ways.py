"""Cheap only, expensive straight, or cheap and then verified: the way that a request is expected to gain by. Pure.

In units of quality: a threshold t of the verifier's gain says that an expensive call is worth t, so a cheap one is
worth t / price ratio. Verified, a request gains what the answers above t gain. Straight, it gains that of the answers
below t too (less than t each, so it loses t - gain), and saves the cheap call.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Way = Literal["cheap", "straight", "verify"]
# Questions are taken together by an eighth of their scores; of each eighth the gains at so many quantiles are kept.
BINS, QUANTILES = 8, 21


def bin_of(score: float) -> int:
    """The eighth that a question's score falls in."""
    return min(BINS - 1, max(0, int(score * BINS)))


def second_pays(
    score: float,
    threshold_gain: float,
    gains: NDArray[np.float64],
    pair_gains: NDArray[np.float64],
    price_ratio: float,
) -> bool:
    """Whether a second cheap answer is worth its price. gains, pair_gains: what was said of answers to questions of
    each eighth without it and with it, [BINS, QUANTILES]."""
    at = bin_of(score)
    alone, together = (float(np.maximum(each[at] - threshold_gain, 0.0).mean()) for each in (gains, pair_gains))
    return threshold_gain > 0 and together - alone > threshold_gain / price_ratio


def way_of(score: float, threshold_gain: float, gains: NDArray[np.float64], price_ratio: float) -> Way:
    """gains: what the verifier said of answers to questions of each eighth, [BINS, QUANTILES], ascending. The cheap
    answer goes unverified only where no answer to such a question, nor to one of the eighth above, was refused."""
    at = bin_of(score)
    like = gains[at]
    if like[0] >= threshold_gain:
        return "straight"
    if max(like[-1], gains[min(at + 1, BINS - 1)][-1]) < threshold_gain:
        return "cheap"
    loss = float(np.maximum(threshold_gain - like, 0.0).mean())
    return "straight" if loss < threshold_gain / price_ratio else "verify"
