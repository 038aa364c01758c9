"""Is a request like the training logs? The share of its words and letters that the logs never held.

Each view keeps one bit a hash slot: held by the logs or not. A request's share of words not held is drawn towards
the usual share of the logs themselves (two new words of three tell little), the same for its letters four in a row,
and the two are averaged. Training finds the limit that 1 % of the logs' own rows pass, each held against the others.

Logs that are broad hold most words of their language: in it another subject is hardly distinguished from them,
while another language or noise is. Logs of an app with one job are distinguished from another job's in the same
language too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.routing.features import Hashes, Reading

# Each view's table has 2**bits slots: enough that 20,000 rows of prose fill a fifth of them.
SEEN_BITS: Mapping[str, int] = {"words": 18, "letters": 20}
# How many tokens of the usual kind stand beside each request's own.
USUAL_TOKENS: Mapping[str, int] = {"words": 8, "letters": 32}


def places(hashes: Hashes, view: str) -> NDArray[np.int64]:
    """The slot of each hash: its top bits."""
    return (hashes >> np.uint64(64 - SEEN_BITS[view])).view(np.int64)


def share(unseen: int, tokens: int, view: str, usual: float) -> float:
    """The share of a request's tokens that are unseen, drawn towards the usual one; in [0, 1]."""
    beside = USUAL_TOKENS[view]
    return (unseen + beside * usual) / (tokens + beside)


class Novelty:
    """Served out of a scorer file. Raises KeyError, TypeError or ValueError where the file's parts do not fit.

    arrays: `seen_words` and `seen_letters`, packed bits. header: `usual`, by view, and `limit`, each in [0, 1].
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> None:
        self.limit = float(header["limit"])
        self._usual = {view: float(header["usual"][view]) for view in SEEN_BITS}
        if not all(0.0 <= number <= 1.0 for number in (self.limit, *self._usual.values())):
            raise ValueError("its novelty is outside [0, 1]")
        self._unseen = {view: _unpacked(arrays[f"seen_{view}"], bits) for view, bits in SEEN_BITS.items()}

    def of(self, reading: Reading) -> float:
        """In [0, 1]: 0 all of it is in the logs, 1 nothing. Beyond `limit` it is novel."""
        return (self._share(reading.words, "words") + self._share(reading.letters, "letters")) / 2

    def _share(self, hashes: Hashes, view: str) -> float:
        unseen = int(np.count_nonzero(self._unseen[view][places(hashes, view)]))
        return share(unseen, len(hashes), view, self._usual[view])


def _unpacked(packed: NDArray[Any], bits: int) -> NDArray[np.bool_]:
    """[2**bits]: True where the logs held nothing."""
    if packed.dtype != np.uint8 or packed.shape != (1 << bits >> 3,):
        raise ValueError("its seen words and letters have the wrong sizes")
    return np.asarray(np.unpackbits(packed) == 0)
