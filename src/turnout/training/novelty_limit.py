"""What of the training logs a scorer remembers to know requests unlike them, and from where on they are novel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from turnout.routing.features import Reading
from turnout.routing.novelty import SEEN_BITS, USUAL_TOKENS, places

# The share of requests like the logs that is marked all the same.
MARKED = 0.01
# Logs of one template hold all their words: there one new word in thirty is no reason to doubt the score.
LEAST_LIMIT = 0.03
NOBODY, SEVERAL = 0, -1


@dataclass(frozen=True)
class Seen:
    """bits: which slots the logs fill, packed, by view. usual: the share of a row that no other text holds, by view."""

    bits: dict[str, NDArray[np.uint8]]
    usual: dict[str, float]
    limit: float

    @property
    def header(self) -> dict[str, Any]:
        """As the scorer file's header holds it."""
        return {"usual": self.usual, "limit": self.limit}


def seen_of(readings: Sequence[Reading]) -> Seen:
    """The limit is what 1 % of the rows pass, each held against all rows of another text: against four fifths of
    them, as the folds of the blend would, everything looks newer than it will to the scorer of all."""
    _, which = np.unique([crc32(reading.folded) for reading in readings], return_inverse=True)
    texts = which.astype(np.int32) + 1
    bits, usual, shares = dict[str, NDArray[np.uint8]](), dict[str, float](), []
    for view in SEEN_BITS:
        slots = [places(getattr(reading, view), view) for reading in readings]
        owner = _owners(slots, texts, SEEN_BITS[view])
        bits[view] = np.packbits(owner != NOBODY)
        tokens = np.array([len(row) for row in slots], dtype=np.float64)
        unseen = np.array([np.count_nonzero(owner[row] == text) for row, text in zip(slots, texts, strict=True)])
        usual[view] = float(unseen.sum() / max(tokens.sum(), 1.0))
        beside = USUAL_TOKENS[view]
        shares.append((unseen + beside * usual[view]) / (tokens + beside))
    limit = float(np.quantile(np.mean(shares, axis=0), 1.0 - MARKED))
    return Seen(bits, usual, min(1.0, max(LEAST_LIMIT, limit)))


def _owners(slots: Sequence[NDArray[np.intp]], texts: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    """Which text alone fills each slot, [2**bits]; NOBODY or SEVERAL where it is not one."""
    owner = np.full(1 << bits, NOBODY, np.int32)
    for row, text in zip(slots, texts, strict=True):
        before = owner[row]
        owner[row] = np.where((before == NOBODY) | (before == text), text, SEVERAL)
    return owner
