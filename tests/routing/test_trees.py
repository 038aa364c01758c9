"""Trees served from plain arrays: what they say of a request, and which of its numbers made them say it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.routing.test_scorer import trained
from turnout.ports.scoring import Query
from turnout.routing.features import NAMES, read_features
from turnout.routing.trees import MOST_NODES, Trees

TAG = len(NAMES)


def two() -> Trees:
    """number 3 > 1, then number 5 > 2 to the right; and one tree that asks for the tag's mean."""
    return Trees(
        {
            "tree_features": np.array([3, 0, 5, 0, 0, TAG, 0, 0]),
            "tree_cuts": np.array([1.0, 0, 2.0, 0, 0, 0.5, 0, 0]),
            "tree_children": np.array([[1, 2], [1, 1], [3, 4], [3, 3], [4, 4], [6, 7], [6, 6], [7, 7]]),
            "tree_values": np.array([0.10, 0.02, 0.30, 0.25, 0.60, 0.0, -0.4, 0.7]),
            "tree_roots": np.array([0, 5]),
        },
        2,
        2,
    )


def test_each_step_is_of_the_number_that_was_asked_for() -> None:
    """By hand, to the left and to the right; a number that no path asks for adds nothing."""
    numbers = np.zeros(TAG)
    parts = two().parts(numbers, 0.0)
    assert {at: parts[at] for at in np.flatnonzero(parts)} == pytest.approx({3: 0.02 - 0.10, TAG: -0.4})
    numbers[3], numbers[5] = 1.5, 2.5
    parts = two().parts(numbers, 0.9)
    assert {at: parts[at] for at in np.flatnonzero(parts)} == pytest.approx({3: 0.20, 5: 0.30, TAG: 0.7})


def test_the_parts_are_the_gain_beyond_the_middle() -> None:
    """Of the trees by hand, and of trained ones on any request."""
    numbers = np.full(TAG, 1.7)
    assert two().parts(numbers, 0.2).sum() == pytest.approx(two().gain(numbers, 0.2) - two().middle)
    trees = trained().scorer._trees
    actual = [
        read_features(Query.from_text("Please add " + " and ".join(map(str, range(count))))) for count in range(12)
    ]
    gains = [trees.gain(each.structure, 0.1) for each in actual]
    assert np.ptp(gains) > 0
    assert gains == pytest.approx([trees.middle + trees.parts(each.structure, 0.1).sum() for each in actual])


@pytest.mark.parametrize(("nodes", "sound"), [(MOST_NODES, True), (MOST_NODES + 1, False)])
def test_no_file_makes_a_request_ask_more_nodes_than_training_makes(nodes: int, sound: bool) -> None:
    """Whoever wrote the file."""
    itself = np.arange(nodes)
    trees = {
        "tree_features": np.zeros(nodes, int),
        "tree_cuts": np.zeros(nodes),
        "tree_children": np.stack((itself, itself), axis=1),
        "tree_values": np.zeros(nodes),
        "tree_roots": np.zeros(1, int),
    }
    assert Trees(trees, 1, 1).sound is sound
