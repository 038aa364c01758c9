"""The pictures: what each share of expensive calls gives up, and whether the predicted gains come true."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.atomic_file import replacing
from turnout.logs.labelled import Logs
from turnout.openai.messages import last_user_text
from turnout.training.curves import Ranked, bootstrap
from turnout.training.folds import texts_of

Floats = NDArray[np.float64]
# By the name of each, its points: (cost, mean quality).
CostCurves = Mapping[str, Sequence[tuple[float, float]]]

# Of the confidence band: many rows need fewer.
DRAWS, DRAWS_OF_MANY, MANY = 300, 60, 20_000
BAND_GRID = np.linspace(0.0, 1.0, 201)
# The shares at which the axis above the curve names a cost.
COST_TICKS = np.linspace(0.0, 1.0, 6)
OURS, LENGTH, RANDOM, CHEAP, DEAR = "#1f5fa8", "#c98a1b", "#8a8a8a", "#3f8f4f", "#a83232"
# In the picture's own words about itself, by which it is known as ours.
MARKS = {"png": {"Software": "turnout"}, "svg": {"Creator": "turnout", "Date": None}}
# Few rows make few bins: of under this many a bin's mean says nothing.
ROWS_A_BIN = 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """A point on the curve: the target that chose it, its share of expensive calls, the share of quality it keeps."""

    target: str
    share: float
    kept: float


def curve_and_calibration(
    path: str | Path,
    logs: Logs,
    score: Floats,
    gain: Floats,
    chosen: Chosen | None,
    title: str,
    costs: CostCurves | None = None,
) -> None:
    """Draws the curve and, beside it, the calibration into one PNG, or one SVG where the name ends so; without that
    where every predicted gain is the same. score, gain: as predicted, [n]. title: whose rows, and whose scores. costs:
    a cascade's curves, drawn beside them."""
    kind = "svg" if Path(path).suffix.lower() == ".svg" else "png"
    plt = _pyplot()
    panels: list[tuple[float, Callable[[Any], None]]] = [(7.5, lambda axes: _curve(axes, logs, score, chosen))]
    if np.ptp(gain) > 0:
        panels.append((5.5, lambda axes: _calibration(axes, gain, logs.gain, logs.weight)))
    if costs is not None:
        panels.append((5.5, lambda axes: _costs(axes, costs)))
    widths = [width for width, _ in panels]
    figure, places = plt.subplots(1, len(panels), figsize=(sum(widths), 5), dpi=120, layout="constrained",
                                  width_ratios=widths, squeeze=False)  # fmt: skip
    for axes, (_, draw) in zip(places[0], panels, strict=True):
        draw(axes)
    figure.suptitle(textwrap.fill(title, round(9.3 * sum(widths))), fontsize=11, color="#555555")
    with replacing(Path(path)) as file:
        figure.savefig(file, format=kind, metadata=MARKS[kind])
    plt.close(figure)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    # It tells of what it guesses about our labels, where anybody has set logging up.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    import matplotlib.pyplot as plt

    return plt


def _curve(axes: Any, logs: Logs, score: Floats, chosen: Chosen | None) -> None:
    share, quality = _weighted(score, logs)
    by_length = _weighted(np.array([float(len(last_user_text(query.messages))) for query in logs.queries]), logs)
    low, high = float(quality[0]), float(quality[-1])
    axes.fill_between(100 * BAND_GRID, *band(score, logs), color=OURS, alpha=0.15, linewidth=0, label="middle 95 %")
    axes.plot(100 * share, quality, color=OURS, linewidth=2.2, label="Turnout", zorder=3)
    # Above Turnout's, and thinner: where the two are the same, both are seen.
    axes.plot(100 * by_length[0], by_length[1], color=LENGTH, linewidth=1.2, linestyle=":", zorder=3.5,
              label="longest prompts first")  # fmt: skip
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
    if (usd := cost_ticks(score, logs)) is not None:
        above = axes.twiny()
        above.set_xlim(0, 100)
        above.set_xticks(100 * COST_TICKS, [f"{each:.3g}" for each in usd])
        above.set_xlabel("USD for 1,000 requests", color="#555555")
        above.tick_params(colors="#555555")


def band(score: Floats, logs: Logs) -> tuple[Floats, Floats]:
    """The middle 95 % of the bootstrap's draws of the curve, along BAND_GRID: low and high, each [grid]."""
    ranked = Ranked.of(score, logs.cheap, logs.expensive)
    drawn: list[Floats] = []

    def draw(weight: Floats) -> dict[str, Any]:
        drawn.append(np.interp(BAND_GRID, *ranked.curve(weight[ranked.order])))
        return {}

    draws = DRAWS if len(score) <= MANY else DRAWS_OF_MANY
    bootstrap(draw, logs.weight, draws=draws, texts=texts_of(logs))
    low, high = np.quantile(np.array(drawn), (0.025, 0.975), axis=0)
    return low, high


def cost_ticks(score: Floats, logs: Logs) -> Floats | None:
    """What 1,000 requests cost in USD at each of COST_TICKS; None where not every cost is known."""
    ranked = Ranked.of(score, logs.cheap, logs.expensive, costs=(logs.cheap_usd, logs.expensive_usd))
    if ranked.cheap_usd is None:
        return None
    weight = logs.weight[ranked.order]
    share, _ = ranked.curve(weight)
    usd: Floats = 1000 * np.interp(COST_TICKS, share, ranked.costs(weight))
    return usd


def _weighted(score: Floats, logs: Logs) -> tuple[Floats, Floats]:
    ranked = Ranked.of(score, logs.cheap, logs.expensive)
    return ranked.curve(logs.weight[ranked.order])


def calibration_points(predicted: Floats, gain: Floats, weight: Floats) -> list[tuple[float, float, float]]:
    """Of equal parts of the rows by their predicted gain: its mean, the measured one, and two standard errors of that;
    none where every predicted gain is the same."""
    counts = np.flatnonzero(weight > 0)
    if not np.ptp(predicted[counts]):
        return []
    order = counts[np.argsort(predicted[counts], kind="stable")]
    bins = max(2, min(10, len(order) // ROWS_A_BIN))
    middle = np.cumsum(weight[order]) - weight[order] / 2
    which = (middle / weight.sum() * bins).astype(int)
    parts = [order[which == number] for number in range(bins) if (which == number).any()]
    return [_point(predicted[part], gain[part], weight[part] / weight[part].sum()) for part in parts]


def _calibration(axes: Any, predicted: Floats, gain: Floats, weight: Floats) -> None:
    """Predicted against measured gain by tenths of the predicted; bars are two standard errors."""
    points = calibration_points(predicted, gain, weight)
    x, y, error = np.array(points).T
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
    axes.plot(ends, ends, color=RANDOM, linestyle="--", linewidth=1.2, label="predictions come true")
    axes.errorbar(x, y, yerr=error, fmt="o", color=OURS, capsize=3, label=f"measured, {len(points)} equal parts")
    axes.set_xlabel("expected gain, predicted")
    axes.set_ylabel("mean gain measured (bars: two standard errors)")
    axes.set_title("Do the expected gains come true?")
    axes.grid(alpha=0.25)
    axes.legend(loc="best", framealpha=0.9, edgecolor="none")


def _costs(axes: Any, costs: CostCurves) -> None:
    """Cost against quality: by the question, with every cheap answer read, and by the three ways."""
    for name, color, label, style in (
        ("question", OURS, "by the question alone", "-"),
        ("both", CHEAP, "as a cascade serves: three ways", "-"),
        # Above it: where the two are the same, both are seen.
        ("cascade", LENGTH, "each cheap answer read", ":"),
    ):
        cost, quality = zip(*costs[name], strict=True)
        axes.plot([100 * each for each in cost], quality, style, color=color, linewidth=1.8, label=label)
    axes.set_xlabel("cost, % of all-expensive's, every cheap call paid")
    axes.set_ylabel("mean quality")
    axes.set_title("What a cascade costs")
    axes.grid(alpha=0.25)
    axes.legend(loc="best", framealpha=0.9, edgecolor="none")


def _point(predicted: Floats, gain: Floats, weight: Floats) -> tuple[float, float, float]:
    """The mean predicted and measured gain, and two standard errors of the latter. weight: adds up to 1."""
    mean = float(np.dot(weight, gain))
    error = float(np.sqrt(np.dot(weight, (gain - mean) ** 2) * np.dot(weight, weight)))
    return float(np.dot(weight, predicted)), mean, 2 * error
