"""The views of requests that a scorer is fitted on, as matrices of one row a request.

ranks, trees    the numbers that were read of it
words, letters  hashed counts
tagged_trees    the numbers, and the tag: what a sign means may hang on the endpoint
tagged_words    hashed counts of words under their tag: what a word means may hang on it too
meaning         the mean vector of a static embedding, where there is one
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from turnout.routing.features import Floats, Reading
from turnout.routing.view_scale import HASHED_BITS, scale, slots
from turnout.training.embedding import Embedding


@dataclass(frozen=True)
class Tagged:
    """Numbers, and whose request each row is."""

    numbers: Floats
    tags: NDArray[Any]

    def __getitem__(self, rows: Any) -> Tagged:
        return Tagged(self.numbers[rows], self.tags[rows])

    def with_means(self, means: Mapping[str, float]) -> Floats:
        """[rows, names + 1]: the tag's mean is the last number."""
        return np.column_stack((self.numbers, [means.get(tag, 0.0) for tag in self.tags])).astype(np.float32)


@dataclass(frozen=True)
class MeaningView:
    """Texts by their tokens. means: each row's tokens, their shares adding up to 1, [rows, tokens]; vectors: the mean
    vector of each row, [rows, dimensions]."""

    means: csr_matrix
    vectors: Floats
    embedding: Embedding

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions."""
        rows, dimensions = self.vectors.shape
        return rows, dimensions

    def __getitem__(self, rows: Any) -> MeaningView:
        return MeaningView(self.means[rows], self.vectors[rows], self.embedding)

    def __matmul__(self, weights: Floats) -> Floats:
        """[rows]: the mean of the tokens' weights."""
        return np.asarray(self.means @ weights, dtype=np.float64)


def views_of(readings: Sequence[Reading], embedding: Embedding | None = None) -> dict[str, Any]:
    """One matrix of as many rows for each view; those of the hashes are sparse. Without an embedding, no meaning;
    where all rows have one tag, no tagged words: they would be the words again."""
    structure = np.stack([reading.structure for reading in readings])
    tags = np.array([reading.tag for reading in readings], dtype=object)
    views: dict[str, Any] = {
        "ranks": structure,
        "words": hashed([reading.words for reading in readings]),
        "letters": hashed([reading.letters for reading in readings]),
        "trees": structure.astype(np.float32),
        "tagged_trees": Tagged(structure, tags),
    }
    if len(set(tags)) > 1:
        views["tagged_words"] = hashed([reading.tagged_words for reading in readings])
    if embedding is not None:
        views["meaning"] = _meaning_view([embedding.vocabulary.read(reading.data) for reading in readings], embedding)
    return views


def _meaning_view(rows: Sequence[Sequence[int]], embedding: Embedding) -> MeaningView:
    lengths = np.array([len(row) for row in rows])
    values = np.repeat(1.0 / np.maximum(lengths, 1), lengths)
    columns = np.fromiter(chain.from_iterable(rows), np.intp)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    means = csr_matrix((values, columns, bounds), shape=(len(rows), len(embedding.tokens)))
    means.sum_duplicates()
    return MeaningView(means, np.asarray(means @ embedding.vectors), embedding)


def hashed(rows: Sequence[NDArray[np.uint64]], weights: Sequence[Floats] | None = None) -> csr_matrix:
    """[rows, slots]: the counts of each row's hashes, a long row's scaled down. weights: what each hash counts for."""
    lengths = [len(row) for row in rows]
    columns = np.concatenate([slots(row) for row in rows])
    values = np.repeat([scale(length) for length in lengths], lengths)
    if weights is not None:
        values = values * np.concatenate(weights)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    matrix = csr_matrix((values, columns, bounds), shape=(len(rows), 1 << HASHED_BITS))
    matrix.sum_duplicates()
    return matrix
