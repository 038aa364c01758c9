"""Requests unlike the training logs are marked, and the text's score is not believed for them."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.support.light_training import light_training
from turnout.demo.tasks import generate
from turnout.errors import ArtifactError
from turnout.logs.labelled import Logs
from turnout.ports.scoring import Query, Score
from turnout.routing.artifact import Artifact
from turnout.routing.features import read_features
from turnout.routing.novelty import Novelty
from turnout.routing.scorer import MIDDLE, FileScorer, load_scorer
from turnout.training import fit
from turnout.training.novelty_limit import seen_of

pytestmark = pytest.mark.usefixtures("light")

TAGS = ("shop", "school")


def prompts(count: int, seed: int, family: str = "logic") -> list[str]:
    """Of one family of tasks, the others left out."""
    return [task.prompt for task in generate(3 * count, seed) if task.family == family]


@cache
def fitted() -> fit.Fitted:
    """An app of one job and two endpoints: at school the expensive tier is worth much, in the shop little."""
    rng = random.Random(3)
    rows = [
        {
            "prompt": prompt,
            "group": (tag := rng.choice(TAGS)),
            "cheap_quality": float(rng.random() < (0.9 if tag == "shop" else 0.3)),
            "expensive_quality": 1.0,
        }
        for prompt in prompts(700, seed=1)
    ]
    with light_training():
        return fit.train(Logs.from_rows(rows))


def marked(texts: list[str]) -> float:
    """The share of these that is novel."""
    actual = [fitted().scorer.score(Query.from_text(text)) for text in texts]
    assert all(0.0 <= score.novelty <= 1.0 for score in actual)
    return sum(score.novel for score in actual) / len(actual)


def test_traffic_like_the_logs_is_hardly_ever_marked() -> None:
    """About one in a hundred, on 1,500 tasks of the same kind that were never seen."""
    texts = sorted(set(prompts(1_500, seed=2)) - set(prompts(700, seed=1)))
    assert len(texts) > 1_000
    assert marked(texts) < 0.025


def test_the_limit_is_what_one_in_a_hundred_passes() -> None:
    """Rows of words drawn at random, so that the shares unseen are spread: 1 % of unseen rows, give or take."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 5)) for _ in range(3_000)]
    chance = 1.0 / np.arange(1, 3_001)
    texts = [" ".join(rng.choice(words, 40, p=chance / chance.sum())) for _ in range(4_000)]
    logs = [{"prompt": text, "cheap_quality": i % 2, "expensive_quality": 1} for i, text in enumerate(texts[:1_000])]
    scorer = fit.train(Logs.from_rows(logs)).scorer
    share = np.mean([scorer.score(Query.from_text(text)).novel for text in texts[1_000:]])
    assert 0.003 < share < 0.02


def test_what_is_usual_is_what_no_other_text_holds() -> None:
    """By hand: of nine words "zz" stands in one text alone; of four letters in a row, all do, however often sent."""
    seen = seen_of([read_features(Query.from_text(text)) for text in ("aa bb", "aa bb", "aa cc", "cc bb zz")])
    assert seen.usual == pytest.approx({"words": 1 / 9, "letters": 1.0})
    assert [int(np.unpackbits(seen.bits[view]).sum()) for view in ("words", "letters")] == [4, 9]
    # Each row's own share stands beside so much of the usual one; 1 % of four rows is nearly the newest of them.
    older, newest = ((unseen + 8 / 9) / (words + 8) for unseen, words in ((0, 2), (1, 3)))
    assert seen.limit == pytest.approx(0.03 * (older + 1.0) / 2 + 0.97 * (newest + 1.0) / 2)


def test_one_new_word_in_a_template_is_no_novelty() -> None:
    """Logs of one template hold all of its words: one name that they never held is no other job."""
    template = (
        "You sort the letters of the town hall. Say in one word which office the letter below is for, and nothing "
        "else at all; where it is for none of them say so. The letter was written by {} and is signed by {}."
    )
    names = ("Ann", "Bob", "Cy", "Dan")
    rows = [template.format(one, other) for one in names for other in names]
    seen = seen_of([read_features(Query.from_text(text)) for text in rows])
    novelty = Novelty({f"seen_{view}": bits for view, bits in seen.bits.items()}, seen.header)
    known, new, other = (
        novelty.of(read_features(Query.from_text(text)))
        for text in (rows[0], template.format("Ann", "Eve"), "What is the sum of 3 and 4?")
    )
    assert 0.0 <= known < new <= novelty.limit < other


@pytest.mark.parametrize("family", ["arithmetic", "words"])
def test_other_jobs_are_mostly_marked(family: str) -> None:
    """The same language, another kind of task."""
    assert marked(prompts(60, seed=5, family=family)) > 0.8


def test_other_languages_and_noise_are_marked() -> None:
    """German, Japanese, random letters and random bytes."""
    rng = random.Random(1)
    german = "Schreiben Sie bitte eine kurze Zusammenfassung des Vertrags und nennen Sie alle Fristen."
    noise = ["".join(chr(rng.randint(33, 126)) for _ in range(120)) for _ in range(20)]
    odd = [bytes(rng.randrange(256) for _ in range(200)).decode("latin-1") for _ in range(20)]
    assert marked([german, "東京から大阪までの距離はどのくらいですか。計算してください。", *noise, *odd]) == 1.0


def test_a_text_that_says_nothing_is_not_novel() -> None:
    """No words, no letters: nothing in it is unlike the logs."""
    assert marked(["", "  "]) == 0.0


def test_the_tag_alone_is_told() -> None:
    """As a rank and as the measured gain; of an unknown tag the middle and the mean of all."""
    shop, school, new = (fitted().scorer.score(Query.from_text("?", tag=tag)) for tag in (*TAGS, "new"))
    assert shop.tag_score < MIDDLE < school.tag_score
    assert shop.tag_gain == pytest.approx(0.1, abs=0.05)
    assert school.tag_gain == pytest.approx(0.7, abs=0.05)
    assert (new.tag_score, new.tag_gain) == (MIDDLE, pytest.approx(fitted().logs.gain.mean()))


def test_the_file_holds_it(tmp_path: Path) -> None:
    """Saved and loaded, novelty is the same to the last bit, and the file stays small."""
    file = tmp_path / "scorer"
    fitted().save(file)
    query = Query.from_text("Schreiben Sie einen Brief", tag="shop")
    actual: Score = load_scorer(file).score(query)
    assert actual == fitted().scorer.score(query)
    assert actual.novel
    assert file.stat().st_size < 2_000_000


def test_a_file_whose_novelty_is_damaged_is_refused() -> None:
    """Without its bits, with too few of them, with a limit that is none."""
    good = fitted().artifact
    few = {**good.arrays, "seen_letters": good.arrays["seen_letters"][:-1]}
    none = {name: array for name, array in good.arrays.items() if name != "seen_words"}
    limit = {**good.header, "novelty": {**good.header["novelty"], "limit": float("nan")}}
    for damaged in (
        Artifact(header=good.header, arrays=few),
        Artifact(header=good.header, arrays=none),
        Artifact(header=limit, arrays=good.arrays),
    ):
        with pytest.raises(ArtifactError, match="damaged"):
            FileScorer(damaged)
