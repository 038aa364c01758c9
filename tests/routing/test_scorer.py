"""The served scorer: equal to the fit, deterministic, and a file that is not one is refused."""

from __future__ import annotations

import io
import json
import random
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.support.light_training import light_training
from turnout.errors import ArtifactError, LogError
from turnout.logs.labelled import Logs
from turnout.ports.scoring import Query
from turnout.routing.artifact import Artifact
from turnout.routing.features import NAMES, read_features
from turnout.routing.scorer import FileScorer, load_scorer, scale, slots
from turnout.training import fit
from turnout.training.tag_means import tag_means
from turnout.training.views import views_of


def logs(rows: int = 200, seed: int = 1) -> Logs:
    """Sums of two to nine numbers: the more numbers, the surer the cheap tier fails; and more often at school."""
    rng = random.Random(seed)
    results = []
    for _ in range(rows):
        count = rng.randint(2, 9)
        group = rng.choice(["shop", "school"])
        prompt = "Please add " + " and ".join(str(rng.randint(1, 99)) for _ in range(count))
        cheap = float(rng.random() < (0.95 if count < 5 else 0.2) - (0.2 if group == "school" else 0.0))
        results.append({"prompt": prompt, "cheap_quality": cheap, "expensive_quality": 1.0, "group": group})
    return Logs.from_rows(results)


@cache
def trained() -> fit.Fitted:
    """Trained once, for other modules' tests too."""
    with light_training():
        return fit.train(logs())


@pytest.fixture
def fitted() -> fit.Fitted:
    """That one."""
    return trained()


def test_it_learns_what_makes_requests_hard(fitted: fit.Fitted) -> None:
    """More numbers score higher, on prompts never seen."""
    easy, hard = "Please add 4 and 5", "Please add 4 and 5 and 6 and 7 and 8 and 9 and 11 and 12"
    actual = [fitted.scorer.score(Query.from_text(text)) for text in (easy, hard)]
    assert actual[0].score < 0.5 < actual[1].score
    assert actual[0].expected_gain < 0.3 < actual[1].expected_gain


def test_a_file_serves_what_was_trained(fitted: fit.Fitted, tmp_path: Path) -> None:
    """Saved under just that name, and loaded: every score the same to the last bit."""
    file = tmp_path / "a.b.turnout"
    fitted.save(file)
    assert [path.name for path in tmp_path.iterdir()] == ["a.b.turnout"]
    served = load_scorer(file)
    assert served.version == fitted.scorer.version
    for query in logs(20, seed=2).queries:
        assert served.score(query) == fitted.scorer.score(query)


def test_serving_equals_scikit_learn(fitted: fit.Fitted) -> None:
    """Within 1e-9 of the blend of the fitted estimators, on rows never seen, a tag never seen among them."""
    unseen = [*logs(40, seed=3).queries, Query.from_text("Please add 1 and 2", tag="new"), Query.from_text("")]
    readings = [read_features(query) for query in unseen]
    mean = float(fitted.logs.gain.mean())
    means = tag_means(fitted.logs.gain, fitted.logs.groups)
    actual = mean + fitted.shares[-1] * np.array([means.get(query.tag, 0.0) for query in unseen])
    views = views_of(readings)
    assert "tagged_words" in fitted.views
    for (name, view), share in zip(fitted.views.items(), fitted.shares[:-1], strict=True):
        actual = actual + share * (view.predict(views[name]) - mean)
    served = np.array([fitted.scorer.raw(reading) for reading in readings])
    assert np.abs(served - actual).max() < 1e-9
    assert np.ptp(served) > 0.1


def test_what_a_word_means_may_hang_on_the_tag() -> None:
    """Sorting is hard for the shop, counting for the school: words unknown to any list, tags alike on average."""
    rows = []
    for at in range(160):
        group, word = ("shop", "school")[at % 2], ("zworten", "kounten")[at // 2 % 2]
        cheap = float((group == "shop") == (word == "kounten"))
        rows.append({"prompt": f"{word} parcel {at}", "cheap_quality": cheap, "expensive_quality": 1.0, "group": group})
    scorer = fit.train(Logs.from_rows(rows)).scorer
    actual = {
        (word, group): scorer.raw(read_features(Query.from_text(f"{word} parcel 500", tag=group)))
        for word in ("zworten", "kounten")
        for group in ("shop", "school")
    }
    hard = (actual["zworten", "shop"], actual["kounten", "school"])
    easy = (actual["kounten", "shop"], actual["zworten", "school"])
    assert min(hard) > max(easy) + 0.2


def test_unknown_tags_are_scored_alike(fitted: fit.Fitted) -> None:
    """Whatever their names: as a request without a tag."""
    scorer = fitted.scorer
    alike = {scorer.raw(scorer._read(Query.from_text("Please add 1 and 2", tag=f"new {at}"))) for at in range(30)}
    assert alike == {scorer.raw(read_features(Query.from_text("Please add 1 and 2")))}


@pytest.mark.usefixtures("light")
def test_training_is_deterministic() -> None:
    """The same logs give the same scorer."""
    assert fit.train(logs(60)).scorer.version == fit.train(logs(60)).scorer.version


def test_of_two_gains_the_higher_ranks_higher_however_far_beyond_the_logs(fitted: fit.Fitted) -> None:
    """No two alike, none beyond 0 or 1, and no jump at the logs' lowest and highest; equal ones rank in the middle."""
    low, high = float(fitted.predicted.min()), float(fitted.predicted.max())
    raws = np.linspace(low - 3 * (high - low), high + 3 * (high - low), 2_001)
    ranks = np.array([fitted.scorer.rank(raw) for raw in raws])
    assert (np.diff(ranks) > 0).all()
    assert 0.0 < ranks[0] < 0.001
    assert 0.999 < ranks[-1] < 1.0
    for end in (low, high):
        below, above = (fitted.scorer.rank(end + step) for step in (-1e-9, 1e-9))
        assert above - below < 1e-6
    actual = np.array([fitted.scorer.rank(raw) for raw in fitted.predicted.ravel()])
    assert np.sort(actual) == pytest.approx((np.arange(len(actual)) + 0.5) / len(actual), abs=0.01)


def test_the_reasons_add_up_to_what_they_explain(fitted: fit.Fitted) -> None:
    """All of them together tell two requests as far apart as their gains are; the strongest come first."""
    queries = [Query.from_text("Please add 4 and 5", tag="shop"), *logs(40, seed=5).queries]
    sums, raws = [], [fitted.scorer.raw(read_features(query)) for query in queries]
    for query in queries:
        parts = fitted.scorer.parts(query)
        actual = [float(reason.split()[0]) for reason in fitted.scorer.explain(query, 10_000)]
        assert [abs(each) for each in actual] == sorted(map(abs, actual), reverse=True)
        assert fitted.scorer.explain(query) == fitted.scorer.explain(query, 10_000)[:5]
        assert actual == [
            round(part, 3) for part in sorted(parts.values(), key=lambda part: -abs(part)) if round(part, 3)
        ]
        sums.append(sum(parts.values()))
    assert np.ptp(raws) > 0.2
    # They are told against the logs' own middle: of all requests together about as much raises as lowers.
    assert np.mean(sums[1:]) == pytest.approx(0.0, abs=0.2)
    assert np.array(sums) - sums[0] == pytest.approx(np.array(raws) - raws[0], abs=1e-9)


def test_a_reason_tells_a_count_as_one(fitted: fit.Fitted) -> None:
    """Not its logarithm; a share is told with it; what is no count goes without."""
    actual = " ".join(fitted.scorer.parts(Query.from_text("Please add 4 and 5 and 66")))
    assert "numbers (3)" in actual
    assert "count of digit (4)" in actual
    assert "share of digit" not in actual
    assert "word_length (" not in actual


def test_words_groups_and_trees_have_their_reasons(fitted: fit.Fitted) -> None:
    """A word plain and under its tag, the group with what the trees made of it, a number with its trees."""
    query, scorer = Query.from_text("Please add 4 and 5", tag="shop"), fitted.scorer
    reading, parts = read_features(query), scorer.parts(query)
    assert set(scorer._tables) >= {"tagged_words"}
    word = sum(
        float(scorer._tables[view][slots(getattr(reading, view)[[1]])][0]) * scale(5)
        for view in ("words", "tagged_words")
        if view in scorer._tables
    )
    assert parts["the word 'add'"] == pytest.approx(word)
    mean = scorer._tags["shop"]
    trees = scorer._trees.parts(reading.structure, mean)
    assert parts["the group 'shop'"] == pytest.approx(mean * scorer._tag_share + trees[-1])
    at = NAMES.index("numbers")
    linear = float(scorer._above(reading.structure)[at] * scorer._ranked[at])
    assert parts["numbers (2)"] == pytest.approx(linear + trees[at])
    assert trees[at] != 0


@pytest.mark.parametrize("slope", [0.0, 50.0])
def test_no_gain_is_told_beyond_what_a_gain_can_be(fitted: fit.Fitted, slope: float) -> None:
    """By the text or by the tag: never below -1 nor above 1."""
    good = fitted.artifact
    steep = Artifact(
        header={**good.header, "gain_slope": slope, "gain_intercept": -0.5 * slope},
        arrays={**good.arrays, "tag_gains": np.array([-slope, slope])},
    )
    texts = ("Please add 4 and 5", "Please add 4 and 5 and 6 and 7 and 8 and 9 and 11 and 12")
    actual = [FileScorer(steep).score(Query.from_text(text, tag=tag)) for text in texts for tag in good.header["tags"]]
    assert len(good.header["tags"]) == 2
    assert {each.expected_gain for each in actual} == ({-1.0, 1.0} if slope else {0.0})
    mean = float(good.header["mean_gain"])
    assert {each.tag_gain for each in actual} == ({-1.0, 1.0} if slope else {mean})


def test_a_wish_for_quality_is_a_threshold(fitted: fit.Fitted) -> None:
    """More quality, lower threshold; what cannot be promised goes all to the expensive tier."""
    scorer = fitted.scorer
    thresholds = [scorer.threshold_for_quality(q) for q in (0.7, 0.9, 0.99)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert scorer.threshold_for_quality(1.5) == 0.0


def test_the_gain_at_a_score_is_the_gain_of_who_has_it(fitted: fit.Fitted) -> None:
    """Within the logs; beyond them, that of their end."""
    for query in logs(20, seed=4).queries:
        scored = fitted.scorer.score(query)
        if 0.05 < scored.score < 0.95:
            assert fitted.scorer.gain_at(scored.score) == pytest.approx(scored.expected_gain)
    assert fitted.scorer.gain_at(0.0) <= fitted.scorer.gain_at(0.5) <= fitted.scorer.gain_at(1.0)


def test_an_unseen_group_and_any_text_are_safe(fitted: fit.Fitted) -> None:
    """Neither a new tag nor an empty, a huge or a broken text raises."""
    for text in ("", "x" * 1_000_000, "\ud800", "日本語" * 50):
        actual = fitted.scorer.score(Query.from_text(text, tag="never seen"))
        assert 0.0 <= actual.score <= 1.0
        assert -1.0 <= actual.expected_gain <= 1.0


@pytest.mark.parametrize("rows", [0, 5])
def test_too_few_rows_are_refused(rows: int) -> None:
    """With how many it takes."""
    with pytest.raises(LogError, match="too few"):
        fit.train(logs(rows))


def test_logs_that_tell_nothing_apart_are_refused() -> None:
    """A constant gain."""
    rows = [{"prompt": f"p{i}", "cheap_quality": 1, "expensive_quality": 1} for i in range(50)]
    with pytest.raises(LogError, match="in every row"):
        fit.train(Logs.from_rows(rows))


def test_a_file_that_is_not_ours_is_refused(fitted: fit.Fitted, tmp_path: Path) -> None:
    """Missing, foreign, cut, newer, and one whose arrays would run code: each by name, none loaded."""
    file = tmp_path / "good"
    fitted.save(file)
    whole = file.read_bytes()
    (tmp_path / "foreign").write_bytes(b"PK nothing of the kind")
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    _changed(whole, tmp_path / "newer", schema=99)
    _pickled(whole, tmp_path / "pickled")
    expected = {"none": "no such file", "foreign": "not a scorer", "cut": "not a scorer", "newer": "newer Turnout",
                "pickled": "plain numbers"}  # fmt: skip
    for name, actual in expected.items():
        with pytest.raises(ArtifactError, match=actual):
            load_scorer(tmp_path / name)


def _changed(whole: bytes, path: Path, **top: int) -> None:
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, json.dumps({**json.loads(data), **top}) if name.endswith(".json") else data)


def _pickled(whole: bytes, path: Path) -> None:
    packed = io.BytesIO()
    np.save(packed, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, packed.getvalue() if name == "words.npy" else old.read(name))


def test_a_scorer_file_with_any_bit_flipped_loads_or_is_refused(fitted: fit.Fitted, tmp_path: Path) -> None:
    """Never another error."""
    fitted.save(tmp_path / "good")
    whole, rng = (tmp_path / "good").read_bytes(), random.Random(3)
    refused = 0
    for _ in range(150):
        at, garbled = rng.randrange(len(whole)), bytearray(whole)
        garbled[at : at + 16] = rng.randbytes(16)
        (tmp_path / "bad").write_bytes(garbled)
        try:
            load_scorer(tmp_path / "bad")
        except ArtifactError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("name", ["intercept", "gain_slope", "gain_intercept", "tag_share"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_header_that_is_not_finite_is_refused(fitted: fit.Fitted, name: str, value: float) -> None:
    """It would score, and say nothing."""
    header = {**fitted.artifact.header, name: value}
    with pytest.raises(ArtifactError, match=f"{name} is no number"):
        FileScorer(Artifact(header=header, arrays=fitted.artifact.arrays))


@pytest.mark.parametrize("name", ["tree_roots", "tree_cuts", "levels", "words", "ranks"])
def test_an_array_that_was_cut_or_left_out_is_refused(fitted: fit.Fitted, name: str) -> None:
    """Rather than scored without."""
    arrays = dict(fitted.artifact.arrays)
    assert name in arrays
    short = {**arrays, name: arrays[name][:-1]}
    column = {**arrays, name: arrays[name][:, None]}
    missing = {other: array for other, array in arrays.items() if other != name}
    for damaged in (short, column, missing):
        with pytest.raises(ArtifactError, match="damaged"):
            FileScorer(Artifact(header=fitted.artifact.header, arrays=damaged))
