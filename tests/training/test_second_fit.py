"""Training on pairs of cheap answers: what agreement adds, when it is left out, and that the file serves it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cascade_logs import trained_on_pairs
from turnout.errors import ArtifactError
from turnout.ports.scoring import Query
from turnout.routing.artifact import Artifact
from turnout.routing.scorer import FileScorer, load_scorer
from turnout.routing.second_opinion import agrees
from turnout.training.second_fit import FittedSecond, fit_second

QUERY = Query.from_text("What is 20 plus 22?")


def test_agreement_tells_what_one_answer_does_not() -> None:
    """Of answers that look alike, right or wrong, only a second one tells them apart."""
    second = trained_on_pairs().summary["second"]
    assert second["rows"] == 120
    assert second["apgr"] > second["apgr_first_alone"]


def test_the_file_serves_it_on_the_verifier_s_own_scale(tmp_path: Path) -> None:
    """Doubtful where they differ, trusted where they agree, and worth asking for at a threshold between."""
    trained_on_pairs().fitted.save(tmp_path / "f")
    scorer = load_scorer(tmp_path / "f")
    opinion, verifier = scorer.second_opinion, scorer.verifier
    assert opinion is not None
    assert verifier is not None
    gain, threshold = scorer.score(QUERY).expected_gain, verifier.threshold_for_quality(0.9)
    same = opinion.verify(QUERY, gain, "The answer is 42", "It comes to 42", threshold)
    other = opinion.verify(QUERY, gain, "The answer is 42", "The answer is 57", threshold)
    assert (same.second_agrees, other.second_agrees) == (True, False)
    assert same.score < other.score
    assert other.expected_gain - same.expected_gain > 0.5
    assert verifier.score_at(verifier.gain_at(0.4)) == pytest.approx(0.4, abs=0.01)
    assert opinion.pays(0.5, verifier.score_at(0.3))


def test_pairs_that_tell_nothing_are_left_out() -> None:
    """So is what too few rows hold; the reason stands in the summary."""
    fitted, chance = trained_on_pairs().verifier, random.Random(2)
    answers = fitted.logs.answers
    assert answers is not None
    for seconds, why in (
        ([text if chance.random() < 0.5 else "The answer is 1" for text in answers], "not sure"),
        ([text if at < 5 else "" for at, text in enumerate(answers)], "5 rows hold a second_answer"),
        (answers, "the same in all rows"),
    ):
        refused = fit_second(replace(fitted, logs=replace(fitted.logs, second_answers=seconds)), 1.0, 0.0, 16.7)
        assert isinstance(refused, str)
        assert why in refused


def test_where_the_verifier_misleads_agreement_alone_tells_without_bias() -> None:
    """A verifier that says the contrary is left out, and what is said of either kind of pair is its mean gain."""
    fitted = trained_on_pairs().verifier
    second = fit_second(replace(fitted, predicted=fitted.predicted - 3 * fitted.logs.gain), 1.0, 0.0, 16.7)
    assert isinstance(second, FittedSecond)
    assert second.header["slope"] == 0
    answers, others = fitted.logs.answers, fitted.logs.second_answers
    assert answers is not None
    assert others is not None
    same = np.array([agrees(one, two) for one, two in zip(answers, others, strict=True)])
    for kind, said in (
        (~same, second.header["intercept"]),
        (same, sum(second.header[n] for n in ("intercept", "agreement"))),
    ):
        assert said == pytest.approx(fitted.logs.gain[kind].mean())


@pytest.mark.parametrize("change", [{"cascade_second_gains": np.zeros((2, 2))}, {"cascade_second_gains": None}])
def test_a_damaged_file_is_refused(change: dict[str, Any]) -> None:
    """Numbers that do not fit together serve nobody."""
    artifact = trained_on_pairs().fitted.artifact
    arrays = {name: array for name, array in {**artifact.arrays, **change}.items() if array is not None}
    with pytest.raises(ArtifactError, match="second opinion"):
        FileScorer(Artifact(header=artifact.header, arrays=arrays))
    header = {**artifact.header, "cascade": {**artifact.header["cascade"], "second": {"slope": "x"}}}
    with pytest.raises(ArtifactError):
        FileScorer(replace(artifact, header=header))
