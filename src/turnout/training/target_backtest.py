"""What each routing target would give, on rows that neither chose its threshold nor trained what scored them. Pure.

A row's gain is predicted by a scorer that was trained on other folds; the target's threshold is chosen on the gains
predicted for other texts and held against this one's. So the table promises no more than was seen on rows put aside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from turnout.training.curves import Ranked, bootstrap, by_taken, interval, mean_and_error, midway, quality_figures

Floats = NDArray[np.float64]
Kind = Literal["keep_quality", "max_expensive_share"]
# Parts of the rows: each is held against a threshold that the other nine chose.
PARTS = 10
DRAWS = 400
# The APGR of sending requests at random.
COIN = 0.5


@dataclass(frozen=True, slots=True)
class RoutingTarget:
    """A target as [routing] holds it."""

    kind: Kind
    value: float

    def __str__(self) -> str:
        return f"{self.kind} = {self.value:g}"


ROUTING_TARGETS = (
    *(RoutingTarget("keep_quality", value) for value in (0.9, 0.95, 0.97, 0.99)),
    *(RoutingTarget("max_expensive_share", value) for value in (0.1, 0.3, 0.5)),
)


@dataclass(frozen=True)
class Rows:
    """Labelled rows. predicted: their out-of-fold gains, [repeats, n]. The other arrays: [n]; costs nan where unknown.
    texts: which text each row holds (folds.texts_of); None: each its own."""

    predicted: Floats
    cheap: Floats
    expensive: Floats
    cheap_usd: Floats
    expensive_usd: Floats
    texts: NDArray[np.intp] | None = None

    @cached_property
    def text_numbers(self) -> NDArray[np.intp]:
        return np.arange(len(self.cheap)) if self.texts is None else self.texts


def table(rows: Rows, targets: Sequence[RoutingTarget] = ROUTING_TARGETS, *, seed: int = 0) -> list[dict[str, Any]]:
    """For each target: expensive_share, quality_kept, gap_recovered (None without a gap), saving (None without
    costs), as fractions, each with its 95 % interval under `intervals`."""
    return [
        {"wish": str(target), target.kind: target.value, **_figures(rows, sent(rows, target, seed), seed)}
        for target in targets
    ]


def sent(rows: Rows, target: RoutingTarget, seed: int) -> Floats:
    """The share of the repeats in which each row is expensive, [n], by a threshold that other rows chose."""
    chosen = _by_quality(rows, target.value) if target.kind == "keep_quality" else _by_share(target.value)
    count = int(rows.text_numbers.max()) + 1
    fold = (np.random.default_rng(seed).permutation(count) % PARTS)[rows.text_numbers]
    expensive = np.zeros_like(rows.predicted)
    for repeat, predicted in enumerate(rows.predicted):
        for number in np.unique(fold):
            outside = fold == number
            # Of a single text nobody else can choose.
            choosing = ~outside if count > 1 else outside
            threshold, of_ties = chosen(predicted[choosing], choosing)
            expensive[repeat, outside] = np.where(
                predicted[outside] == threshold, of_ties, (predicted[outside] > threshold).astype(np.float64)
            )
    mean: Floats = expensive.mean(axis=0)
    return mean


# The predicted gains of some rows, and which rows they are -> the threshold that they choose, and the share of those
# just there that is expensive.
ChooseThreshold = Callable[[Floats, NDArray[np.bool_]], tuple[float, float]]


def _by_share(share: float) -> ChooseThreshold:
    """In service a share is kept whatever the scores: of equal ones, as many as it takes."""

    def chosen(predicted: Floats, _: NDArray[np.bool_]) -> tuple[float, float]:
        threshold = float(np.quantile(predicted, 1.0 - share, method="lower"))
        above, equal = int((predicted > threshold).sum()), int((predicted == threshold).sum())
        return threshold, min(1.0, max(0.0, (share * len(predicted) - above) / equal))

    return chosen


def _by_quality(rows: Rows, quality: float) -> ChooseThreshold:
    """The threshold of the smallest share that keeps this much of all-expensive's quality, on these rows."""

    def chosen(predicted: Floats, inside: NDArray[np.bool_]) -> tuple[float, float]:
        cheap, expensive = rows.cheap[inside], rows.expensive[inside]
        order, kept = by_taken(predicted, cheap, expensive)
        reached = np.flatnonzero(kept >= quality * expensive.sum() - 1e-12)
        return midway(predicted[order], int(reached[0]) if len(reached) else len(predicted)), 1.0

    return chosen


def _figures(rows: Rows, expensive: Floats, seed: int) -> dict[str, Any]:
    # A row that some repeats send and others do not counts as the mixture.
    routed = rows.cheap + expensive * (rows.expensive - rows.cheap)
    usd = rows.cheap_usd + expensive * (rows.expensive_usd - rows.cheap_usd)
    costly = bool(np.isfinite(usd).all() and rows.expensive_usd.sum() > 0)

    def figures(weight: Floats) -> dict[str, float | None]:
        dear, cheap, ours = (float(np.dot(weight, values)) for values in (rows.expensive, rows.cheap, routed))
        gap = dear - cheap
        return {
            "expensive_share": float(np.dot(weight, expensive) / weight.sum()),
            "quality_kept": ours / dear if dear else None,
            "gap_recovered": (ours - cheap) / gap if gap > 1e-9 else None,
            "saving": 1.0 - float(np.dot(weight, usd) / np.dot(weight, rows.expensive_usd)) if costly else None,
        }

    even = np.ones(len(expensive))
    drawn = bootstrap(figures, even, draws=DRAWS, seed=seed, texts=rows.texts)
    return {**figures(even), "intervals": {name: interval(values) for name, values in drawn.items()}}


def worth(rows: Rows, seed: int = 0) -> tuple[float, list[float]] | None:
    """The APGR out of fold and its 95 % interval, the mean of the repeats; None where there is no gap to recover."""
    ranked = [Ranked.of(predicted, rows.cheap, rows.expensive) for predicted in rows.predicted]

    def figures(weight: Floats) -> dict[str, float | None]:
        apgrs = [quality_figures(each, weight[each.order])["apgr"] for each in ranked]
        return {"apgr": None if None in apgrs else float(np.mean(apgrs))}

    even = np.ones(len(rows.cheap))
    apgr, drawn = figures(even)["apgr"], bootstrap(figures, even, draws=DRAWS // 2, seed=seed, texts=rows.texts)
    return None if apgr is None or "apgr" not in drawn else (apgr, interval(drawn["apgr"]))


def no_better(rows: Rows, apgr_interval: tuple[float, list[float]] | None) -> list[str]:
    """Where nothing is surely learnt: that it may be luck. apgr_interval: what the rows are worth."""
    if apgr_interval is None or apgr_interval[1][0] > COIN:
        return []
    apgr, (low, high) = apgr_interval
    alike = "every request scores the same" if not np.ptp(rows.predicted, axis=1).any() else ""
    sure = f"APGR {apgr:.3f} ({low:.3f} to {high:.3f}; a coin's is {COIN:g})"
    return [
        f"this scorer may be no better than a coin: {alike or sure}; label more rows, or tell each request's group "
        "or system prompt"
    ]


# Half an interval that is worth calling a promise: a point.
PROMISE = 0.01


def too_wide(rows: Rows, lines: Sequence[dict[str, Any]]) -> list[str]:
    """Why the table promises little: how wide its intervals are, and how many rows would make them a point. Where
    the expensive tier is not surely better, no number of rows is named, because it would rest on chance."""
    warnings = []
    for line in lines:
        target = line.get("keep_quality")
        if target != 0.95 or "quality_kept" not in line["intervals"]:
            continue
        low, high = line["intervals"]["quality_kept"]
        half = (high - low) / 2
        # However wide: what is surely kept is kept, as a cheap tier that is better keeps it.
        if half <= 2 * PROMISE or low >= target:
            continue
        count = int(rows.text_numbers.max()) + 1
        what = "rows" if count == len(rows.cheap) else "different texts"
        warning = f"{count} {what} promise little: keep_quality = {target:g} kept between {low:.1%} and {high:.1%}; "
        if not _gap_is_sure(rows):
            warnings.append(warning + "the tiers are too alike on them to tell how many would do")
            continue
        wanted = int(np.ceil(count * (half / PROMISE) ** 2 / 100) * 100)
        warnings.append(warning + f"for a point to either side label about {wanted:,}")
    return warnings


def _gap_is_sure(rows: Rows) -> bool:
    """Whether the expensive tier is better by more than two standard errors."""
    mean, error = mean_and_error(rows.expensive - rows.cheap, np.ones(len(rows.cheap)), rows.text_numbers)
    return mean > 2 * error
