"""The estimators of the views."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from turnout.training.estimators import DEPTH, TREES, Forest, fit_view


def test_the_trees_are_scikit_learns_forest() -> None:
    """Grown one by one, without the forest's own checks: the same trees, to the same bits."""
    chance = np.random.default_rng(1)
    numbers, gain = chance.random((60, 20)), chance.random(60)
    ours = fit_view("trees", numbers, gain, 10.0, seed=3)
    theirs = ExtraTreesRegressor(TREES, max_depth=DEPTH, min_samples_leaf=10, max_features=0.3, random_state=3)
    theirs.fit(numbers, gain)
    assert isinstance(ours, Forest)
    assert np.ptp(ours.predict(numbers)) > 0.01
    np.testing.assert_array_equal(ours.predict(numbers), theirs.predict(numbers))
