"""How the linear views of a text are scaled, in training as in service: hash slots, and ranks in sixteenths."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Each hashed view's table has 2**HASHED_BITS weights.
HASHED_BITS = 15
# A number's rank is given in this many steps.
KNOTS = 16
_SHIFT = np.uint64(64 - HASHED_BITS)


def slots(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The table slot of each hash: its top bits."""
    return (hashes >> _SHIFT).view(np.int64)


def scale(count: int) -> float:
    """What a view's sum is divided by, so that a long text does not outweigh a short one."""
    return 1.0 / math.sqrt(count) if count else 0.0
