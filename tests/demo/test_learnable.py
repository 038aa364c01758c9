"""A small classifier can learn from some hundred labelled tasks which ones the cheap provider fails."""

import re

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from turnout.demo.solver.skills import CHEAP, EXPENSIVE, solve
from turnout.demo.tasks import check, generate

TRAINED, HELD_OUT = 600, 1000  # more held out than in the demo: a smaller error
PATTERNS = (
    r"\d+",
    ",",
    r"\.",
    "[;:/]",
    "[-+*×<>=]",
    r"\bthen\b|\bnext\b",
    r"\band\b",
    r"\bif\b",
    "'",
    r"\b[A-Z][a-z]+",
    r"\bis\b",
)


def pattern_counts(prompt: str) -> NDArray[np.float64]:
    """[patterns + 2]: logs of the counts of each pattern, of the words, and of the distinct words."""
    words = prompt.split()
    counts = [len(re.findall(pattern, prompt)) for pattern in PATTERNS]
    return np.array(np.log1p([*counts, len(words), len(set(words))]), dtype=float)


def test_a_plain_logistic_regression_keeps_the_quality_at_half_the_cost() -> None:
    """Counts of patterns alone keep 0.95 of the quality for well under 0.6 of the calls' cost, far above chance."""
    tasks = generate(TRAINED + HELD_OUT, seed=31)
    replies = {skill: [solve(task.prompt, skill) for task in tasks] for skill in (CHEAP, EXPENSIVE)}
    cheap, expensive = (
        np.array([check(task, reply) for task, reply in zip(tasks, each, strict=True)], dtype=float)
        for each in replies.values()
    )
    cheap_usd, expensive_usd = (
        price * np.array([len(task.prompt) + 4 * len(reply) for task, reply in zip(tasks, each, strict=True)])
        for price, each in ((1.0, replies[CHEAP]), (20.0, replies[EXPENSIVE]))
    )
    rows = np.array([pattern_counts(task.prompt) for task in tasks])
    gains = expensive > cheap
    learner = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    unseen = cross_val_predict(learner, rows[:TRAINED], gains[:TRAINED], cv=5, method="predict_proba")[:, 1]
    threshold = np.quantile(unseen, 0.56)
    held_out = slice(TRAINED, None)
    routed = learner.fit(rows[:TRAINED], gains[:TRAINED]).predict_proba(rows[held_out])[:, 1] >= threshold

    quality = np.where(routed, expensive[held_out], cheap[held_out])
    random = routed.mean() * expensive[held_out] + (1 - routed.mean()) * cheap[held_out]
    error = (quality - random).std() / np.sqrt(HELD_OUT)
    cost = np.where(routed, expensive_usd[held_out], cheap_usd[held_out]).sum() / expensive_usd[held_out].sum()
    assert quality.mean() / expensive[held_out].mean() > 0.955
    assert cost < 0.55
    assert quality.mean() - random.mean() > 8 * error
