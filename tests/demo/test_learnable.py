"""A small classifier can learn from some hundred labelled tasks which ones the cheap provider fails."""

import re

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from turnout.demo.solver import CHEAP, EXPENSIVE, solve
from turnout.demo.tasks import check, generate

TRAINED, HELD_OUT = 600, 1000  # more held out than the demo has, so that this measures the tasks and not luck
SIGNS = (
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


def structure(prompt: str) -> NDArray[np.float64]:
    """[signs + 2]: how often each kind of sign comes, the words, and how many of them are different."""
    words = prompt.split()
    counts = [len(re.findall(sign, prompt)) for sign in SIGNS]
    return np.array(np.log1p([*counts, len(words), len(set(words))]), dtype=float)


def test_a_plain_logistic_regression_keeps_the_quality_at_half_the_cost() -> None:
    """Counts of signs alone keep 0.95 of the quality for well under 0.6 of the calls' cost, far above chance."""
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
    rows = np.array([structure(task.prompt) for task in tasks])
    gains = expensive > cheap
    learner = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    unseen = cross_val_predict(learner, rows[:TRAINED], gains[:TRAINED], cv=5, method="predict_proba")[:, 1]
    threshold = np.quantile(unseen, 0.56)
    held = slice(TRAINED, None)
    routed = learner.fit(rows[:TRAINED], gains[:TRAINED]).predict_proba(rows[held])[:, 1] >= threshold

    quality = np.where(routed, expensive[held], cheap[held])
    random = routed.mean() * expensive[held] + (1 - routed.mean()) * cheap[held]
    error = (quality - random).std() / np.sqrt(HELD_OUT)
    cost = np.where(routed, expensive_usd[held], cheap_usd[held]).sum() / expensive_usd[held].sum()
    assert quality.mean() / expensive[held].mean() > 0.955
    assert cost < 0.55
    assert quality.mean() - random.mean() > 8 * error
