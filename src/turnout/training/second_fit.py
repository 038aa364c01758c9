"""Fits what agreement with a second cheap answer adds to a verifier: three numbers, on predictions out of fold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from turnout.routing.features import Floats
from turnout.routing.scorer_header import SecondHeader
from turnout.routing.second_opinion import agrees
from turnout.routing.three_ways import BINS, QUANTILES, bin_of
from turnout.training.cascade_curves import figures_at_97
from turnout.training.verifier_fit import FEWEST_ANSWERS, FittedVerifier

# Standard errors that the weight of agreement must stand off 0.
SURE = 2.0


@dataclass(frozen=True)
class FittedSecond:
    """header, gains: for the file. summary: what it is worth out of fold on the rows that hold a second answer."""

    header: dict[str, Any]
    gains: Floats
    summary: dict[str, Any]


def fit_second(fitted: FittedVerifier, slope: float, intercept: float, ratio: float) -> FittedSecond | str:
    """slope, intercept: of the verifier's calibration. Or why there is none."""
    logs = fitted.logs
    held = logs.second_answers or []
    rows = [row for row, text in enumerate(held) if text.strip()]
    if len(rows) < FEWEST_ANSWERS:
        return f"{len(rows)} rows hold a second_answer (at least {FEWEST_ANSWERS})"
    assert logs.answers is not None
    said = np.clip(slope * fitted.predicted[0][rows] + intercept, -1.0, 1.0)
    same = np.array([float(agrees(logs.answers[row], held[row])) for row in rows])
    design, gain = np.column_stack((np.ones(len(rows)), said, same)), logs.gain[rows]
    if not slope > 0 or np.linalg.matrix_rank(design) < 3:
        return "the answers, or whether they agree, are the same in all rows"
    weights, error = _least_squares(design, gain)
    if weights[1] < 0:
        # A doubted answer is worth no less doubt here: agreement alone tells. Fitted anew, for the other two numbers
        # made up for the slope.
        (intercept, agreement), error = _least_squares(design[:, [0, 2]], gain)
        weights = np.array([intercept, 0.0, agreement])
    if weights[2] > -SURE * error:
        return f"agreement is not sure to tell anything ({weights[2]:+.3f} +- {error:.3f} of quality)"
    header = SecondHeader(intercept=float(weights[0]), slope=float(weights[1]), agreement=float(weights[2]))
    paired = np.array([header.gain(float(one), agrees=bool(two)) for one, two in zip(said, same, strict=True)])
    figures = [
        figures_at_97(each, logs.cheap[rows], logs.expensive[rows], ratio, cascade=True) for each in (said, paired)
    ]
    summary = {
        "rows": len(rows),
        "agreeing": float(same.mean()),
        "apgr": figures[1]["apgr"],
        "apgr_first_alone": figures[0]["apgr"],
    }
    return FittedSecond(asdict(header), _by_question(fitted.question[0][rows], paired), summary)


def _least_squares(design: Floats, gain: Floats) -> tuple[Floats, float]:
    """The weights, and the standard error of the last one."""
    weights = np.asarray(np.linalg.lstsq(design, gain, rcond=None)[0], dtype=np.float64)
    spread = float(((gain - design @ weights) ** 2).mean()) * np.linalg.inv(design.T @ design)[-1, -1]
    return weights, float(np.sqrt(spread))


def _by_question(question: Floats, said: Floats) -> Floats:
    """What is said of answers to questions of each eighth of the scores, [BINS, QUANTILES], ascending."""
    ranks = np.argsort(np.argsort(question, kind="stable")) / max(1, len(question))
    bins = np.array([bin_of(rank) for rank in ranks])
    return np.stack([np.quantile(said[bins == at], np.linspace(0.0, 1.0, QUANTILES)) for at in range(BINS)])
