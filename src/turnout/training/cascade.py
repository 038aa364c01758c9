"""Trains a scorer with a verifier of cheap answers, and refuses the verifier where it does not pay on these logs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.logs.labelled import Logs
from turnout.routing.answer_signs import SIGNS_VERSION
from turnout.routing.artifact import Artifact
from turnout.routing.features import Floats
from turnout.routing.scorer import FileScorer
from turnout.routing.three_ways import BINS, QUANTILES, bin_of
from turnout.routing.verifier import PREFIX
from turnout.training import fit
from turnout.training.cascade_curves import CostCurve, cost_curves, figures_at_97, paired_added, safe_rows
from turnout.training.curves import by_taken, midway
from turnout.training.embedding import Embedding
from turnout.training.estimators import Forest, Linear, RankLinear, flattened
from turnout.training.fit import Fitted, Progress
from turnout.training.folds import texts_of
from turnout.training.scorer_file import QUALITIES, calibration, gain_ranks
from turnout.training.second_fit import FittedSecond, fit_second
from turnout.training.verifier_fit import SHARES, FittedVerifier, fit_verifier, with_answers

# gpt-4o to gpt-4o-mini.
PRICE_RATIO = 16.7


@dataclass(frozen=True)
class FittedCascade:
    """fitted: the scorer, its file with the verifier's part. summary: what the verifier is worth out of fold. curves:
    cost against quality, out of fold."""

    fitted: Fitted
    verifier: FittedVerifier
    summary: dict[str, Any]
    curves: dict[str, CostCurve]


def price_ratio(logs: Logs, given: float | None) -> float:
    """What an expensive call costs, a cheap one costing 1: by the rows' costs, else as given, else PRICE_RATIO."""
    if logs.has_costs and (cheap := float(logs.cheap_usd.mean())) > 0:
        return max(1.0, float(logs.expensive_usd.mean()) / cheap)
    return PRICE_RATIO if given is None else given


def train_cascade(
    logs: Logs,
    *,
    ratio: float | None = None,
    cheap_model: str = "",
    seed: int = 0,
    embedding: Embedding | None = None,
    progress: Progress | None = None,
) -> FittedCascade:
    """Fits both on the rows that hold a cheap answer. Raises LogError."""
    answered = with_answers(logs)
    fitted = fit.train(answered, seed=seed, embedding=embedding, progress=progress)
    verifier = fit_verifier(fitted, seed=seed, progress=progress)
    summary = _worth(verifier, price_ratio(answered, ratio), seed)
    header, arrays = _file_part(verifier, summary, cheap_model)
    own = {**fitted.artifact.header, "cascade": header}
    own["keep_quality"] = _thresholds(fitted.predicted, fitted.logs, dict(fitted.artifact.arrays))
    artifact = Artifact(header=own, arrays={**fitted.artifact.arrays, **arrays})
    curves = _cost_curves(verifier, header, arrays[f"{PREFIX}gains"], summary["price_ratio"])
    return FittedCascade(replace(fitted, artifact=artifact, scorer=FileScorer(artifact)), verifier, summary, curves)


def _cost_curves(verifier: FittedVerifier, header: dict[str, Any], gains: Floats, ratio: float) -> dict[str, CostCurve]:
    logs, said = verifier.logs, header["gain_slope"] * verifier.predicted[0] + header["gain_intercept"]
    return cost_curves(_ranks(verifier.question[0]), said, gains, logs.cheap, logs.expensive, ratio)


def _worth(verifier: FittedVerifier, ratio: float, seed: int) -> dict[str, Any]:
    logs = verifier.logs
    paired = paired_added(
        [*verifier.question],
        [*verifier.predicted],
        logs.cheap,
        logs.expensive,
        ratio=ratio,
        texts=texts_of(logs),
        seed=seed,
    )
    figures = {
        name: [figures_at_97(row, logs.cheap, logs.expensive, ratio, cascade=cascade) for row in rows]
        for name, rows, cascade in (("question", verifier.question, False), ("verified", verifier.predicted, True))
    }
    return {
        "price_ratio": ratio,
        "rows": len(logs),
        **paired,
        "apgr": _mean([each["apgr"] for each in figures["verified"]]),
        "apgr_question": _mean([each["apgr"] for each in figures["question"]]),
        "cost_at_97": _mean([each["cost_at_97"] for each in figures["verified"]]),
        "cost_at_97_question": _mean([each["cost_at_97"] for each in figures["question"]]),
        "two_calls_share": _mean([each["expensive_share"] for each in figures["verified"]]),
        "refused": _refusal(paired, ratio),
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _refusal(paired: dict[str, Any], ratio: float) -> str:
    """Why the cascade may not be switched on; "" where it pays."""
    if paired["paired_low"] is None:
        return str(paired["reason"])
    if paired["paired_low"] > 0:
        return ""
    return (
        f"at a price ratio of {ratio:.1f}, all cheap calls paid, it is not sure to add anything to the question alone "
        f"({100 * paired['added']:+.1f} % of the gap, {100 * paired['paired_low']:+.1f} to "
        f"{100 * paired['paired_high']:+.1f})"
    )


def _file_part(
    verifier: FittedVerifier, summary: dict[str, Any], cheap_model: str
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    logs, mean = verifier.logs, float(verifier.logs.net_gain.mean())
    arrays: dict[str, NDArray[Any]] = {}
    *of_views, of_question = map(float, SHARES)
    intercept = mean - of_question * float(verifier.question[0].mean())
    depth = 0
    for share, view in zip(of_views, verifier.views.values(), strict=True):
        intercept -= mean * share
        if isinstance(view, Forest):
            arrays |= flattened([(view, share)])
            depth = view.depth
        elif isinstance(view, RankLinear):
            arrays |= {"knots": view.knots, "rank_weights": view.weights * share, "rank_middle": view.middle}
            intercept += view.intercept * share
        else:
            assert isinstance(view, Linear)
            arrays["words"] = view.weights * share
            intercept += view.intercept * share
    predicted = verifier.predicted.ravel()
    slope, offset = calibration(predicted, np.tile(logs.gain, len(verifier.predicted)))
    arrays["ranks"], arrays["levels"] = gain_ranks(predicted)
    arrays["gains"] = _gains(verifier, slope, offset)
    header = {
        "signs": SIGNS_VERSION,
        "refused": summary["refused"],
        "cheap_model": cheap_model,
        "price_ratio": summary["price_ratio"],
        "intercept": intercept,
        "question_share": of_question,
        "gain_slope": slope,
        "gain_intercept": offset,
        "trees": len(arrays["tree_roots"]),
        "tree_depth": depth,
        "keep_quality": _thresholds(verifier.predicted, logs, arrays),
        "summary": summary,
    }
    second = fit_second(verifier, slope, offset, summary["price_ratio"])
    if isinstance(second, FittedSecond):
        header["second"], arrays["second_gains"] = second.header, second.gains
    summary["second"] = second.summary if isinstance(second, FittedSecond) else {"refused": second}
    return header, {f"{PREFIX}{name}": array for name, array in arrays.items()}


def _thresholds(predicted: Floats, logs: Logs, arrays: dict[str, NDArray[Any]]) -> list[list[float]]:
    """Rows of (quality kept, threshold): by predictions out of fold, with a margin, for rows that are yet to come."""
    tiled = [np.tile(quality, len(predicted)) for quality in (logs.cheap, logs.expensive)]
    order, _ = by_taken(predicted.ravel(), *tiled)
    sorted_gains = predicted.ravel()[order]
    table = []
    for target, taken in safe_rows(predicted, logs.cheap, logs.expensive, QUALITIES):
        raw = midway(sorted_gains, taken)
        table.append([target, float(np.interp(raw, arrays["ranks"], arrays["levels"], left=0.0, right=1.0))])
    return table or [[1.0, 0.0]]


def _gains(verifier: FittedVerifier, slope: float, offset: float) -> Floats:
    """What the verifier said of answers to questions of each eighth of the scores, [BINS, QUANTILES], ascending."""
    levels = np.linspace(0.0, 1.0, QUANTILES)
    question, said = verifier.question[0], slope * verifier.predicted[0] + offset
    bins = np.array([bin_of(rank) for rank in _ranks(question)])
    return np.stack([np.quantile(said[bins == at], levels) for at in range(BINS)])


def _ranks(values: Floats) -> Floats:
    """Of each the share of them below it, [n]."""
    return np.argsort(np.argsort(values, kind="stable")) / max(1, len(values))
