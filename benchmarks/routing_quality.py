"""Is a scorer trained on an app's own labelled logs worth more than what routes without them?

    python benchmarks/routing_quality.py FOLDER   (of labelled logs, NAME.csv.gz; --files NAME ... asks only these)

Each file's rows are scored by scorers that train's own defaults fitted on the other four of five folds, once without
the tag and once with it. Beside them, on the same rows: a coin, the longest prompts first, and litellm's two local
heuristics of its complexity router, called in process with their shipped defaults. Time is that of one score on the
file's own prompts. A whole run writes results/routing_quality.json and .png; a run of some files prints only.

Caveats. RouteLLM's figures are those it published, on the whole of MMLU and GSM8K, of which these files hold a part:
beside the others, not paired with them. litellm's heuristics sort requests into four tiers, which leaves most of them
tied; they are ordered here by tier, then by the score or the probability that told it. Intervals are the middle 95 %
of the bootstrap's draws of rows: training is not drawn anew. Train's defaults were decided by cross-validation on these
very files: what they are worth here flatters them by that much. The machine is shared and was busy: compare times of
one file, not of two runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.logs import labelled as labelled_logs
from turnout.logs.labelled import Logs
from turnout.openai.messages import last_user_text
from turnout.training import curves, embedding, evaluate
from turnout.training.evaluate import Scored

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results"
FILES = (
    "mmlu", "gsm8k", "chat_gpt35", "chat_llama2", "chat_mixtral",
    "reasoning_haiku_sonnet", "mixed14", "mmlu_pro_flash_pro", "routerbench",
)  # fmt: skip
RANDOM, LENGTH, V1, V2, ROUTELLM, TEXT, TAG = (
    "random", "prompt length", "litellm heuristic v1", "litellm heuristic v2",
    "RouteLLM, published", "Turnout, text only", "Turnout, with the tag",
)  # fmt: skip
# I. Ong et al., "RouteLLM", 2024: its best router on each; None where the figure is not published beside the APGR.
PUBLISHED: dict[str, dict[str, float | None]] = {
    "mmlu": {"apgr": 0.603, "cpt50": 0.354, "cpt80": 0.703},
    "gsm8k": {"apgr": 0.622, "cpt50": None, "cpt80": None},
}
ORDERS = 400
TOLD = ("apgr", "cpt50", "cpt80", "aiq")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--files", nargs="+", choices=FILES, default=FILES, metavar="NAME")
    options = asked.parse_args()
    began = time.perf_counter()
    heuristics = litellm_heuristics()
    files = {}
    for name in options.files:
        files[name] = measured(name, labelled_logs.read_logs([options.folder / f"{name}.csv.gz"]), heuristics)
        show(name, files[name])
    if set(options.files) != set(FILES):
        print("some files only: nothing written")
        return
    machine = f"{platform.machine()}, {os.cpu_count()} shared cores, Python {platform.python_version()}"
    litellm = version("litellm") if heuristics else None
    whole = {"machine": machine, "litellm": litellm, "seconds": time.perf_counter() - began, "files": files}
    (RESULTS / "routing_quality.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    draw(files, RESULTS / "routing_quality.png")
    print("\n" + table(files))
    print(f"\n{machine}; {whole['seconds']:.0f} s")


def litellm_heuristics() -> dict[str, Callable[[str], float]]:
    """Prompt -> how high it is in the heuristic's own order; none, and a line, where they cannot be imported."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        from litellm.router_strategy.adaptive_router.classifier import classify_prompt
        from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter
        from litellm.router_strategy.complexity_router.config import TIER_SEVERITY_ORDER
        from litellm.router_strategy.complexity_router.tier_predictor import TierSuccessPredictor, resolve_tier_artifact
    except ImportError as error:
        print(f"litellm's heuristics are skipped: {error}", file=sys.stderr)
        return {}
    first = ComplexityRouter("auto", None, derive_savings_baseline=False)
    second = TierSuccessPredictor(resolve_tier_artifact("ultrafeedback"))

    def v1(prompt: str) -> float:
        tier, score, _ = first.classify(prompt)
        # Weighted sums of dimensions in [-1, 1] stay below 10: the tier is above, what it was told from below.
        return 10.0 * TIER_SEVERITY_ORDER.index(tier) + float(score)

    def v2(prompt: str) -> float:
        told = second.predict(prompt, classify_prompt(prompt))
        return float(told.required_tier) - told.probabilities[1]

    return {V1: v1, V2: v2}


def asked_of(score: Callable[[str], float], logs: Logs) -> Scored:
    told, took = [], []
    for prompt in [last_user_text(query.messages) for query in logs.queries]:
        began = time.perf_counter()
        told.append(score(prompt))
        took.append((time.perf_counter() - began) * 1e6)
    nothing = np.zeros(len(logs))
    return Scored(np.array(told), nothing, nothing, np.array(took), nothing)


def measured(name: str, logs: Logs, heuristics: dict[str, Callable[[str], float]]) -> dict[str, Any]:
    """Every policy's figures on one file."""
    plain = replace(logs, queries=[replace(query, tag="") for query in logs.queries])
    told = {RANDOM: coin(logs), LENGTH: figures(plain, asked_of(lambda prompt: float(len(prompt)), logs))}
    for title, score in heuristics.items():
        told[title] = figures(plain, asked_of(score, logs))
    if name in PUBLISHED:
        told[ROUTELLM] = dict(PUBLISHED[name])
    meaning = embedding.installed()
    told[TEXT] = figures(plain, evaluate.cross_validated(plain, embedding=meaning))
    if len(set(logs.groups)) > 1:
        told[TAG] = figures(plain, evaluate.cross_validated(logs, embedding=meaning))
    return {"rows": len(logs), "tags": len(set(logs.groups)), "policies": told}


def figures(plain: Logs, told: Scored) -> dict[str, Any]:
    """Of the report, what is compared here. The rows carry no tags: none of these figures is by group."""
    whole = evaluate.report(plain, told)
    kept = {name: whole[name] for name in TOLD if name in whole}
    return kept | {
        "intervals": {name: whole["intervals"][name] for name in kept if name in whole["intervals"]},
        "apgr_standard_error": whole["apgr_standard_error"],
        "us_p50": whole["score_us_p50"],
        "us_p99": whole["score_us_p99"],
    }


def coin(logs: Logs) -> dict[str, Any]:
    """The expected figures of a random order, and how far luck alone takes one on these very rows."""
    rng = np.random.default_rng(0)
    draws = [curves.figures(rng.permutation(len(logs)) * 1.0, logs.cheap, logs.expensive) for _ in range(ORDERS)]
    level = np.zeros(len(logs))
    told = curves.figures(level, logs.cheap, logs.expensive)
    ranked = curves.Ranked.of(level, logs.cheap, logs.expensive, costs=(logs.cheap_usd, logs.expensive_usd))
    told |= curves.cost_figures(ranked, ranked.even)
    return {name: told[name] for name in TOLD if name in told} | {
        "intervals": {name: curves.interval([each[name] for each in draws]) for name in ("apgr", "cpt50", "cpt80")}
    }


def show(name: str, file: dict[str, Any]) -> None:
    print(f"\n{name}, {file['rows']:,} rows")
    for title, one in file["policies"].items():
        low, high = one.get("intervals", {}).get("apgr", (None, None))
        sure = f"{low:.3f} to {high:.3f}" if low is not None else ""
        took = f"{one['us_p50']:7.0f} us" if "us_p50" in one else ""
        aiq = f"  AIQ {one['aiq']:.3f}" if "aiq" in one else ""
        cpt = "  ".join(f"{key.upper()} {percent(one[key]):>6}" for key in ("cpt50", "cpt80"))
        print(f"  {title:<22} APGR {one['apgr']:.3f}  {sure:<14}  {cpt}  {took}{aiq}", flush=True)


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def table(files: dict[str, Any]) -> str:
    """In Markdown: APGR, a row a file; random, at 0.5 in every row, is left out. CPT of ours, with the tag if any."""
    titles = [t for t in (LENGTH, V1, V2, ROUTELLM, TEXT, TAG) if any(t in file["policies"] for file in files.values())]
    lines = [f"| APGR of, rows | {' | '.join(titles)} | its CPT50, CPT80 |", "|---" * (len(titles) + 2) + "|"]
    for name, file in files.items():
        told = file["policies"]
        cells = [cell(told.get(title), sure=title in (TEXT, TAG)) for title in titles]
        ours = told.get(TAG, told[TEXT])
        cells.append(f"{percent(ours['cpt50'])}, {percent(ours['cpt80'])}")
        lines.append(f"| {name}, {file['rows']:,} | " + " | ".join(cells) + " |")
    lines.append("| µs a prompt | " + " | ".join(took(files, title) for title in titles) + " | |")
    return "\n".join(lines)


def took(files: dict[str, Any], title: str) -> str:
    """The least and the most of the files' medians."""
    told = [file["policies"].get(title, {}).get("us_p50") for file in files.values()]
    us = [one for one in told if one is not None]
    if not us:
        return ""
    return f"{min(us):.0f} to {max(us):.0f}" if max(us) >= 1 else "below 1"


def cell(one: dict[str, Any] | None, *, sure: bool) -> str:
    if one is None:
        return ""
    if not sure:
        return f"{one['apgr']:.3f}"
    low, high = one["intervals"]["apgr"]
    return f"{one['apgr']:.3f} ({low:.2f} to {high:.2f})"


LOOKS: dict[str, tuple[str, str]] = {
    LENGTH: ("#8a8a8a", "v"), V1: ("#c98a1b", "s"), V2: ("#a8562a", "D"),
    ROUTELLM: ("#3f8f4f", "*"), TEXT: ("#6fa3dc", "o"), TAG: ("#14407a", "o"),
}  # fmt: skip


def draw(files: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chart, axes = pyplot.subplots(figsize=(10, 10.5), dpi=120, layout="constrained")
    for row, file in enumerate(files.values()):
        if row % 2:
            axes.axhspan(row - 0.5, row + 0.5, color="0.96", zorder=0)
        low, high = file["policies"][RANDOM]["intervals"]["apgr"]
        axes.fill_betweenx([row - 0.5, row + 0.5], low, high, color="0.86", linewidth=0, zorder=1)
        here = [title for title in LOOKS if title in file["policies"]]
        for place, title in enumerate(here):
            dot(axes, file["policies"][title], row + 0.14 * (place - (len(here) - 1) / 2), *LOOKS[title])
    axes.axvline(0.5, color="0.45", linewidth=1, linestyle="--", zorder=2)
    axes.set_yticks(range(len(files)), [f"{name}\n{file['rows']:,} rows" for name, file in files.items()])
    axes.set_ylim(len(files) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("APGR on rows not trained on (random: 0.5); bars: the middle 95 % of the bootstrap's draws")
    axes.set_title("Who finds the requests that gain from the expensive model? Nine kinds of traffic, cross-validated")
    axes.grid(axis="x", alpha=0.3)
    legend(axes, pyplot)
    chart.savefig(path)


def dot(axes: Any, one: dict[str, Any], at: float, colour: str, marker: str) -> None:
    if "intervals" in one:
        axes.plot(one["intervals"]["apgr"], [at, at], color=colour, linewidth=1.6, zorder=3)
    size = 12 if marker == "*" else 6
    axes.plot([one["apgr"]], [at], marker, color=colour, markersize=size, markeredgecolor="white", zorder=4)


def legend(axes: Any, pyplot: Any) -> None:
    marks = [
        pyplot.Line2D([], [], color=colour, marker=marker, linestyle="" if marker == "*" else "-", label=title)
        for title, (colour, marker) in LOOKS.items()
    ]
    marks.append(pyplot.Rectangle((0, 0), 1, 1, color="0.86", label="random orders of these rows (95 %)"))
    axes.figure.legend(handles=marks, loc="outside lower center", ncols=4, frameon=False)


if __name__ == "__main__":
    main()
