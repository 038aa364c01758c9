"""Trains the default scorer on six public logs, and measures the recipe on nine, each left out in its turn.

Question: with no logs of its own, does an app do better by the shipped prior than by tossing a coin?
Run: python benchmarks/train_default.py FOLDER   (of labelled logs, one file a source, NAME.csv.gz)

A sign's weight is its correlation with the gain, averaged over the sources, less what the sources disagree by: signs
that mean one thing here and another there are shrunk away. The three chat files are only ever asked, never trained on
(their data set's card restricts commercial use); sources that share questions are left out together.
Caveat: each file is asked of a prior trained without it, while the one that ships is trained on all six. That shares
of word kinds are used, not counts, and how hard the doubtful shrink, was decided with all nine files in view; the
figures flatter it by that much.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.logs import labelled as labelled_logs
from turnout.logs.labelled import Logs
from turnout.routing.features import FEATURE_VERSION, NAMES, read_features

Floats = NDArray[np.float64]
ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "src/turnout/routing/default.json"
RESULTS = ROOT / "benchmarks/results/default_scorer.json"

# What shares questions with what: left out together.
FAMILIES = {
    "mmlu": "mmlu",
    "mmlu_pro_flash_pro": "mmlu",
    "gsm8k": "mathematics",
    "reasoning_haiku_sonnet": "mathematics",
    "mixed14": "mixed",
    "routerbench": "routerbench",
}
ASKED_ONLY = ("chat_gpt35", "chat_llama2", "chat_mixtral")
READ = [place for place, name in enumerate(NAMES) if name.startswith("share of ") and name.endswith(" words")]
KNOTS = 16
# Added to the sources' disagreement, so that few sources that agree by chance do not count as certain.
CHANCE = 0.02
# How hard a sign on which the sources disagree is shrunk (2 to 8 differ by .006 on average).
DOUBTFUL = 4
ROWS_A_SOURCE = 300
LEVELS = 201


def ranks_of(numbers: Floats, knots: Floats) -> Floats:
    return np.asarray((numbers[:, :, None] > knots).mean(axis=2), dtype=np.float64)


def fit(sources: Sequence[tuple[Floats, Floats]]) -> dict[str, Floats]:
    """Numbers [rows, names] and gains [rows] of each source -> what the scorer needs."""
    evenly = [numbers[:: max(1, len(numbers) // ROWS_A_SOURCE)] for numbers, _ in sources]
    pooled = np.vstack(evenly)
    knots = np.quantile(pooled, (np.arange(KNOTS) + 0.5) / KNOTS, axis=0, method="lower").T
    told = []
    for numbers, gain in sources:
        ranks = ranks_of(numbers, knots)
        centred = (gain - gain.mean()) / gain.std()
        told.append(
            ((ranks - ranks.mean(axis=0)) * centred[:, None]).mean(axis=0) / np.maximum(ranks.std(axis=0), 0.05)
        )
    mean, doubt = np.mean(told, axis=0), np.std(told, axis=0, ddof=1) / np.sqrt(len(told))
    sure = mean * (mean**2 / (mean**2 + (doubt + CHANCE) ** 2)) ** DOUBTFUL
    ranks = ranks_of(pooled, knots)
    weights = sure / np.maximum(ranks.std(axis=0), 0.05)
    middle = ranks.mean(axis=0)
    sums, counts = np.unique(np.round((ranks - middle) @ weights, 9), return_counts=True)
    levels = (np.cumsum(counts) - counts / 2) / counts.sum()
    at = np.unique(np.searchsorted(levels, np.linspace(0, 1, LEVELS)).clip(0, len(sums) - 1))
    return {"knots": knots, "weights": weights, "middle": middle, "ranks": sums[at], "levels": levels[at]}


def apgr(score: Floats, gain: Floats) -> float:
    from turnout.training.curves import Ranked, quality_figures

    ranked = Ranked.of(score, np.zeros(len(gain)), gain, sent=np.zeros(len(gain)), costs=None)
    return float(quality_figures(ranked, np.ones(len(gain)))["apgr"])


def measured(data: dict[str, tuple[Floats, Floats]]) -> dict[str, dict[str, float]]:
    """Of each file, asked by a prior that was trained without its source."""
    told = {}
    for name, (numbers, gain) in data.items():
        family = FAMILIES.get(name)
        prior = fit([data[other] for other, of in FAMILIES.items() if of != family])
        score = (ranks_of(numbers, prior["knots"]) - prior["middle"]) @ prior["weights"]
        # Of a random order: the standard deviation of its APGR.
        noise = gain.std() / abs(gain.mean()) / np.sqrt(12 * len(gain))
        told[name] = {"apgr": apgr(score, gain), "random_error": float(noise)}
    return told


def numbers_of(logs: Logs) -> tuple[Floats, Floats]:
    return np.stack([read_features(query).structure[READ] for query in logs.queries]), logs.gain


def main(folder: Path) -> None:
    data = {name: numbers_of(labelled_logs.read_logs([folder / f"{name}.csv.gz"])) for name in (*FAMILIES, *ASKED_ONLY)}
    table = measured(data)
    for name, row in table.items():
        print(f"{name:<24} APGR {row['apgr']:.3f}   random 0.500 +- {row['random_error']:.3f}")
    mean = float(np.mean([row["apgr"] for row in table.values()]))
    error = float(np.sqrt(sum(row["random_error"] ** 2 for row in table.values())) / len(table))
    low, high = (end(row["apgr"] for row in table.values()) for end in (min, max))
    print(f"{'mean':<24} APGR {mean:.3f}   random 0.500 +- {error:.3f}")
    limits = (
        f"the default scorer: APGR {low:.2f} to {high:.2f}, {mean:.3f} on average over {len(table)} public logs, each "
        f"asked of a prior trained without it (random: 0.500 +- {error:.3f}); {len(FAMILIES)} of them train the one "
        "that ships, and its kind was chosen with all in view, which flatters it; train on your own logs"
    )
    prior = fit([data[name] for name in FAMILIES])
    shipped: dict[str, Any] = {"features": FEATURE_VERSION, "limits": limits, "names": [NAMES[at] for at in READ]}
    kept = np.flatnonzero(np.abs(prior["weights"]) > 1e-3 * np.abs(prior["weights"]).max())
    shipped["names"] = [shipped["names"][at] for at in kept]
    for key in ("knots", "weights", "middle"):
        shipped[key] = prior[key][kept].tolist()
    for key in ("ranks", "levels"):
        shipped[key] = prior[key].tolist()
    SHIPPED.write_text(json.dumps(shipped, indent=1) + "\n", encoding="utf-8")
    result = {"mean": mean, "error": error, "files": table, "python": platform.python_version()}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
