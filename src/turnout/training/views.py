"""The views of a request that a scorer is fitted on, and one estimator for each. scikit-learn lives here.

structure   ridge on the standardised numbers
trees       extremely randomised shallow trees on the same numbers
words, word_pairs, letters   ridge on hashed counts, each slot weighed by how rare it is
tag         the tag's mean, shrunk towards the mean of all by how little its rows tell (empirical Bayes)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from turnout.routing.features import Floats, Reading
from turnout.routing.scorer import BITS, HASHED_VIEWS, scale, slots

Rows = NDArray[np.intp]

# Tried for each view, the best out of fold kept. A view that knows nothing is shrunk away by the blend.
PENALTIES = {
    "structure": (30.0, 300.0, 3000.0, 10000.0),
    "words": (10.0, 40.0, 150.0, 600.0),
    "word_pairs": (10.0, 40.0, 150.0, 600.0),
    "letters": (10.0, 40.0, 150.0, 600.0),
    # Rows in a leaf, at least.
    "trees": (10.0, 25.0),
}
TEXT_VIEWS = tuple(PENALTIES)
# 64 trees of depth 7 cost 20 microseconds to serve; twice as many gained less than .002 APGR.
TREES = 64
DUAL_ROWS = 2_000
DEPTH = 7


@dataclass(frozen=True)
class Linear:
    """A fitted linear view, on the view's own scale."""

    weights: Floats
    intercept: float

    def predict(self, view: Any) -> Floats:
        return np.asarray(view @ self.weights + self.intercept, dtype=np.float64)


@dataclass(frozen=True)
class Forest:
    """Fitted trees."""

    estimator: Any

    def predict(self, view: Any) -> Floats:
        return np.asarray(self.estimator.predict(view), dtype=np.float64)

    def flat(self, share: float) -> dict[str, NDArray[Any]]:
        """All trees as one list of nodes; a leaf leads to itself. share: what a leaf's value is multiplied by."""
        features, cuts, lefts, rights, values, roots = [], [], [], [], [], []
        start = 0
        for each in self.estimator.estimators_:
            tree = each.tree_
            count = tree.node_count
            itself = np.arange(count)
            leaf = tree.children_left < 0
            features.append(np.where(leaf, 0, tree.feature))
            cuts.append(np.where(leaf, 0.0, tree.threshold))
            lefts.append(start + np.where(leaf, itself, tree.children_left))
            rights.append(start + np.where(leaf, itself, tree.children_right))
            values.append(tree.value[:, 0, 0] * share / len(self.estimator.estimators_))
            roots.append(start)
            start += count
        return {
            "tree_features": np.concatenate(features).astype(np.int32),
            "tree_cuts": np.concatenate(cuts),
            "tree_children": np.stack((np.concatenate(lefts), np.concatenate(rights)), axis=1).astype(np.int32),
            "tree_values": np.concatenate(values),
            "tree_roots": np.array(roots, dtype=np.int32),
        }

    @property
    def depth(self) -> int:
        return max(int(each.tree_.max_depth) for each in self.estimator.estimators_)


def views_of(readings: Sequence[Reading]) -> dict[str, Any]:
    """One matrix of as many rows for each view; those of the hashes are sparse."""
    structure = np.stack([reading.structure for reading in readings])
    views: dict[str, Any] = {"structure": structure, "trees": structure.astype(np.float32)}
    for name in HASHED_VIEWS:
        views[name] = _hashed([getattr(reading, name) for reading in readings])
    return {name: views[name] for name in TEXT_VIEWS}


def _hashed(rows: Sequence[NDArray[np.uint64]]) -> csr_matrix:
    lengths = [len(row) for row in rows]
    columns = np.concatenate([slots(row) for row in rows])
    values = np.repeat([scale(length) for length in lengths], lengths)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    matrix = csr_matrix((values, columns, bounds), shape=(len(rows), 1 << BITS))
    matrix.sum_duplicates()
    return matrix


def fit_view(name: str, view: Any, target: Floats, penalty: float, seed: int) -> Linear | Forest:
    """One estimator on one view. Deterministic."""
    if name == "trees":
        forest = ExtraTreesRegressor(
            TREES, max_depth=DEPTH, min_samples_leaf=int(penalty), max_features=0.3, random_state=seed
        )
        return Forest(forest.fit(view, target))
    if name == "structure":
        centre, spread = view.mean(axis=0), view.std(axis=0)
        spread[spread < 1e-9] = np.inf
        model = Ridge(alpha=penalty).fit((view - centre) / spread, target)
        weights = np.asarray(model.coef_, dtype=np.float64) / spread
        return Linear(weights, float(model.intercept_ - centre @ weights))
    rarity = np.log((1.0 + view.shape[0]) / (1.0 + np.bincount(view.indices, minlength=view.shape[1]))) + 1.0
    # With few rows exactly, by the products of rows; with many by conjugate gradients.
    solver = "cholesky" if view.shape[0] <= DUAL_ROWS else "sparse_cg"
    model = Ridge(alpha=penalty, solver=solver, tol=1e-3, fit_intercept=False)
    model.fit(view.multiply(rarity).tocsr(), target - target.mean())
    return Linear(np.asarray(model.coef_, dtype=np.float64) * rarity, float(target.mean()))


def tag_means(gain: Floats, tags: Sequence[str]) -> dict[str, float]:
    """Each tag's mean less the mean of all, shrunk: one-way random effects, by moments."""
    by_tag: dict[str, list[float]] = defaultdict(list)
    middle = float(gain.mean())
    for value, tag in zip(gain, tags, strict=True):
        by_tag[tag].append(float(value) - middle)
    told, rows = len(by_tag), len(gain)
    if told < 2 or rows <= told:
        return {}
    counts = np.array([len(values) for values in by_tag.values()], dtype=np.float64)
    means = np.array([np.mean(values) for values in by_tag.values()])
    within = sum(float(np.var(values)) * len(values) for values in by_tag.values()) / (rows - told)
    typical = (rows - float((counts**2).sum()) / rows) / (told - 1)
    between = (float((counts * means**2).sum()) / (told - 1) - within) / typical
    if between <= 0:
        return {}
    shrunk = means * between / (between + within / counts)
    return {tag: float(mean) for tag, mean in zip(by_tag, shrunk, strict=True) if tag}
