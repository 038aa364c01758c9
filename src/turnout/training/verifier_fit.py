"""Fits a verifier of cheap answers on labelled logs: what the expensive answer is expected to be better by, now that
the cheap one is there. Three views of the answer and the question's own gain, each in a fixed share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from turnout.errors import LogError
from turnout.logs.labelled import Logs
from turnout.routing.answer_signs import AnswerReading, read_answer
from turnout.routing.features import Floats
from turnout.training.blend import OutOfFold, out_of_fold
from turnout.training.estimators import View, fit_view
from turnout.training.fit import ONCE_FROM_ROWS, Fitted, Progress
from turnout.training.folds import FOLDS, divisions
from turnout.training.views import hashed

# Tried for each view. An answer says more than a question: leaves may be smaller.
VIEWS = {"answer_ranks": (1000.0, 3000.0), "words": (40.0, 150.0), "answer_trees": (5.0, 15.0)}
# What these and the question's gain are worth in the blend. Shares fitted to the logs lost .01 to .04 APGR on the files
# where there is much to gain: the answers' noise is not the question's.
SHARES = np.array([0.3, 0.4, 0.4, 0.2])
# How much of what the expensive answer was worth is learnt from. The cheap answer, which is read, tells of its own
# quality far more than of the other's, most of which is noise to it: whole (1) lost .05 +- .02 APGR on one file of
# five, none of it (0) .02 +- .01 on another, and half lost nothing anywhere.
UNREAD = 0.5
# Other folds than the question's: in the same ones, a fold whose gains are high by chance is told low twice (.04).
OTHER_FOLDS = 1
FEWEST_ANSWERS = 50


@dataclass(frozen=True)
class FittedVerifier:
    """logs: the rows that it was fitted on. question, predicted: each row's gain as predicted out of fold, by the
    question and with the answer, [divisions, rows]."""

    logs: Logs
    question: Floats
    predicted: Floats
    views: dict[str, View]


def with_answers(logs: Logs) -> Logs:
    """The rows that hold a cheap answer. Raises LogError where they are too few to learn from."""
    answers = logs.answers or []
    rows = [row for row, answer in enumerate(answers) if answer.strip()]
    if len(rows) < FEWEST_ANSWERS:
        raise LogError(
            f"{len(rows)} rows hold a cheap_answer, too few to learn from (at least {FEWEST_ANSWERS}); `turnout label` "
            "writes it"
        )
    return logs if len(rows) == len(logs) else logs.part(rows)


def learnt_gain(logs: Logs) -> Floats:
    """The gain with UNREAD of the expensive answer's distance from the mean one, [rows]; the mean is the gain's own."""
    return np.asarray(logs.net_gain - (1.0 - UNREAD) * (logs.expensive - logs.expensive.mean()), dtype=np.float64)


def fit_verifier(fitted: Fitted, *, seed: int = 0, progress: Progress | None = None) -> FittedVerifier:
    """The verifier of these logs' answers, beside the scorer that was fitted on the same rows. Deterministic."""
    logs = fitted.logs
    assert logs.answers is not None
    readings = [read_answer(query, answer) for query, answer in zip(logs.queries, logs.answers, strict=True)]
    gain = learnt_gain(logs)
    predictions, questions = [], fitted.calibrated(fitted.predicted)
    folded = divisions(logs, seed + OTHER_FOLDS, 3 if len(logs) < ONCE_FROM_ROWS else 1)
    with threadpool_limits(1):
        for number, (folds, question) in enumerate(zip(folded, questions, strict=True)):
            views = _views(readings, question)
            tried = {
                name: [out_of_fold(name, view, gain, penalty, folds, seed) for penalty in VIEWS[name]]
                for name, view in views.items()
            }
            predictions.append(OutOfFold(folds, gain, tried, question - question.mean()))
            if progress is not None:
                progress(number + 1, len(folded) + 1)
        best = [int(np.mean([each.errors(name) for each in predictions], axis=0).argmin()) for name in VIEWS]
        views = _views(readings, questions[0])
        served = {
            name: fit_view(name, view, gain, VIEWS[name][at], seed)
            for (name, view), at in zip(views.items(), best, strict=True)
        }
    return FittedVerifier(logs, questions, np.stack([_blended(each) for each in predictions]), served)


def _blended(found: OutOfFold) -> Floats:
    """The prediction of each fold, at penalties that the other folds chose."""
    predicted = np.zeros(len(found.gain))
    for fold in range(FOLDS):
        outside = found.folds == fold
        best = [int(np.argmin(found.errors(name, ~outside))) for name in found.tried]
        predicted[outside] = found.columns(best)[outside] @ SHARES
    return predicted + float(found.gain.mean())


def _views(readings: Sequence[AnswerReading], question: Floats) -> dict[str, Any]:
    signs = np.column_stack((np.stack([reading.numbers for reading in readings]), question))
    words = hashed([reading.hashes for reading in readings], [reading.weights for reading in readings])
    return {"answer_ranks": signs, "words": words, "answer_trees": signs.astype(np.float32)}
