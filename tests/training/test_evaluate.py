"""The report: the contract's figures, whole and by group, honest where nothing can be said."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from tests.routing.test_router import CATALOG
from tests.routing.test_scorer import logs, trained
from turnout.errors import LogError
from turnout.logs.labelled import Logs
from turnout.ports.scoring import Query, Score
from turnout.routing.router import Router
from turnout.testing import FixedScorer
from turnout.training import evaluate, fit

pytestmark = pytest.mark.usefixtures("light")

KEYS = {
    "rows", "apgr", "cpt50", "cpt80", "auc", "brier", "score_us_p50", "score_us_p99",
    "keep95_expensive_share", "keep95_quality", "keep95_saving",
}  # fmt: skip


def _rows(count: int, **more: object) -> Logs:
    """Half of the rows are hard: the cheap tier fails them."""
    return Logs.from_rows(
        {"prompt": f"hard {n}" if n % 2 else f"easy {n}", "cheap_quality": 1 - n % 2, "expensive_quality": 1, **more}
        for n in range(count)
    )


def test_a_scorer_that_knows_is_worth_all_there_is() -> None:
    """Every figure by hand: half of the calls bring the whole gap."""
    actual = evaluate.with_scorer(
        costly := _rows(200, cheap_usd=0.1, expensive_usd=1), FixedScorer(scores={"hard": 0.9, "easy": 0.1})
    )
    report = evaluate.report(costly, actual)
    assert set(report) >= KEYS
    assert (report["apgr"], report["cpt50"], report["cpt80"]) == pytest.approx((0.75, 0.25, 0.4))
    assert (report["auc"], report["keep95_quality"], report["keep95_threshold_share"]) == (1.0, 1.0, 0.5)
    assert report["keep95_expensive_share"] == pytest.approx(0.45)
    assert report["keep95_saving"] == pytest.approx(0.45)
    assert report["keep95_saving_usd"] == pytest.approx(90)
    assert report["brier"] < 0.05
    assert report["groups"] == {}


def test_novel_rows_are_decided_as_in_service() -> None:
    """By their tag's score, or by the middle: not by a text that is not believed."""
    tags = ("good", "bad", "")
    whole = Logs.from_rows(
        {"prompt": f"{n}", "cheap_quality": 1, "expensive_quality": 1, "group": tags[n % 3]} for n in range(90)
    )
    scores = {"good": 0.1, "bad": 0.8}
    actual = evaluate.with_scorer(whole, FixedScorer(0.9, novel=True, tag_scores=scores))
    assert actual.score.tolist() == [scores.get(tags[n % 3], 0.5) for n in range(90)]
    assert actual.gain == pytest.approx(actual.score - 0.5)
    assert actual.sent.tolist() == [float(score >= 0.5) for score in actual.score]
    report = evaluate.report(whole, actual)
    assert report["novel_share"] == report["groups"]["bad"]["novel_share"] == 1.0
    known = evaluate.with_scorer(whole, FixedScorer(0.9, tag_scores=scores))
    assert set(known.score.tolist()) == {0.9}
    assert evaluate.report(whole, known)["novel_share"] == 0.0


def test_a_file_is_asked_as_in_service() -> None:
    """Its decisions for 95 % of the quality are its router's, row by row: on such traffic and in another language."""
    scorer = trained().scorer
    german = Logs.from_rows(
        {"prompt": f"Schreiben Sie bitte {n} Briefe an das Amt", "cheap_quality": n % 2, "expensive_quality": 1}
        for n in range(40)
    )
    router = Router(catalog=CATALOG, scorer=scorer, target=scorer.threshold_for_quality(0.95))
    for other, novel in ((logs(60, seed=2), 0.05), (german, 1.0)):
        actual = evaluate.with_scorer(other, scorer)
        decided = [router.decide(query) for query in other.queries]
        assert actual.sent.tolist() == [float(each.tier == "expensive") for each in decided]
        assert actual.score.tolist() == [each.score for each in decided]
        assert actual.gain.tolist() == [each.expected_gain for each in decided]
        assert actual.novel.mean() == pytest.approx(novel, abs=0.05)
        assert 0.2 < actual.sent.mean() < 0.8 or novel == 1.0


@pytest.mark.parametrize(("count", "taken"), [(4, 2), (5, 3), (1, 1)])
def test_the_default_scorer_is_asked_at_half_of_the_rows(count: int, taken: int) -> None:
    """Of its own scores, the highest; where the middle ones are equal, with all of those."""
    rows = _rows(count)
    scorer = FixedScorer(scores={f" {n}": n / 10 for n in range(count)})
    assert evaluate.with_scorer(rows, scorer).sent.tolist() == [0.0] * (count - taken) + [1.0] * taken
    assert evaluate.with_scorer(rows, FixedScorer(0.4)).sent.all()


def test_a_scores_time_is_told_by_its_middle_and_by_the_slowest_in_a_hundred() -> None:
    """In microseconds, as they were measured."""

    class Slow(FixedScorer):
        def score(self, query: Query) -> Score:
            began = time.perf_counter()
            while time.perf_counter() < began + 1e-4:
                pass
            return super().score(query)

    rows, began = _rows(201), time.perf_counter()
    scored = evaluate.with_scorer(rows, Slow(scores={"hard": 0.9, "easy": 0.1}))
    assert scored.took_us.min() >= 100
    assert scored.took_us.sum() <= 1e6 * (time.perf_counter() - began)
    actual = evaluate.report(rows, replace(scored, took_us=np.arange(201.0)))
    assert (actual["score_us_p50"], actual["score_us_p99"]) == (100.0, 198.0)


def test_groups_have_the_same_figures_and_reasons_of_their_own() -> None:
    """A group without a gap tells null and why; the others are as they would be alone."""
    rows = [
        {"prompt": f"{'hard' if n % 2 else 'easy'} {n}", "cheap_quality": 1 - n % 2, "expensive_quality": 1, "group": g}
        for n in range(60)
        for g in ("a", "b")
    ]
    rows += [{"prompt": f"hard {n}", "cheap_quality": 1, "expensive_quality": 0.5, "group": "worse"} for n in range(9)]
    actual = evaluate.with_scorer(whole := Logs.from_rows(rows), FixedScorer(scores={"hard": 0.9, "easy": 0.1}))
    report = evaluate.report(whole, actual)
    assert set(report["groups"]) == {"a", "b", "worse"}
    assert set(report["groups"]["a"]) >= KEYS
    assert report["groups"]["b"]["apgr"] == pytest.approx(0.75)
    assert report["groups"]["b"]["intervals"]["apgr"][0] < 0.75 < report["groups"]["b"]["intervals"]["apgr"][1]
    assert report["groups"]["worse"]["apgr"] is None
    assert report["groups"]["worse"]["intervals"] == {}
    assert "no gap" in report["groups"]["worse"]["reason"]


def test_no_text_is_trained_on_and_asked() -> None:
    """Rows of one text are in one fold."""
    rows = Logs.from_rows(
        {"prompt": f"text {n % 40}", "cheap_quality": n % 2, "expensive_quality": 1} for n in range(200)
    )
    asked = []
    for inside, outside in evaluate.folds(rows, 3):
        texts = [{str(rows.queries[row].messages) for row in part} for part in (inside, outside)]
        assert not texts[0] & texts[1]
        asked += outside.tolist()
    assert sorted(asked) == list(range(200))


def test_too_few_rows_are_refused_with_the_number_that_would_do() -> None:
    """No figure is made up."""
    with pytest.raises(LogError, match="too few to cross-validate; label at least 40"):
        evaluate.cross_validated(logs(30))


def test_rows_that_the_scorer_was_trained_on_are_told() -> None:
    """A file asked about its own logs knows some of them by heart; rows put aside are no matter."""
    whole = logs(200)
    scorer = fit.train(whole.part(range(150))).scorer
    for rows, known, words in (
        (range(150), 1.0, "these rows are just what the scorer was trained on"),
        (range(100, 200), 0.5, "50% of these rows are what the scorer was trained on"),
        (range(150, 200), 0.0, ""),
    ):
        asked = whole.part(rows)
        report = evaluate.report(asked, evaluate.with_scorer(asked, scorer))
        assert report["trained_on_share"] == known
        assert [actual.split(",")[0] for actual in report["warnings"] if "trained on" in actual] == (
            [words] if words else []
        )


def test_rows_that_do_not_fit_the_scorer_are_told() -> None:
    """Novel texts, scores that are no longer even, a promise that is not kept: each a warning; none on its own logs."""
    fitted = fit.train(_rows(300))
    mine = evaluate.report(_rows(300), evaluate.with_scorer(_rows(300), fitted.scorer))
    assert not [text for text in mine["warnings"] if "novel" in text or "drift" in text or "not kept" in text]
    other = Logs.from_rows(
        {"prompt": f"zzyzx qwxv {n} blorp vrumm", "cheap_quality": 0, "expensive_quality": 1} for n in range(300)
    )
    warnings = evaluate.report(other, evaluate.with_scorer(other, fitted.scorer))["warnings"]
    assert any("are novel, unlike the scorer's logs" in text for text in warnings)
    assert any(text.startswith("drift: the scores stand") for text in warnings)
    assert any(text.startswith("keep_quality = 0.95 is not kept on these rows") for text in warnings)
