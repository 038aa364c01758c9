"""What a scorer file's verifier of cheap answers is worth on labelled rows that hold them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from turnout.errors import LogError
from turnout.logs.labelled import Logs
from turnout.routing.features import Floats
from turnout.routing.scorer import KEPT_QUALITY, FileScorer
from turnout.training.cascade import price_ratio
from turnout.training.cascade_curves import cost_curves, figures_at_97, paired_added
from turnout.training.evaluate import Scored
from turnout.training.folds import texts_of


def with_verifier(
    logs: Logs, scorer: FileScorer, question: Scored, *, ratio: float | None = None, seed: int = 0
) -> tuple[Scored, dict[str, Any]]:
    """The scores that are served, the question's where the verifier was refused; and the cascade's own figures, of the
    verifier whether it was refused or not. ratio: what an expensive call costs, a cheap one costing 1, where the rows'
    costs do not tell; None: the file's. Raises LogError where a row holds no cheap answer."""
    verifier = scorer.verifier
    assert verifier is not None
    if logs.answers is None or not all(logs.answers):
        raise LogError("the scorer verifies cheap answers, and not every row of these logs holds a cheap_answer")
    verdicts, took = [], []
    for query, answer, gain in zip(logs.queries, logs.answers, question.gain, strict=True):
        began = time.perf_counter()
        verdicts.append(verifier.verify(query, float(gain), answer))
        took.append((time.perf_counter() - began) * 1e6)
    score = np.array([verdict.score for verdict in verdicts])
    gains = np.array([verdict.expected_gain for verdict in verdicts])
    prices = price_ratio(logs, verifier.price_ratio if ratio is None else ratio)
    paired = paired_added(
        [question.score], [score], logs.cheap, logs.expensive,
        ratio=prices, weight=logs.weight, texts=texts_of(logs), seed=seed,
    )  # fmt: skip
    verified = figures_at_97(score, logs.cheap, logs.expensive, prices, cascade=True)
    by_question = figures_at_97(question.score, logs.cheap, logs.expensive, prices, cascade=False)
    figures = {
        "apgr_verified": verified["apgr"],
        "apgr_question": by_question["apgr"],
        "paired_low": paired["paired_low"],
        "paired_high": paired["paired_high"],
        "cost_at_97": verified["cost_at_97"],
        "cost_at_97_question": by_question["cost_at_97"],
        "two_calls_share": verified["expensive_share"],
        "verify_us_p50": float(np.quantile(took, 0.5)),
        "verify_us_p99": float(np.quantile(took, 0.99)),
        "price_ratio": prices,
        "refused": verifier.refused or None,
        "second": _second(logs, scorer, question, score, prices),
        "cost_curves": cost_curves(
            question.score, gains, verifier.gains, logs.cheap, logs.expensive, prices, logs.weight
        ),
    }
    if verifier.refused:
        return question, figures
    sent = (score >= verifier.threshold_for_quality(KEPT_QUALITY)).astype(np.float64)
    return replace(question, score=score, gain=gains, sent=sent), figures


def _second(logs: Logs, scorer: FileScorer, question: Scored, first: Floats, ratio: float) -> dict[str, Any] | None:
    """What a second cheap answer adds to the first one's scores, on the rows that hold one; None where none does, or
    the file knows nothing of them. cost_at_97: both cheap calls of every row are paid."""
    opinion, seconds = scorer.second_opinion, logs.second_answers or []
    rows = [row for row, text in enumerate(seconds) if text.strip()]
    if opinion is None or not rows:
        return None
    assert logs.answers is not None
    verdicts = [
        opinion.verify(logs.queries[row], float(question.gain[row]), logs.answers[row], seconds[row], 1.0)
        for row in rows
    ]
    qualities = logs.cheap[rows], logs.expensive[rows]
    alone = figures_at_97(first[rows], *qualities, ratio, cascade=True)
    both = figures_at_97(np.array([verdict.score for verdict in verdicts]), *qualities, ratio, cascade=True)
    return {
        "rows": len(rows),
        "agreeing": float(np.mean([bool(verdict.second_agrees) for verdict in verdicts])),
        "apgr": both["apgr"],
        "apgr_first_alone": alone["apgr"],
        "cost_at_97": None if both["cost_at_97"] is None else both["cost_at_97"] + 1.0 / ratio,
        "cost_at_97_first_alone": alone["cost_at_97"],
    }
