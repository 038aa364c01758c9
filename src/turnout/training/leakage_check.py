"""Were these rows trained on? A scorer asked about its own training logs has memorised some of the answers.

A scorer file keeps the smallest 64-bit hashes of its texts, at most KEPT: a sample that any logs can be held against
(the k-minimum-values sketch of K. Beyer et al., SIGMOD 2007). Of the texts asked that would have been in the sample,
those that are in it tell the share of all; exact where no more texts than KEPT were trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from turnout.openai.messages import last_user_text
from turnout.ports.scoring import Query

Sample = NDArray[np.uint64]

# 8 KiB of a scorer file; a share of one half is estimated within .03.
KEPT = 1024


def sample_of(queries: Sequence[Query]) -> Sample:
    """The smallest hashes of the texts, ascending and distinct, [at most KEPT]."""
    smallest: Sample = np.unique(_hashes(queries))[:KEPT]
    return smallest


def share_known(queries: Sequence[Query], sample: Sample) -> float | None:
    """The share of these rows whose text was trained on, in [0, 1]; None where too few can be asked to tell."""
    if not len(sample):
        return None
    hashes = _hashes(queries)
    sampled = hashes[hashes <= sample[-1]] if len(sample) == KEPT else hashes
    return float(np.isin(sampled, sample).mean()) if len(sampled) else None


def _hashes(queries: Sequence[Query]) -> Sample:
    texts = (last_user_text(query.messages).encode("utf-8", "replace") for query in queries)
    return np.array([int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) for text in texts], np.uint64)
