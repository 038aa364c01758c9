"""Does a paced budget last the day through a surge, and what quality does it save against a hard stop?

A simulated day on a manual clock: the real router, ledger and pacing rule; no provider, no litellm. 20,000 requests,
a third of them in a surge from 9 to 11 o'clock; scores uniform, as ranks are. The expensive tier costs 0.010 USD a
call and the cheap one 0.001; the budget, 60 USD, is about two thirds of what the day would cost unpaced at a share of
0.4. Quality: the cheap answer is worth 0.7, the expensive one 0.3 * score more (a made-up but plain curve; the order
of the policies is what matters), a refused request 0.

    python benchmarks/pacing.py        writes results/pacing.json and results/pacing.png
"""

from __future__ import annotations

import asyncio
import json
import platform
import random
from collections import Counter
from pathlib import Path
from typing import Any

from turnout.ports.admission import Ask, Lead, Settlement
from turnout.ports.limits import BudgetClaim
from turnout.ports.scoring import Query
from turnout.quota.pacing import pacing_factor
from turnout.routing.catalog import Catalog
from turnout.routing.router import Router
from turnout.routing.share_control import ShareControl
from turnout.settings import Settings
from turnout.stores.memory.gate import MemoryGate
from turnout.testing import FixedScorer, ManualClock

DAY = 86_400
REQUESTS = 20_000
EXPENSIVE, CHEAP = 10_000_000, 1_000_000
LIMIT = 60_000_000_000
WORST = 2  # a call's worst case, in real costs
SHARE = 0.4
RESULTS = Path(__file__).parent / "results"


def day(seed: int) -> list[tuple[float, float]]:
    """(second of the day, score), in order."""
    chances = random.Random(seed)
    surge = [chances.uniform(9 * 3600, 11 * 3600) for _ in range(REQUESTS // 3)]
    rest = [chances.uniform(0, DAY) for _ in range(REQUESTS - len(surge))]
    return [(at, chances.random()) for at in sorted(surge + rest)]


async def lived(requests: list[tuple[float, float]], *, pacing: bool, cheap_after: bool, share: bool) -> dict[str, Any]:
    """One day under one policy."""
    settings = Settings.from_mapping({"tiers": {"cheap": {"models": ["a/s"]}, "expensive": {"models": ["a/l"]}}})
    scorer = FixedScorer()
    target = ShareControl(SHARE) if share else 1 - SHARE
    router = Router(catalog=Catalog(settings), scorer=scorer, target=target)
    clock = ManualClock(0.0)
    gate = MemoryGate(clock=clock, max_entries=1, max_bytes=1, lease_s=100)
    claim = BudgetClaim(policy="total", key="total", limit=LIMIT, windows=((0, DAY),))
    did: Counter[str] = Counter()
    quality, spent, curve, most = 0.0, 0, [], 0
    for at, score in requests:
        await clock.advance(at - clock.time())
        entry = await gate.enter(Ask(budgets=(claim,), worst=(WORST * EXPENSIVE, WORST * CHEAP)))
        verdict, (state,) = entry.verdict, entry.budgets
        most = max(most, state.spent + state.reserved)
        if not isinstance(verdict, Lead):
            did["refused"] += 1
            continue
        scorer._default = score
        tier = router.decide(Query.from_text("x"), pacing_factor=pacing_factor([state], at) if pacing else 1.0).tier
        if tier == "expensive" and verdict.fits == 1 and not cheap_after:
            did["refused"] += 1
            await gate.leave(Settlement(key=None, lease=verdict.lease))
            continue
        expensive = tier == "expensive" and verdict.fits == 0
        cost = EXPENSIVE if expensive else CHEAP
        spent += cost
        did["expensive" if expensive else "cheap"] += 1
        quality += 0.7 + 0.3 * score * expensive
        await gate.leave(Settlement(key=None, lease=verdict.lease, cost=cost))
        curve.append((at / 3600, spent / 1e9))
    assert most <= LIMIT, "the budget was exceeded"
    return {
        "quality": quality / len(requests),
        "spent_usd": spent / 1e9,
        "most_held_usd": most / 1e9,
        "refused": did["refused"],
        "expensive": did["expensive"],
        "cheap": did["cheap"],
        "curve": curve[::50],
    }


async def main() -> None:
    policies = {
        "hard stop: unpaced, then refused": {"pacing": False, "cheap_after": False, "share": False},
        "unpaced, then the cheap tier while it fits": {"pacing": False, "cheap_after": True, "share": False},
        "paced threshold": {"pacing": True, "cheap_after": True, "share": False},
        "paced share": {"pacing": True, "cheap_after": True, "share": True},
    }
    told: dict[str, Any] = {}
    for name, policy in policies.items():
        days = [await lived(day(seed), **policy) for seed in range(5)]
        told[name] = days[0] | {"qualities": [one["quality"] for one in days]}
        print(f"{name:45} quality {told[name]['quality']:.4f}  spent {told[name]['spent_usd']:.2f} USD  "
              f"refused {told[name]['refused']}")  # fmt: skip
    unbounded = sum(0.7 + 0.3 * score * (score >= 1 - SHARE) for _, score in day(0)) / REQUESTS
    print(f"{'(without any budget)':45} quality {unbounded:.4f}")
    write(told, unbounded)


def write(told: dict[str, Any], unbounded: float) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5))
    for name, one in told.items():
        hours, spent = zip(*one["curve"], strict=True)
        label = f"{name}: quality {one['quality']:.3f}, {one['refused']:,} refused"
        axes.plot(hours, spent, label=label, linestyle="--" if "unpaced" in name else "-")
    axes.axhline(LIMIT / 1e9, color="black", linewidth=1)
    axes.text(0.2, LIMIT / 1e9 + 0.6, "budget", va="bottom")
    axes.axvspan(9, 11, color="0.9", label="surge: a third of the day's requests")
    axes.set(xlabel="hour of the day", ylabel="spent, USD", xlim=(0, 24), ylim=(0, LIMIT / 1e9 * 1.1))
    axes.set_title(f"A day's budget with a surge ({REQUESTS:,} requests; without a budget quality {unbounded:.3f})")
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(RESULTS / "pacing.png", dpi=120)
    figures = {name: {key: value for key, value in one.items() if key != "curve"} for name, one in told.items()}
    told_of = {"python": platform.python_version(), "requests": REQUESTS, "budget_usd": LIMIT / 1e9}
    (RESULTS / "pacing.json").write_text(
        json.dumps({"of": told_of, "quality_without_budget": unbounded, "policies": figures}, indent=2) + "\n"
    )


if __name__ == "__main__":
    asyncio.run(main())
