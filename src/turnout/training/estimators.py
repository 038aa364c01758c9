"""One estimator of the gain for each view, and the trees as a scorer file holds them. scikit-learn lives here.

ranks       ridge on where each number stands among the training rows, in sixteenths: no number is an outlier
words, letters, tagged_words   ridge on hashed counts, each slot weighed by how rare it is
answer_ranks   the same, each number's ranks on one scale: what is seldom so tells as much as what varies in every row
trees, tagged_trees   extremely randomised shallow trees
meaning     ridge on the mean vectors, kept as one weight a token
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.linear_model import Ridge
from sklearn.tree import ExtraTreeRegressor

from turnout.routing.features import Floats
from turnout.routing.view_scale import KNOTS
from turnout.training.tag_means import tag_means
from turnout.training.views import MeaningView

# Tried for each view, the best out of fold kept. A view that knows nothing is shrunk away by the blend.
PENALTIES = {
    "ranks": (30.0, 100.0, 300.0, 1000.0),
    "words": (10.0, 40.0, 150.0, 600.0),
    "letters": (10.0, 40.0, 150.0, 600.0),
    # Rows in a leaf, at least.
    "trees": (10.0, 25.0),
    "tagged_trees": (10.0, 25.0),
    "tagged_words": (10.0, 40.0, 150.0, 600.0),
    "meaning": (3.0, 10.0, 30.0, 100.0),
}
# Two views of 64 trees of depth 7 cost 30 microseconds to serve; three times as many gained less than .002 APGR.
TREES = 64
# Up to so many rows each one counts: solved to rounding. By the products of all rows it takes six times as long.
EXACT_ROWS = 2_000
TOLERANCE, EXACT_TOLERANCE = 1e-3, 1e-6
DEPTH = 7
# An answer has more signs than a question, few of them strong: more trees, each split on fewer signs.
ANSWER_TREES, ANSWER_DEPTH, ANSWER_FEATURES = 96, 8, 0.15
# A number that is the same in nearly all rows tells chance alone.
LEAST_SPREAD = 0.05
# Ranks that spread less are not widened further.
LEAST_SCALE = 0.1


@dataclass(frozen=True)
class Linear:
    """A fitted linear view, on the view's own scale."""

    weights: Floats
    intercept: float

    def predict(self, view: Any) -> Floats:
        return np.asarray(view @ self.weights + self.intercept, dtype=np.float64)


@dataclass(frozen=True)
class RankLinear:
    """A fitted view of ranks. knots: [names, KNOTS]; weights: of each number's rank, [names]."""

    knots: Floats
    weights: Floats
    middle: Floats
    intercept: float

    def predict(self, view: Any) -> Floats:
        return np.asarray((ranks_of(view, self.knots) - self.middle) @ self.weights + self.intercept)


@dataclass(frozen=True)
class Forest:
    """Fitted trees; means: of the tags, where they are asked for."""

    trees: Sequence[ExtraTreeRegressor]
    means: Mapping[str, float] | None = None

    def predict(self, view: Any) -> Floats:
        rows = _tree_rows(view if self.means is None else view.with_means(self.means))
        total = np.zeros(len(rows))
        for tree in self.trees:
            total += tree.predict(rows, check_input=False)
        return total / len(self.trees)

    @property
    def depth(self) -> int:
        return max(int(each.tree_.max_depth) for each in self.trees)


View = Linear | RankLinear | Forest


def ranks_of(numbers: Floats, knots: Floats) -> Floats:
    """Where each number stands among the knots, [rows, names], in [0, 1]."""
    return np.asarray((numbers[:, :, None] > knots).mean(axis=2), dtype=np.float64)


def flattened(forests: Sequence[tuple[Forest, float]]) -> dict[str, NDArray[Any]]:
    """All trees as one list of nodes; a leaf leads to itself. Beside each forest what its values are worth."""
    # There may be no forest.
    features, cuts, lefts, rights, values = ([np.zeros(0)] for _ in range(5))
    roots, start = [], 0
    for forest, share in forests:
        for each in forest.trees:
            tree = each.tree_
            itself = np.arange(tree.node_count)
            leaf = tree.children_left < 0
            features.append(np.where(leaf, 0, tree.feature))
            cuts.append(np.where(leaf, 0.0, tree.threshold))
            lefts.append(start + np.where(leaf, itself, tree.children_left))
            rights.append(start + np.where(leaf, itself, tree.children_right))
            values.append(tree.value[:, 0, 0] * share / len(forest.trees))
            roots.append(start)
            start += tree.node_count
    return {
        "tree_features": np.concatenate(features).astype(np.int32),
        "tree_cuts": np.concatenate(cuts),
        "tree_children": np.stack((np.concatenate(lefts), np.concatenate(rights)), axis=1).astype(np.int32),
        "tree_values": np.concatenate(values),
        "tree_roots": np.array(roots, dtype=np.int32),
    }


def fit_view(name: str, view: Any, target: Floats, penalty: float, seed: int) -> View:
    """One estimator on one view. Deterministic."""
    if name == "answer_trees":
        shape = {"max_depth": ANSWER_DEPTH, "min_samples_leaf": int(penalty), "max_features": ANSWER_FEATURES}
        return Forest(_grown(ANSWER_TREES, view, target, seed, **shape))
    if name in ("trees", "tagged_trees"):
        means = tag_means(target, list(view.tags)) if name == "tagged_trees" else None
        numbers = view if means is None else view.with_means(means)
        shape = {"max_depth": DEPTH, "min_samples_leaf": int(penalty), "max_features": 0.3}
        return Forest(_grown(TREES, numbers, target, seed, **shape), means)
    if name in ("ranks", "answer_ranks"):
        return _ranked(view, target, penalty, on_one_scale=name == "answer_ranks")
    if name == "meaning":
        return _of_meaning(view, target, penalty)
    rarity = np.log((1.0 + view.shape[0]) / (1.0 + np.bincount(view.indices, minlength=view.shape[1]))) + 1.0
    tolerance = EXACT_TOLERANCE if view.shape[0] <= EXACT_ROWS else TOLERANCE
    model = Ridge(alpha=penalty, solver="sparse_cg", tol=tolerance, fit_intercept=False)
    model.fit(view.multiply(rarity).tocsr(), target - target.mean())
    return Linear(np.asarray(model.coef_, dtype=np.float64) * rarity, float(target.mean()))


def _grown(count: int, numbers: Any, target: Floats, seed: int, **shape: float) -> list[ExtraTreeRegressor]:
    """The trees of ExtraTreesRegressor, to the same bits: on fifty rows its copies and checks of each tree cost more
    than growing it."""
    rows, chance = _tree_rows(numbers), np.random.RandomState(seed)
    with config_context(skip_parameter_validation=True):
        return [
            ExtraTreeRegressor(random_state=chance.randint(np.iinfo(np.int32).max), **shape).fit(
                rows, target, check_input=False
            )
            for _ in range(count)
        ]


def _tree_rows(numbers: Any) -> Any:
    """As a tree reads them."""
    return np.ascontiguousarray(numbers, dtype=np.float32)


def _ranked(numbers: Floats, target: Floats, penalty: float, *, on_one_scale: bool) -> RankLinear:
    knots = np.quantile(numbers, (np.arange(KNOTS) + 0.5) / KNOTS, axis=0, method="lower").T
    ranks = ranks_of(numbers, knots)
    spread = ranks.std(axis=0)
    kept = spread > LEAST_SPREAD
    scale = np.maximum(spread[kept], LEAST_SCALE) if on_one_scale else 1.0
    weights = np.zeros(len(knots))
    if kept.any():
        weights[kept] = Ridge(alpha=penalty).fit(ranks[:, kept] / scale, target).coef_ / scale
    return RankLinear(knots, weights, ranks.mean(axis=0), float(target.mean()))


def _of_meaning(view: MeaningView, target: Floats, penalty: float) -> Linear:
    """The penalty holds for rows of length 1 about their middle, however long the embedding's vectors are."""
    middle = view.vectors.mean(axis=0)
    rows = view.vectors - middle
    length = max(float(np.sqrt((rows**2).sum(axis=1).mean())), 1e-12)
    along = np.asarray(Ridge(alpha=penalty).fit(rows / length, target).coef_, dtype=np.float64) / length
    return Linear((view.embedding.vectors - middle) @ along, float(target.mean()))
