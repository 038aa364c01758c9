"""The table and the picture of `neighbour.py`, from its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def table(results: dict[str, Any]) -> str:
    """Markdown: a row a caller, a column a configuration."""
    runs = results["runs"]
    lines = [
        f"{results['machine']}, load before {results['load_before'][0]:g}; {results['seconds_a_cell']:g} s a cell, "
        f"{results['took_s']:.0f} s in all.",
        "A cell: the honest user's p95 in ms, and what should not be: errors, wrong answers, stops of the loop.",
        "",
        "| beside | " + " | ".join(runs) + " |",
        "|---|" + "---:|" * len(runs),
        "| nobody | " + " | ".join(f"{run['quiet']['p95_ms']:.0f}" for run in runs.values()) + " |",
    ]
    for name in next(iter(runs.values()))["cells"]:
        lines.append(f"| {name} | " + " | ".join(_cell(run["cells"][name], results) for run in runs.values()) + " |")
    lines.append("| p99 over all | " + " | ".join(f"{run['p99_ms']:.0f}" for run in runs.values()) + " |")
    missed = [f"- {name}: {miss}" for name, run in runs.items() for miss in run["misses"]]
    return "\n".join([*lines, "", f"Missed: {len(missed)}", "", *missed]).rstrip() + "\n"


def _cell(one: dict[str, Any], results: dict[str, Any]) -> str:
    figures = [f"{one['p95_ms']:.0f}"]
    figures += [f"{one[key]} {key}" for key in ("errors", "wrong") if one[key]]
    figures += [f"{one['unowed_nano_usd']} nano-USD unowed"] if one["unowed_nano_usd"] else []
    if one["loop_stop_s"] > results["wanted"]["loop_stop_s"]:
        figures.append(f"stop {one['loop_stop_s']:.2f} s")
    return ", ".join(figures)


def draw(results: dict[str, Any], file: Path) -> None:
    """The honest p95 by caller and configuration, as a multiple of the quiet one's."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot, ticker

    runs = results["runs"]
    names = list(next(iter(runs.values()))["cells"])
    figure, axes = pyplot.subplots(figsize=(7, 0.24 * len(names) + 1.5), layout="constrained")
    for index, (configuration, run) in enumerate(runs.items()):
        ratios = [run["cells"][name]["p95_ms"] / run["quiet"]["p95_ms"] for name in names]
        places = [row + (index - (len(runs) - 1) / 2) * 0.18 for row in range(len(names))]
        axes.scatter(ratios, places, s=12, label=configuration)
        failed = [(r, p) for r, p, name in zip(ratios, places, names, strict=True) if _failed(run["cells"][name])]
        axes.scatter([r for r, _ in failed], [p for _, p in failed], s=60, facecolors="none", edgecolors="red")
    axes.axvline(results["wanted"]["p95_ratio"], color="black", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xscale("log")
    for axis_format in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis_format(ticker.FormatStrFormatter("%g"))
    axes.set_xlabel("the honest user's p95, in times of the quiet one's\n(dashed: wanted at most; red ring: an error)")
    axes.set_title("One honest user beside each hostile caller", loc="left")
    axes.legend(frameon=False, fontsize=7)
    figure.savefig(file, dpi=150)
    pyplot.close(figure)


def _failed(one: dict[str, Any]) -> bool:
    return bool(one["errors"] or one["wrong"] or one["unowed_nano_usd"])
