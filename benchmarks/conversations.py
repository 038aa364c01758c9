"""What does it save to keep a conversation with its model, and what does it cost in quality?

    python benchmarks/conversations.py FOLDER [--json] [--turns N]   (of labelled logs, NAME.csv.gz)

Simulated: conversations of 2 to 40 turns whose questions are rows of labelled logs, against providers that keep a
prompt cache as the real ones do: of a prefix, from a least length on, for 300 s after its last use, at the public
prices of two pairs of models. Half of the conversations keep to one topic of the logs. Of four policies, for routing
targets from all cheap to all expensive: what they cost, the mean of the labelled quality, the cached share of the
prompts' tokens, and how often a conversation changes its model.

    no stickiness    each turn by its own score
    always sticky    each conversation by the score of its first turn
    ours             the package's own Router and Conversations, turn by turn in the order of time: no copy of the rule
    best by scores   the ceiling of what this scorer can do: the cheapest way to each expected quality, for who knew
                     beforehand when all turns come, how long they are and what they score, but no answers
    hindsight        the cheapest way to each quality, for who also knew all answers

All but hindsight go by the same scorer, trained by train's defaults on the half of the logs that is not served. Costs
are compared at equal quality: a policy's cost at a quality is read off the lower hull of its targets' (quality, cost),
so each may also mix two targets by chance. "Recovered" is the part of the way from all-cheap's to all-expensive's
quality; "reached" the part of the ceiling's saving, beside the better of the first two policies, that ours has. No rule
can have all of it: ours sees no turn before it comes, and leaves a conversation's first turn to its score.

Beside the simulation a few of its conversations are served in earnest: Turnout with litellm over HTTP to a loopback
provider that finds cached prefixes in what it is sent. Each turn must be decided as the simulation decided it, and
Turnout's bill must be the provider's, to the micro-dollar.

Caveats. Questions of one conversation are drawn independently within its topic: real ones depend on each other. Answers
are as long on either tier. The logs' quality pairs are of other models than those whose prices are used. Qualities are
means of noisy labels, so three times as many turns are drawn for the mixes. A whole run writes
results/conversations.json and .png.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from conversation_loopback import served_in_earnest
from conversation_traffic import (
    PRICES,
    App,
    Conversation,
    Shape,
    always_sticky,
    bill,
    conversations,
    foreseen,
    ours,
    unsticky,
)
from turnout.routing.share_control import ShareControl

RESULTS = Path(__file__).parent / "results"
LOGS = ("mixed14", "mmlu_pro_flash_pro", "routerbench")
TURNS = (2, 5, 10, 20, 40)
CONTEXTS = {"short": 200, "long": 60_000}
BOTH = tuple(PRICES)
MIX = Shape(turns=None, contexts=tuple(CONTEXTS.values()), prices=BOTH)
THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
# Parts of the way from all-cheap's to all-expensive's quality at which costs are compared.
RECOVERED = (0.2, 0.35, 0.5, 0.65, 0.8)
NONE, ALWAYS, OURS, CEILING = "no stickiness", "always sticky", "ours", "best by scores"
HINDSIGHT = "hindsight"
Point = tuple[float, float]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")
    asked.add_argument("--turns", type=int, default=3_000, help="about how many turns each kind of traffic has")
    options = asked.parse_args()
    began = time.perf_counter()
    apps = [App.of(options.folder, name) for name in LOGS]
    cells = []
    for context, tokens in CONTEXTS.items():
        for turns in TURNS:
            shape = Shape(turns=turns, contexts=(tokens,), prices=BOTH)
            cells.append({"turns": turns, "context": context, "logs": LOGS[0], **measured(apps[0], shape, options)})
            say(options, cells[-1])
    mixes = [{"logs": app.name, **measured(app, MIX, options, times=3, share=True)} for app in apps]
    for mix in mixes:
        say(options, {"turns": "2-40", "context": "mix", **mix})
    figures = {
        "machine": f"{platform.machine()}, {os.cpu_count()} shared cores, Python {platform.python_version()}",
        "seconds": 0.0,
        "wanted": wanted(cells, mixes),
        "loopback": asyncio.run(served_in_earnest(apps[0])),
        "mix": mixes,
        "cells": cells,
    }
    figures["seconds"] = round(time.perf_counter() - began, 1)
    if options.turns >= 3_000:
        (RESULTS / "conversations.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        draw(figures, RESULTS / "conversations.png")
    summary = {key: figures[key] for key in ("machine", "seconds", "wanted", "loopback")}
    print(json.dumps(figures, indent=1) if options.json else json.dumps(summary, indent=1))


def measured(
    app: App, shape: Shape, options: argparse.Namespace, *, times: int = 1, share: bool = False
) -> dict[str, Any]:
    """Every policy on the same conversations. times: as many turns as asked. share: also under a share."""
    talks = conversations(app, shape, times * options.turns, seed=1)
    answers, expected = app.logs.gain, app.expected_gains
    policies = {
        NONE: swept(app, talks, lambda at: unsticky(app, talks, at), THRESHOLDS),
        ALWAYS: swept(app, talks, lambda at: always_sticky(app, talks, at), THRESHOLDS),
        OURS: swept(app, talks, lambda at: ours(app, talks, lambda: at), THRESHOLDS[1:-1]),
        CEILING: swept(app, talks, lambda usd: foreseen(talks, usd, expected), rates(app, talks, expected)),
        HINDSIGHT: swept(app, talks, lambda usd: foreseen(talks, usd, answers), rates(app, talks, answers)),
    }
    found: dict[str, Any] = {"conversations": len(talks), "at_equal_quality": compared(policies), "policies": policies}
    if share:
        tiers = ours(app, talks, lambda: ShareControl(0.3))
        found["max_expensive_share"] = {"asked": 0.3, **asdict(bill(app, talks, tiers))}
    return found


def swept(app: App, talks: Sequence[Conversation], route: Callable[[float], Any], targets: Sequence[float]) -> Any:
    """One point a target."""
    return [{"target": float(at), **asdict(bill(app, talks, route(at)))} for at in targets]


def rates(app: App, talks: Sequence[Conversation], gains: Sequence[float]) -> list[float]:
    """USD for a unit of gain, from what changes little to what changes all."""
    cheap, dear = (bill(app, talks, unsticky(app, talks, at)) for at in (1.01, 0.0))
    gained = sum(gains[row] for talk in talks for row in talk.rows)
    mean = max(1e-9, dear.usd - cheap.usd) / max(1e-3, gained)
    return [float(mean * factor) for factor in np.geomspace(0.1, 3, 8)]


def hull(points: Sequence[Point]) -> list[Point]:
    """The lower convex hull of cost by quality, from its cheapest point upwards."""
    kept: list[Point] = []
    for point in sorted(points):
        while len(kept) >= 2 and _bends(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return kept[min(range(len(kept)), key=lambda at: kept[at][1]) :]


def _bends(a: Point, b: Point, c: Point) -> bool:
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])


def cost_at(points: Sequence[Point], quality: float) -> float:
    """The cost at this quality, in USD."""
    lower = hull(points)
    if quality <= lower[0][0]:
        return lower[0][1]
    return float(np.interp(quality, [q for q, _ in lower], [usd for _, usd in lower], right=np.inf))


def compared(policies: dict[str, Any]) -> list[dict[str, float]]:
    """What each policy costs for the same quality, in USD."""
    cheap, dear = policies[NONE][-1], policies[NONE][0]
    ends = [(cheap["quality"], cheap["usd"]), (dear["quality"], dear["usd"])]
    rows = []
    for part in RECOVERED:
        quality = cheap["quality"] + part * (dear["quality"] - cheap["quality"])
        row: dict[str, float] = {"recovered": part, "quality": quality}
        for name, points in policies.items():
            row[name] = cost_at([*((one["quality"], one["usd"]) for one in points), *ends], quality)
        better = min(row[NONE], row[ALWAYS])
        row["ours_to_better_simple"] = row[OURS] / better
        row["reached"] = (better - row[OURS]) / max(1e-9, better - row[CEILING])
        rows.append(row)
    return rows


def wanted(cells: list[dict[str, Any]], mixes: list[dict[str, Any]]) -> dict[str, float]:
    """The figures that the rule is held to, and what part of the ceiling's saving it reaches."""

    def ratios(of: list[dict[str, Any]]) -> list[float]:
        return [row["ours_to_better_simple"] for one in of for row in one["at_equal_quality"]]

    return {
        "most_in_any_cell": max(ratios(cells)),
        "most_in_the_mix": max(ratios(mixes[:1])),
        "mean_in_the_mix": float(np.mean(ratios(mixes[:1]))),
        "mean_in_the_other_mixes": float(np.mean(ratios(mixes[1:]))),
        "reached_in_the_mixes": float(np.mean([row["reached"] for one in mixes for row in one["at_equal_quality"]])),
    }


def say(options: argparse.Namespace, cell: dict[str, Any]) -> None:
    if not options.json:
        ratios = " ".join(
            f"{row[OURS] / row[NONE]:.2f}/{row[OURS] / row[ALWAYS]:.2f}/{row[CEILING] / row[OURS]:.2f}"
            for row in cell["at_equal_quality"]
        )
        middle = cell["policies"][OURS][4]
        told = f"cached {middle['cached']:.0%}, {middle['switches']:.1f} switches"
        print(f"{cell['turns']!s:>5} turns, {cell['context']:5} {cell['logs']:18} {ratios}  {told}", flush=True)


LOOKS = {
    NONE: ("#c98a1b", "s"),
    ALWAYS: ("#8a8a8a", "v"),
    OURS: ("#14407a", "o"),
    CEILING: ("#8fb8de", "d"),
    HINDSIGHT: ("#3f8f4f", "*"),
}


def draw(figures: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chart, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5.5), dpi=110, layout="constrained")
    mix = figures["mix"][0]
    for name, (colour, mark) in LOOKS.items():
        points = sorted((one["usd"], one["quality"]) for one in mix["policies"][name])
        left.plot(*zip(*points, strict=True), color=colour, marker=mark, markersize=5, label=name)
    left.set_xlabel("cost of all turns, USD")
    left.set_ylabel("mean quality, by the labelled logs")
    left.set_title(f"The mix: 2 to 40 turns, short and 60,000-token contexts ({mix['conversations']} conversations)")
    left.grid(alpha=0.3)
    left.legend(frameon=False)
    labels, values = [], []
    for cell in figures["cells"]:
        half = next(row for row in cell["at_equal_quality"] if row["recovered"] == 0.5)
        labels.append(f"{cell['turns']} turns, {cell['context']} context")
        values.append((half[OURS] / half[NONE] - 1, half[OURS] / half[ALWAYS] - 1))
    for place, name in enumerate((NONE, ALWAYS)):
        at = [row + 0.2 - 0.4 * place for row in range(len(values))]
        right.barh(at, [100 * value[place] for value in values], 0.38, color=LOOKS[name][0], label=f"against {name}")
    right.set_yticks(range(len(labels)), labels, fontsize=9)
    right.invert_yaxis()
    right.axvline(0, color="0.3", linewidth=1)
    right.set_xlabel("ours costs so much more (%), at half of the quality gap recovered")
    right.grid(axis="x", alpha=0.3)
    right.legend(frameon=False, fontsize=8)
    chart.savefig(path)


if __name__ == "__main__":
    main()
