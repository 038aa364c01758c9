"""The verifier: the shipped one, its file, and what training makes of pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from turnout.caching.semantic.pair_features import FEATURES, pair_features
from turnout.caching.semantic.verifier import SHIPPED, PairVerifier, load_verifier
from turnout.caching.semantic.words import question_of
from turnout.errors import ArtifactError, LogError
from turnout.training import train_cache

TOPICS = ("the moon", "my bill", "a cat", "the app", "an invoice", "our team", "this page", "a visa", "the tax", "rain")


def vectors(texts: list[str]) -> np.ndarray:
    """Each text's letters, as a vector of unit length."""
    rows = np.array([[text.count(chr(97 + place)) + 0.1 for place in range(26)] for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_pairs(path: Path, *more: str) -> Path:
    lines = ["text_a,text_b,label"]
    for number in range(20):
        for topic in TOPICS:
            lines.append(f"how do I find {topic} {number},how can I find {topic} {number}!,1")
            lines.append(f"how do I find {topic} {number},when did they lose {topic} {number + 1},0")
    path.write_text("\n".join([*lines, *more]) + "\n")
    return path


def judge(one: str, other: str, similarity: float) -> float:
    return load_verifier(SHIPPED).probability(
        pair_features(question_of(one), question_of(other), similarity, similarity - 0.5)
    )


def test_the_shipped_one_tells_the_same_question_from_another() -> None:
    """Far apart, whatever the vectors say."""
    same = judge("How do I reset my password?", "please, how can I reset my password", 0.95)
    other = judge("How do I reset my password?", "Why is the sky blue?", 0.1)
    assert same > 0.8 > 0.2 > other


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Trained, written, read: one probability."""
    pairs = train_cache.read_pairs(write_pairs(tmp_path / "pairs.csv", ",b,1", "a,b,maybe"))
    assert [problem.split(": ")[1] for problem in pairs.skipped] == ["text_a is empty", "label is neither 0 nor 1"]
    fitted = train_cache.train_pairs(pairs, vectors, embedder="letters")
    assert fitted.verifier.summary["pairs"] == 400
    assert fitted.verifier.summary["auc"] > 0.9
    path = tmp_path / "v"
    path.write_text(fitted.verifier.dumps())
    read = load_verifier(path)
    features = pair_features(question_of("a b"), question_of("a c"), 0.5, 0.1)
    assert read.probability(features) == fitted.verifier.probability(features)
    assert len(features) == len(FEATURES)


def test_pairs_of_one_component_are_in_one_fold(tmp_path: Path) -> None:
    """A verifier is never asked about a question that it was trained on."""
    pairs = train_cache.read_pairs(write_pairs(tmp_path / "pairs.csv"))
    folds = train_cache.train_pairs(pairs, vectors, embedder="letters").folds
    seen: dict[int, int] = {}
    for (one, _), fold in zip(pairs.numbered, folds, strict=True):
        assert seen.setdefault(int(pairs.components[one]), int(fold)) == fold


def test_the_probability_is_interpolated_between_knots() -> None:
    """And stays at the ends beyond them."""
    weights = (1.0,) + (0.0,) * (len(FEATURES) - 1)
    verifier = PairVerifier(weights=weights, intercept=0.0, knots=(-1.0, 1.0), levels=(0.2, 0.8))
    at = [verifier.probability([raw] + [0.0] * (len(FEATURES) - 1)) for raw in (-5, -1, 0, 1, 5)]
    assert at == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"schema": 99},
        {"weights": {"similarity": 1.0}},
        {"intercept": "1"},
        {"knots": [1.0, 0.0], "levels": [0.1, 0.2]},
        {"knots": [0.0, 1.0], "levels": [0.3, 0.2]},
        {"knots": [], "levels": []},
        {"levels": [2.0]},
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    """With what to do about it."""
    fields = json.loads(SHIPPED.read_text()) | change
    (tmp_path / "v").write_text(json.dumps(fields))
    with pytest.raises(ArtifactError, match="turnout train-cache"):
        load_verifier(tmp_path / "v")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\0"])
def test_what_is_no_verifier_file_is_refused(tmp_path: Path, text: str) -> None:
    """Nor is a missing one a default."""
    (tmp_path / "v").write_text(text)
    for path in (tmp_path / "v", tmp_path / "missing"):
        with pytest.raises(ArtifactError, match="train-cache"):
            load_verifier(path)


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    """And a file without the columns."""
    (tmp_path / "few.csv").write_text("text_a,text_b,label\na,b,1\n")
    with pytest.raises(LogError, match="at least 100"):
        train_cache.train_pairs(train_cache.read_pairs(tmp_path / "few.csv"), vectors, embedder="letters")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LogError, match="no column text_a"):
        train_cache.read_pairs(tmp_path / "other.csv")
