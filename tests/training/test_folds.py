"""Rows divided into folds: by text, even, and the same again by the same seed."""

from __future__ import annotations

import numpy as np

from turnout.logs.labelled import Logs
from turnout.training import evaluate
from turnout.training.folds import FOLDS, divisions, texts_of


def logs(texts: int, rows: int = 200) -> Logs:
    """Rows that share this many texts."""
    return Logs.from_rows(
        {"prompt": f"text {row % texts}", "cheap_quality": row % 2, "expensive_quality": 1} for row in range(rows)
    )


def test_a_text_is_in_one_fold_and_repeats_differ() -> None:
    """Each division holds every fold, and no text in two; the first is the same whatever follows."""
    actual = divisions(logs(40), seed=3, count=3)
    for fold in actual:
        assert np.bincount(fold).tolist() == [40] * FOLDS
        assert all(len(set(fold[text::40])) == 1 for text in range(40))
    assert len({fold.tobytes() for fold in actual}) == 3
    assert np.array_equal(divisions(logs(40), seed=3)[0], actual[0])
    assert not np.array_equal(divisions(logs(40), seed=4)[0], actual[0])


def test_few_texts_are_divided_by_rows() -> None:
    """Three texts fill no five folds."""
    (fold,) = divisions(logs(3), seed=0)
    assert np.bincount(fold).tolist() == [40] * FOLDS


def test_what_is_asked_is_what_training_leaves_out() -> None:
    """Evaluating divides as training does."""
    (fold,) = divisions(logs(40), seed=7)
    for number, (inside, outside) in enumerate(evaluate.folds(logs(40), 7)):
        assert outside.tolist() == np.flatnonzero(fold == number).tolist()
        assert sorted([*inside, *outside]) == list(range(200))


def test_texts_are_numbered_as_they_come() -> None:
    """Whatever their group."""
    assert texts_of(logs(3, rows=7)).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert texts_of(logs(50, rows=50)).tolist() == list(range(50))
