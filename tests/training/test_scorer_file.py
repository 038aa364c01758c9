"""From fitted views to a file: the thresholds, the calibration, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.routing.test_scorer import logs, trained
from tests.support.light_training import TREES
from turnout.ports.scoring import Score
from turnout.routing.artifact import Artifact
from turnout.routing.features import Floats, read_features
from turnout.routing.scorer import FileScorer
from turnout.training.estimators import Forest
from turnout.training.novelty_limit import seen_of
from turnout.training.scorer_file import artifact_of, keep_table
from turnout.training.views import views_of


def made(shares: Floats | None = None, repeats: Floats | None = None) -> Artifact:
    """The file of the fitted views, at other shares or by other out-of-fold predictions."""
    fitted = trained()
    seen = seen_of([read_features(query) for query in fitted.logs.queries[:20]])
    shares, repeats = (
        own if other is None else other for own, other in ((fitted.shares, shares), (fitted.predicted, repeats))
    )
    return artifact_of(fitted.views, shares, repeats, fitted.logs, seen, {})


def scores_of(file: Artifact) -> Sequence[Score]:
    """Of requests never seen, the lowest score first."""
    return sorted((FileScorer(file).score(query) for query in logs(60, seed=9).queries), key=lambda each: each.score)


@pytest.mark.parametrize("target", [0.7, 0.8, 0.9, 0.95, 0.99])
def test_a_threshold_is_that_of_the_smallest_share_which_keeps_the_quality(target: float) -> None:
    """By the out-of-fold predictions of the logs' own rows: with the lowest one fewer, less would be kept."""
    fitted = trained()
    cheap, dear = (np.tile(quality, len(fitted.predicted)) for quality in (fitted.logs.cheap, fitted.logs.expensive))
    rank = np.array([fitted.scorer.rank(raw) for raw in fitted.predicted.ravel()])
    sent = rank >= fitted.scorer.threshold_for_quality(target)
    assert 0.1 < sent.mean() < 0.9
    assert np.where(sent, dear, cheap).sum() >= target * dear.sum() - 1e-9
    fewer = sent & (rank > rank[sent].min())
    assert np.where(fewer, dear, cheap).sum() < target * dear.sum()


def test_a_wish_between_two_that_the_file_holds_is_kept_too() -> None:
    """By the next one above."""
    scorer = trained().scorer
    assert scorer.threshold_for_quality(0.9001) == scorer.threshold_for_quality(0.905)
    assert scorer.threshold_for_quality(0.9001) < scorer.threshold_for_quality(0.9)


@pytest.mark.parametrize("target", [0.01, 0.2, 0.45])
def test_a_wish_for_little_quality_is_kept_by_as_little(target: float) -> None:
    """Where the cheap tier is always wrong, just that share of the rows."""
    rows = np.arange(1000.0)
    arrays = {"ranks": rows, "levels": (rows + 0.5) / 1000}
    table = dict(keep_table(rows, arrays, np.zeros(1000), np.ones(1000)))
    assert np.mean(arrays["levels"] >= table[target]) == target


def test_the_told_gains_are_those_that_came_true() -> None:
    """On the rows put aside: on average, and along the scores, by a straight line."""
    fitted = trained()
    gains, came = fitted.calibrated(fitted.predicted.ravel()), np.tile(fitted.logs.gain, len(fitted.predicted))
    assert gains.mean() == pytest.approx(came.mean(), abs=0.01)
    assert np.cov(gains, came)[0, 1] == pytest.approx(gains.var(), rel=0.05)


def test_no_expected_gain_falls_as_the_score_rises() -> None:
    """Nor where those who scored higher out of fold gained less: then the mean is told of all."""
    known = [each.expected_gain for each in scores_of(made())]
    assert known == sorted(known)
    assert known[-1] > known[0] + 0.3
    mean = float(trained().logs.gain.mean())
    wrong = scores_of(made(repeats=2 * mean - trained().predicted))
    assert wrong[-1].score > wrong[0].score + 0.3
    assert [each.expected_gain for each in wrong] == pytest.approx([mean] * 60)


def test_a_view_that_the_blend_gives_nothing_is_not_served() -> None:
    """It takes no room in the file and no time, and tells nothing: one of them, or all trees, or all but the ranks."""
    fitted, queries = trained(), logs(20, seed=8).queries
    readings, names = [read_features(query) for query in queries], list(fitted.views)
    views, mean = views_of(readings), float(fitted.logs.gain.mean())
    forests = {name for name, view in fitted.views.items() if isinstance(view, Forest)}
    assert len(forests) == 2
    for none in (set(), {"words"}, {"tagged_words", "letters"}, {"trees"}, forests, set(names) - {"ranks"}):
        file = made(np.array([float(name not in none) for name in names] + [0.0]))
        assert set(file.header["served"]) == {"words", "letters", "tagged_words"} - none
        assert not none & set(file.arrays)
        assert file.header["trees"] == TREES * len(forests - none)
        actual = mean + sum(fitted.views[name].predict(views[name]) - mean for name in names if name not in none)
        assert [FileScorer(file).raw(reading) for reading in readings] == pytest.approx(actual, abs=1e-9)
