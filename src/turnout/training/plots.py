"""The chart: what each share of expensive calls gives up, beside the routes that need no scorer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from turnout.training.curves import recovered
from turnout.training.labelled_logs import Logs

Floats = NDArray[np.float64]


def cost_quality(path: str | Path, logs: Logs, score: Floats, chosen: tuple[float, float] | None) -> None:
    """Draws the curve into a PNG. chosen: share and kept quality of the point that keeps 95 %."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 5), dpi=120, layout="constrained")
    share, quality = recovered(score, logs.cheap, logs.expensive)
    length = np.array([float(len(str(query.messages[-1].get("content")))) for query in logs.queries])
    axes.plot(100 * share, quality, color="#1f5fa8", linewidth=2.2, label="Turnout", zorder=3)
    by_length = recovered(length, logs.cheap, logs.expensive)
    axes.plot(100 * by_length[0], by_length[1], color="#c98a1b", linewidth=1.2, label="longest prompts first")
    ends = [float(logs.cheap.mean()), float(logs.expensive.mean())]
    axes.plot([0, 100], ends, color="#8a8a8a", linestyle="--", linewidth=1.2, label="random")
    axes.plot([0], ends[:1], "o", color="#3f8f4f", label=f"all cheap ({ends[0]:.3f})", zorder=4)
    axes.plot([100], ends[1:], "s", color="#a83232", label=f"all expensive ({ends[1]:.3f})", zorder=4)
    if chosen is not None:
        at, kept = chosen
        axes.plot([100 * at], [kept * ends[1]], "*", markersize=15, color="#1f5fa8", zorder=5,
                  label=f"keep_quality = 0.95: {at:.0%} expensive, {kept:.1%} kept")  # fmt: skip
    axes.set_xlabel("share of requests to the expensive tier, %")
    axes.set_ylabel("mean quality")
    axes.set_title(f"What each share costs and gives up ({len(logs)} requests)")
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, format="png")
    plt.close(figure)
