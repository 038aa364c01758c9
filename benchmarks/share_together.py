"""How far from the share do all workers of an app together come, and what does keeping it together bring?

The workers' real keepers and a tally in memory, in simulated traffic: 3,000 requests at workers drawn by chance, a
share of 0.3, any 500 requests in a row. In the air: decisions made at once, of which no worker hears another's until
all of them are made; in service a decision is in the air for about a millisecond. Beside it each worker keeping its own
share, as without Redis. Quality: the scores that were sent to the expensive tier, against the highest ones of as many,
where half of the workers have hard requests and half easy ones.

    python benchmarks/share_together.py        writes results/share_together.json and results/share_together.png
"""

from __future__ import annotations

import asyncio
import json
import platform
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turnout.routing.share_sync import SharedShareControl
from turnout.stores.memory.share_store import MemoryShareStore

SHARE = 0.3
REQUESTS = 3_000
SHIFT = 1_000
WORKERS = (2, 4, 8, 16, 32)
AIR = (1, 8, 32, 128)
SEEDS = 5
RESULTS = Path(__file__).parent / "results"

# The score of the number-th request of all, at this worker.
Traffic = Callable[[random.Random, int, int], float]
SPLIT = "hard at half of the workers"
TRAFFIC: dict[str, Traffic] = {
    "uniform": lambda rng, number, worker: rng.random(),
    "all hard from one moment on": lambda rng, number, worker: (0.9 * (number >= SHIFT) + 0.1) * rng.random() ** 0.1,
    "all easy from one moment on": lambda rng, number, worker: rng.random() * (0.01 if number >= SHIFT else 1.0),
    "rising": lambda rng, number, worker: number / 4_000,
    "falling": lambda rng, number, worker: 1.0 - number / 4_000,
    "one score": lambda rng, number, worker: 0.5,
    SPLIT: lambda rng, number, worker: (0.9 if worker % 2 else 0.1) + 0.1 * rng.random(),
    "those change places": lambda rng, number, worker: (
        (0.9 if (worker + number // 700) % 2 else 0.1) + 0.1 * rng.random()
    ),
}


async def sent(
    traffic: Traffic, workers: int, air: int, seed: int, *, together: bool
) -> tuple[list[bool], list[float]]:
    """Which requests were expensive, and their scores."""
    rng, share_store = random.Random(seed), MemoryShareStore(processes=workers)
    controls = [SharedShareControl(SHARE) for _ in range(workers)]
    for control in controls if together else ():
        # As at a worker's start.
        await _sync(control, share_store)
    told: list[bool] = []
    scores: list[float] = []
    while len(told) < REQUESTS:
        decided = [rng.randrange(workers) for _ in range(air)]
        for worker in set(decided):
            if together:
                controls[worker].join(share_store.debt("x"))
        for worker in decided:
            score = traffic(rng, len(told), worker)
            expensive = controls[worker].decide(score)[1]
            controls[worker].observe(score, expensive)
            told.append(expensive)
            scores.append(score)
        for worker in set(decided) if together else ():
            await _sync(controls[worker], share_store)
    return told, scores


async def _sync(control: SharedShareControl, share_store: MemoryShareStore) -> None:
    state = await share_store.add("x", control.take_report(), control.since)
    assert state is not None
    control.receive(state)


def worst(told: list[bool]) -> float:
    """How far off the share any 500 in a row were."""
    total = [0]
    for expensive in told:
        total.append(total[-1] + expensive)
    return max(abs((total[at + 500] - total[at]) / 500 - SHARE) for at in range(len(told) - 499))


def quality(told: list[bool], scores: list[float]) -> float:
    """The scores that were sent, as a part of the highest ones of as many."""
    taken = sum(score for score, expensive in zip(scores, told, strict=True) if expensive)
    return taken / sum(sorted(scores)[-sum(told) :])


async def measured() -> dict[str, Any]:
    rows = []
    for workers in WORKERS:
        for air in AIR:
            off = {
                name: max([worst((await sent(traffic, workers, air, seed, together=True))[0]) for seed in range(SEEDS)])
                for name, traffic in TRAFFIC.items()
            }
            rows.append({"workers": workers, "in_the_air": air, "worst": max(off.values()), "off": off})
    kept = {}
    for way in (True, False):
        runs = [await sent(TRAFFIC[SPLIT], 4, 1, seed, together=way) for seed in range(SEEDS)]
        apart = [
            max([worst((await sent(traffic, 8, 1, seed, together=way))[0]) for traffic in TRAFFIC.values()])
            for seed in range(SEEDS)
        ]
        kept["together" if way else "each its own"] = {
            "of_the_best_scores": min(quality(*run) for run in runs),
            "worst_of_8_workers": max(apart),
        }
    of = {"python": platform.python_version(), "share": SHARE, "requests": REQUESTS, "seeds": SEEDS}
    return {"of": of, "rows": rows, "ways": kept}


def draw(result: dict[str, Any]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    for air in AIR:
        points = [row for row in result["rows"] if row["in_the_air"] == air]
        label = "one decision in the air" if air == 1 else f"{air} decisions in the air"
        axes.plot([p["workers"] for p in points], [100 * p["worst"] for p in points], marker="o", label=label)
    axes.axhline(3, color="grey", linestyle="--", label="promised")
    axes.set_xscale("log", base=2)
    axes.set_xticks(WORKERS, [str(workers) for workers in WORKERS])
    axes.set_xlabel("workers")
    axes.set_ylabel("points off the share, the worst 500 of any shift")
    axes.set_ylim(0)
    axes.legend()
    figure.tight_layout()
    figure.savefig(RESULTS / "share_together.png", dpi=120)


def main() -> None:
    result = asyncio.run(measured())
    for row in result["rows"]:
        print(
            f"{row['workers']:>3} workers, {row['in_the_air']:>3} in the air: {100 * row['worst']:.1f} points at worst"
        )
    for way, told in result["ways"].items():
        print(
            f"{way}: {told['of_the_best_scores']:.3f} of the best scores, {100 * told['worst_of_8_workers']:.1f} points"
        )
    (RESULTS / "share_together.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(result)


if __name__ == "__main__":
    main()
