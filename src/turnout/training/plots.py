"""The pictures: what each share of expensive calls gives up, and whether the predicted gains come true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.atomic_file import replacing
from turnout.logs.labelled import Logs
from turnout.openai.messages import last_user_text
from turnout.training.curves import Ranked

Floats = NDArray[np.float64]

OURS, LENGTH, RANDOM, CHEAP, DEAR = "#1f5fa8", "#c98a1b", "#8a8a8a", "#3f8f4f", "#a83232"
# A text chunk of the picture, by which it is known as ours.
PNG_MARK = {"Software": "turnout"}
# Few rows make few bins: of under this many a bin's mean says nothing.
ROWS_A_BIN = 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """A point on the curve: the target that chose it, its share of expensive calls, the share of quality it keeps."""

    target: str
    share: float
    kept: float


def curve_and_calibration(path: str | Path, logs: Logs, score: Floats, gain: Floats, chosen: Chosen | None) -> None:
    """Draws the curve and, beside it, the calibration into one PNG; the curve alone where every predicted gain is the
    same. score, gain: as predicted, [n]."""
    plt = _pyplot()
    if np.ptp(gain) > 0:
        figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), dpi=120, layout="constrained", width_ratios=(7, 5))
        _calibration(right, gain, logs.gain, logs.weight)
    else:
        figure, left = plt.subplots(figsize=(7.5, 5), dpi=120, layout="constrained")
    _curve(left, logs, score, chosen)
    with replacing(Path(path)) as file:
        figure.savefig(file, format="png", metadata=PNG_MARK)
    plt.close(figure)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _curve(axes: Any, logs: Logs, score: Floats, chosen: Chosen | None) -> None:
    share, quality = _weighted(score, logs)
    by_length = _weighted(np.array([float(len(last_user_text(query.messages))) for query in logs.queries]), logs)
    low, high = float(quality[0]), float(quality[-1])
    axes.plot(100 * share, quality, color=OURS, linewidth=2.2, label="Turnout", zorder=3)
    axes.plot(100 * by_length[0], by_length[1], color=LENGTH, linewidth=1.2, label="longest prompts first")
    axes.plot([0, 100], [low, high], color=RANDOM, linestyle="--", linewidth=1.2, label="random")
    axes.plot([0], [low], "o", color=CHEAP, label=f"all cheap ({low:.3f})", zorder=4, clip_on=False)
    axes.plot([100], [high], "s", color=DEAR, label=f"all expensive ({high:.3f})", zorder=4, clip_on=False)
    if chosen is not None:
        label = f"{chosen.target}: {chosen.share:.0%} expensive, {chosen.kept:.1%} kept"
        axes.plot([100 * chosen.share], [chosen.kept * high], "*", markersize=15, color=OURS, zorder=5, label=label,
                  markeredgecolor="white", clip_on=False)  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of requests to the expensive tier, %")
    axes.set_ylabel("mean quality")
    axes.set_title(f"What each share of expensive calls gives ({len(logs):,} requests)")
    axes.grid(alpha=0.25)
    axes.legend(loc="best", framealpha=0.9, edgecolor="none")


def _weighted(score: Floats, logs: Logs) -> tuple[Floats, Floats]:
    ranked = Ranked.of(score, logs.cheap, logs.expensive)
    return ranked.curve(logs.weight[ranked.order])


def _calibration(axes: Any, predicted: Floats, gain: Floats, weight: Floats) -> None:
    """Predicted against measured gain by tenths of the predicted; bars are two standard errors."""
    counts = np.flatnonzero(weight > 0)
    order = counts[np.argsort(predicted[counts], kind="stable")]
    bins = max(2, min(10, len(order) // ROWS_A_BIN))
    middle = np.cumsum(weight[order]) - weight[order] / 2
    which = (middle / weight.sum() * bins).astype(int)
    parts = [order[which == number] for number in range(bins) if (which == number).any()]
    x, y, error = np.array([_point(predicted[part], gain[part], weight[part] / weight[part].sum()) for part in parts]).T
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
    axes.plot(ends, ends, color=RANDOM, linestyle="--", linewidth=1.2, label="what is told comes true")
    axes.errorbar(x, y, yerr=error, fmt="o", color=OURS, capsize=3, label=f"measured, {len(parts)} equal parts")
    axes.set_xlabel("expected gain, as told")
    axes.set_ylabel("mean gain measured (bars: two standard errors)")
    axes.set_title("Do the expected gains come true?")
    axes.grid(alpha=0.25)
    axes.legend(loc="best", framealpha=0.9, edgecolor="none")


def _point(predicted: Floats, gain: Floats, weight: Floats) -> tuple[float, float, float]:
    """The mean predicted and measured gain, and two standard errors of the latter. weight: adds up to 1."""
    mean = float(np.dot(weight, gain))
    error = float(np.sqrt(np.dot(weight, (gain - mean) ** 2) * np.dot(weight, weight)))
    return float(np.dot(weight, predicted)), mean, 2 * error
