"""A verifier trained on cheap answers: what it adds, when it is refused, that its file is served as it was fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cascade_logs import answer, rows, trained
from turnout.errors import ArtifactError, LogError
from turnout.logs.labelled import Logs
from turnout.ports.scoring import Query
from turnout.routing import artifact
from turnout.routing.answer_signs import read_answer
from turnout.routing.artifact import Artifact
from turnout.routing.scorer import FileScorer, load_scorer
from turnout.routing.three_ways import BINS, QUANTILES
from turnout.training.cascade import price_ratio, train_cascade
from turnout.training.cascade_curves import MARGIN, cost_curves, figures_at_97, paired_added, safe_rows
from turnout.training.estimators import fit_view
from turnout.training.verifier_fit import SHARES, UNREAD, learnt_gain

pytestmark = pytest.mark.usefixtures("light")


def test_answers_that_tell_are_worth_more_than_the_question() -> None:
    """The interval of what is added lies above 0, and right and wrong answers are told apart."""
    cascade = trained()
    assert cascade.summary["refused"] == ""
    assert 0 < cascade.summary["paired_low"] < cascade.summary["added"] < cascade.summary["paired_high"]
    verifier = cascade.fitted.scorer.verifier
    assert verifier is not None
    query, threshold = Query.from_text("What is 20 plus 22?"), verifier.threshold_for_quality(0.95)
    gain = cascade.fitted.scorer.score(query).expected_gain
    assert verifier.verify(query, gain, answer(20, 22, right=True), threshold).accepted
    assert not verifier.verify(query, gain, answer(20, 22, right=False), threshold).accepted


def test_the_expensive_answer_that_is_not_read_counts_half() -> None:
    """The mean gain stays; two rows of equal cheap quality differ by half of what their expensive ones do."""
    logs = Logs.from_rows([{**row, "expensive_quality": 0.2 * (at % 2)} for at, row in enumerate(rows(40))])
    learnt = learnt_gain(logs)
    assert learnt.mean() == pytest.approx(logs.gain.mean())
    apart = np.subtract.outer(learnt + logs.cheap, learnt + logs.cheap)
    assert apart == pytest.approx(UNREAD * np.subtract.outer(logs.expensive, logs.expensive))


def test_a_seldom_sign_weighs_as_much_as_a_common_one() -> None:
    """For answers: by ranks alone, what one row in twenty shows is shrunk away beside what half of them show."""
    seldom = (np.arange(200) % 20 == 0).astype(float)[:, None]
    apart = []
    for name in ("ranks", "answer_ranks"):
        view = fit_view(name, seldom, seldom[:, 0], 100.0, 0)
        apart.append(float(np.ptp(view.predict(seldom))))
    assert apart[1] > 2 * apart[0] > 0


def test_answers_that_tell_nothing_are_refused() -> None:
    """The file says so and why; all cheap calls are paid, so nothing gained is money lost."""
    summary = trained(telling=False).summary
    assert summary["paired_low"] <= 0
    assert "all cheap calls paid" in summary["refused"]


def test_the_file_serves_what_was_fitted(tmp_path: Path) -> None:
    """From plain arrays, to rounding; and the same rows give the same file."""
    cascade = trained()
    cascade.fitted.save(tmp_path / "f")
    verifier = load_scorer(tmp_path / "f").verifier
    assert verifier is not None
    logs = cascade.verifier.logs
    assert logs.answers is not None
    views = cascade.verifier.views
    mean, question = float(logs.net_gain.mean()), cascade.verifier.question[0]
    from turnout.training.verifier_fit import _views

    for row in range(0, len(logs), 20):
        reading, told = read_answer(logs.queries[row], logs.answers[row]), float(question[row])
        matrices = _views([reading], np.array([told]))
        predicted = [views[name].predict(matrices[name])[0] - mean for name in views]
        expected = mean + np.dot(SHARES, [*predicted, told - question.mean()])
        assert verifier.raw(reading, told) == pytest.approx(expected, abs=1e-6)
    again = train_cascade(Logs.from_rows(rows(), answers=True), cheap_model="openai/small")
    assert again.fitted.artifact.version == cascade.fitted.artifact.version


def test_a_file_without_a_verifier_still_loads(tmp_path: Path) -> None:
    """As every file did that was written before there was one."""
    whole = trained().fitted.artifact
    plain = Artifact(
        header={key: value for key, value in whole.header.items() if key != "cascade"},
        arrays={name: array for name, array in whole.arrays.items() if not name.startswith("cascade_")},
    )
    artifact.save(plain, tmp_path / "old")
    assert load_scorer(tmp_path / "old").verifier is None


def broken(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Artifact:
    whole = trained().fitted.artifact
    header, arrays = dict(whole.header), dict(whole.arrays)
    header["cascade"] = dict(header["cascade"])
    change(header["cascade"], arrays)
    return Artifact(header=header, arrays=arrays)


@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header.update(signs=99),
        lambda header, arrays: header.update(price_ratio=0.5),
        lambda header, arrays: header.update(refused=1),
        lambda header, arrays: header.update(intercept="1"),
        lambda header, arrays: header.update(keep_quality=[]),
        lambda header, arrays: header.pop("trees"),
        lambda header, arrays: header.update(trees=3),
        lambda header, arrays: arrays.pop("cascade_words"),
        lambda header, arrays: arrays.update(cascade_words=np.zeros(3)),
        lambda header, arrays: arrays.update(cascade_gains=np.zeros((2, 2))),
        lambda header, arrays: arrays.update(cascade_knots=np.zeros((3, 16))),
        lambda header, arrays: arrays.update(
            cascade_tree_children=np.full_like(arrays["cascade_tree_children"], 10**6)
        ),
        lambda header, arrays: arrays.update(cascade_ranks=arrays["cascade_ranks"][::-1].copy()),
    ],
)
def test_a_damaged_verifier_is_refused(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> None:
    """A file is untrusted: whatever does not fit together ends with the error that says so."""
    with pytest.raises(ArtifactError):
        FileScorer(broken(change))


def test_too_few_answers_say_what_writes_them() -> None:
    """Rows without an answer are no rows of a cascade."""
    without = [{**row, "cheap_answer": ""} for row in rows(80)]
    with pytest.raises(LogError, match=r"cheap_answer.*turnout label"):
        train_cascade(Logs.from_rows(without, answers=True))


def test_prices_come_of_the_costs_then_of_what_is_told() -> None:
    """The default is gpt-4o to gpt-4o-mini."""
    plain = Logs.from_rows(rows(20))
    assert price_ratio(plain, None) == 16.7
    assert price_ratio(plain, 5.0) == 5.0
    count = len(plain)
    costly = replace(plain, cheap_usd=np.full(count, 0.1), expensive_usd=np.full(count, 1.0))
    assert price_ratio(costly, 5.0) == pytest.approx(10.0)


def test_every_cheap_call_is_paid() -> None:
    """Half of the calls expensive cost the other half by the question, and half and all cheap ones with a cascade."""
    cheap, expensive = np.repeat([0.0, 1.0], 50), np.ones(100)
    score = 1.0 - cheap
    assert figures_at_97(score, cheap, expensive, 10.0, cascade=True)["cost_at_97"] == pytest.approx(0.47 + 0.1)
    assert figures_at_97(score, cheap, expensive, 10.0, cascade=False)["cost_at_97"] == pytest.approx(0.47 + 0.053)


def test_at_low_prices_the_same_verifier_adds_nothing() -> None:
    """What is added falls with the price ratio: at 1.2 the cheap call costs more than it saves."""
    chance = np.random.default_rng(1)
    cheap, expensive = (chance.random(400) < 0.5).astype(float), np.ones(400)
    question, verified = [chance.random(400)], [1.0 - cheap + 0.6 * chance.random(400)]
    dear, near = (paired_added(question, verified, cheap, expensive, ratio=ratio) for ratio in (16.7, 1.2))
    assert dear["paired_low"] > 0 > near["paired_low"]
    level = paired_added(question, verified, expensive, cheap, ratio=16.7)
    assert level["added"] is None
    assert "gap" in level["reason"]


def test_three_ways_cost_no_more_than_reading_each_answer() -> None:
    """From all cheap to all expensive; easy questions are not read, and hopeless ones are asked nowhere twice."""
    chance = np.random.default_rng(6)
    question = np.sort(chance.random(800))
    # The cheap tier answers the easy quarter rightly, the hard quarter wrongly, of the others two in three.
    cheap = np.where(question < 0.25, 1.0, np.where(question > 0.75, 0.0, chance.random(800) < 0.67)).astype(float)
    said = np.clip(1.0 - cheap + chance.normal(0.0, 0.05, 800), 0.0, 1.0)
    bins = np.minimum((question * BINS).astype(int), BINS - 1)
    gains = np.stack([np.quantile(said[bins == at], np.linspace(0, 1, QUANTILES)) for at in range(BINS)])
    curves = cost_curves(question, said, gains, cheap, np.ones(800), 10.0)
    for name, last in (("question", 1.0), ("cascade", 1.1), ("both", 1.0)):
        assert curves[name][0] == pytest.approx((0.1, cheap.mean()))
        assert curves[name][-1] == pytest.approx((last, 1.0))
    at_full = {name: min(cost for cost, quality in curves[name] if quality > 0.999) for name in curves}
    assert at_full["both"] < at_full["cascade"] - 0.02 < at_full["question"] - 0.1


def test_a_threshold_stands_a_margin_above_what_is_asked() -> None:
    """So that rows yet to come keep it too; the naive one keeps it on the rows that chose it alone."""
    chance = np.random.default_rng(2)
    cheap, expensive = (chance.random(300) < 0.6).astype(float), (chance.random(300) < 0.9).astype(float)
    predicted = expensive - cheap + chance.normal(0.0, 0.7, 300)
    ((_, taken),) = safe_rows(predicted[None, :], cheap, expensive, [0.95])
    order = np.argsort(-predicted, kind="stable")
    kept = (np.where(np.isin(np.arange(300), order[:taken]), expensive, cheap).sum()) / expensive.sum()
    assert MARGIN > 0
    assert kept > 0.96
    assert safe_rows(predicted[None, :], cheap, expensive, [0.0])[0][1] == 0
