"""Rows divided into folds, so that what is trained on is never what is asked. Deterministic."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from turnout.logs.labelled import Logs
from turnout.openai.messages import last_user_text

# A number for each row: the fold that it is in, or the place that it has in the logs.
RowNumbers = NDArray[np.intp]

FOLDS = 5


def divisions(logs: Logs, seed: int, count: int = 1) -> list[RowNumbers]:
    """For each repeat the fold of each row, [n]. The same text is never in two folds: it would be memorised. Where
    there are too few texts for that, rows are divided one by one."""
    distinct, which = np.unique(_hashes(logs), return_inverse=True)
    if len(distinct) < 4 * FOLDS:
        distinct, which = np.arange(len(logs)), np.arange(len(logs))
    rng = np.random.default_rng(seed)
    return [(rng.permutation(len(distinct)) % FOLDS)[which] for _ in range(count)]


def texts_of(logs: Logs) -> RowNumbers:
    """Which text each row holds, [n], numbered as they come. Rows of one text are not independent, so how sure a
    figure is depends on the number of texts."""
    _, first, which = np.unique(_hashes(logs), return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[which], dtype=np.intp)


def _hashes(logs: Logs) -> list[int]:
    return [crc32(last_user_text(query.messages).encode("utf-8", "replace")) for query in logs.queries]
