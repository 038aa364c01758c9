"""Trains the semantic cache's verifier from labelled pairs: which of two alike questions have one answer."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from turnout.caching.semantic.pair_features import pair_features
from turnout.caching.semantic.verifier import PairVerifier
from turnout.caching.semantic.words import LONGEST_TEXT, Question, question_of
from turnout.errors import LogError

COLUMNS = ("text_a", "text_b", "label")
FEWEST_PAIRS = 100
FOLDS = 5
# Of the calibration: as many steps tell all that pairs of ten thousands can.
MOST_KNOTS = 60
_BLOCK = 1000


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Labelled pairs: label 1 where one answer serves both. skipped: the rows that hold none, by line and reason."""

    texts: Sequence[tuple[str, str]]
    labels: Any
    skipped: Sequence[str] = ()

    @cached_property
    def places(self) -> dict[str, int]:
        """Each text's number."""
        return {text: place for place, text in enumerate(dict.fromkeys(text for pair in self.texts for text in pair))}

    @cached_property
    def numbered(self) -> list[tuple[int, int]]:
        """The pairs by their texts' numbers."""
        return [(self.places[one], self.places[other]) for one, other in self.texts]

    @cached_property
    def components(self) -> Any:
        """Of each text the number of its component: those that label-1 pairs connect, [texts]."""
        parents = list(range(len(self.places)))
        for (one, other), label in zip(self.numbered, self.labels, strict=True):
            if label:
                parents[find(parents, one)] = find(parents, other)
        return np.array([find(parents, place) for place in range(len(parents))])


def find(parents: list[int], place: int) -> int:
    """The root of this place's component."""
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


def read_pairs(path: Path) -> Pairs:
    """Reads a CSV file (also .gz) of the columns text_a, text_b, label. Raises LogError."""
    opened = gzip.open if path.suffix == ".gz" else open
    texts, labels, skipped = [], [], []
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise LogError(f"{path}: has no column {', '.join(missing)}; pairs need {', '.join(COLUMNS)}")
            for row in reader:
                problem = _problem(row)
                if problem:
                    skipped.append(f"line {reader.line_num}: {problem}")
                    continue
                texts.append((row["text_a"].strip(), row["text_b"].strip()))
                labels.append(int(float(row["label"])))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise LogError(f"{path}: cannot be read: {why}") from error
    return Pairs(texts=texts, labels=np.array(labels, dtype=np.int64), skipped=skipped)


def _problem(row: dict[str, str | None]) -> str:
    for name in ("text_a", "text_b"):
        text = (row[name] or "").strip()
        if not text or len(text) > LONGEST_TEXT:
            return f"{name} is empty" if not text else f"{name} is longer than {LONGEST_TEXT} characters"
    return "" if (row["label"] or "").strip() in ("0", "1", "0.0", "1.0") else "label is neither 0 nor 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPairs:
    """verifier: of all pairs. out_of_fold: each pair's probability by verifiers that never saw its component, [n].
    folds: which of these verifiers that was, [n]; by_fold: the verifiers."""

    verifier: PairVerifier
    out_of_fold: Any
    folds: Any
    by_fold: Sequence[PairVerifier]


def vectors_of(texts: Sequence[str], embed_all: Callable[[Sequence[str]], Any]) -> tuple[list[Question], Any]:
    """What each text says, and the vector of its words: what serving embeds too."""
    questions = [question_of(text) for text in texts]
    return questions, embed_all([" ".join(question.words) for question in questions])


def features_of(pairs: Pairs, embed_all: Callable[[Sequence[str]], Any]) -> Any:
    """The features of all pairs, the second text asked and the first one stored: [n, len(FEATURES)]."""
    questions, vectors = vectors_of(list(pairs.places), embed_all)
    asked = np.array([other for _, other in pairs.numbered])
    stored = np.array([one for one, _ in pairs.numbered])
    component = pairs.components
    rows = []
    for start in range(0, len(asked), _BLOCK):
        block = slice(start, start + _BLOCK)
        alike = vectors[asked[block]] @ vectors.T
        own = alike[np.arange(len(alike)), stored[block]]
        # The second neighbour is the nearest of another question.
        same = (component == component[stored[block], None]) | (component == component[asked[block], None])
        second = np.where(same, -1.0, alike).max(axis=1)
        rows += [
            pair_features(questions[b], questions[a], float(s), float(s - m))
            for a, b, s, m in zip(stored[block], asked[block], own, second, strict=True)
        ]
    return np.array(rows)


def train_pairs(pairs: Pairs, embed_all: Callable[[Sequence[str]], Any], *, embedder: str) -> FittedPairs:
    """Fits, out of fold by component for the calibration. Raises LogError where the pairs are too few."""
    labels = pairs.labels
    if len(labels) < FEWEST_PAIRS or min(labels.sum(), len(labels) - labels.sum()) < FOLDS:
        raise LogError(f"a verifier needs at least {FEWEST_PAIRS} pairs with both labels, not {len(labels)}")
    features = features_of(pairs, embed_all)
    components = pairs.components[[one for one, _ in pairs.numbered]]
    out_of_fold, folds, by_fold = np.zeros(len(labels)), np.zeros(len(labels), dtype=np.int64), []
    splits = GroupKFold(n_splits=min(FOLDS, len(set(components)))).split(features, labels, components)
    raws = np.zeros(len(labels))
    parts = []
    for number, (rest, held) in enumerate(splits):
        weights, intercept = _fit(features[rest], labels[rest])
        raws[held] = features[held] @ weights + intercept
        folds[held] = number
        parts.append((weights, intercept))
    for number, (weights, intercept) in enumerate(parts):
        others = folds != number
        verifier = _calibrated(weights, intercept, raws[others], labels[others], {})
        by_fold.append(verifier)
        held = ~others
        out_of_fold[held] = [verifier.probability(row) for row in features[held]]
    summary = {"pairs": len(labels), "same": int(labels.sum()), "embedder": embedder, **_worth(out_of_fold, labels)}
    whole = _calibrated(*_fit(features, labels), raws, labels, summary)
    return FittedPairs(verifier=whole, out_of_fold=out_of_fold, folds=folds, by_fold=by_fold)


def _fit(features: Any, labels: Any) -> tuple[Any, float]:
    scaler = StandardScaler().fit(features)
    fitted = LogisticRegression(C=1.0, max_iter=2000).fit(scaler.transform(features), labels)
    weights = fitted.coef_[0] / scaler.scale_
    return weights, float(fitted.intercept_[0] - weights @ scaler.mean_)


def _calibrated(weights: Any, intercept: float, raws: Any, labels: Any, summary: dict[str, Any]) -> PairVerifier:
    """The verifier whose probabilities are those that these raw scores had."""
    isotonic = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True).fit(raws, labels)
    knots = np.unique(np.quantile(raws, np.linspace(0, 1, MOST_KNOTS)))
    levels = np.maximum.accumulate(isotonic.predict(knots))
    return PairVerifier(
        weights=tuple(map(float, weights)),
        intercept=intercept,
        knots=tuple(map(float, knots)),
        levels=tuple(map(float, levels)),
        summary=summary,
    )


def _worth(probabilities: Any, labels: Any) -> dict[str, float]:
    from sklearn.metrics import brier_score_loss, roc_auc_score

    return {
        "auc": round(float(roc_auc_score(labels, probabilities)), 4),
        "brier": round(float(brier_score_loss(labels, probabilities)), 4),
    }
