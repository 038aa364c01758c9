"""What the demo's traffic came to. Pure: answers in, figures out.

Quality and the cost of routing are taken over the distinct held-out prompts, each counted once, so that
neither repeats nor the cache can flatter the router.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One request of the traffic. cost_usd: what its answer costs where it is not from the cache."""

    task: str
    good: bool
    tier: str
    hit: bool
    cost_usd: float
    turnout_ms: float
    inference_ms: float


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One held-out prompt asked on one tier, routing aside."""

    good: bool
    cost_usd: float


def summarise(
    traffic: Sequence[Answered], errors: int, cheap: Mapping[str, Asked], expensive: Mapping[str, Asked]
) -> dict[str, Any]:
    """The figures, shares in [0, 1], money in USD, times in ms."""
    first: dict[str, Answered] = {}
    for answered in traffic:
        if not answered.hit:
            first.setdefault(answered.task, answered)
    distinct = list(first.values())
    # What failed counts on neither side.
    cheap = {task: cheap[task] for task in first}
    expensive = {task: expensive[task] for task in first}
    share = _mean([answered.tier == "expensive" for answered in distinct])
    quality = _mean([answered.good for answered in distinct])
    quality_cheap = _mean([asked.good for asked in cheap.values()])
    quality_expensive = _mean([asked.good for asked in expensive.values()])
    cost = sum(answered.cost_usd for answered in distinct)
    cost_expensive = sum(asked.cost_usd for asked in expensive.values())
    hits = [answered for answered in traffic if answered.hit]
    uncached = sum(answered.cost_usd for answered in traffic)
    own, inference = _sorted(traffic, "turnout_ms"), _sorted([a for a in traffic if not a.hit], "inference_ms")
    random = share * quality_expensive + (1 - share) * quality_cheap
    error = _standard_error(distinct, share, cheap, expensive)
    return {
        "requests": len(traffic) + errors,
        "errors": errors,
        "distinct": len(distinct),
        "expensive_share": share,
        "quality": quality,
        "quality_cheap": quality_cheap,
        "quality_expensive": quality_expensive,
        "quality_random": random,
        "quality_above_random_se": (quality - random) / error if error else 0.0,
        "quality_kept": quality / quality_expensive if quality_expensive else 0.0,
        "cost_usd": cost,
        "cost_expensive_usd": cost_expensive,
        "saving": 1 - cost / cost_expensive if cost_expensive else 0.0,
        "saving_cache": sum(answered.cost_usd for answered in hits) / uncached if uncached else 0.0,
        "cache_hits": len(hits),
        "turnout_ms_p50": _quantile(own, 0.5),
        "turnout_ms_p95": _quantile(own, 0.95),
        "inference_ms_p50": _quantile(inference, 0.5),
        "inference_ms_p95": _quantile(inference, 0.95),
    }


def _standard_error(
    distinct: Sequence[Answered], share: float, cheap: Mapping[str, Asked], expensive: Mapping[str, Asked]
) -> float:
    """Of the difference to random routing, paired by prompt: random's expectation on the same prompts."""
    gaps = [
        answered.good - (share * expensive[answered.task].good + (1 - share) * cheap[answered.task].good)
        for answered in distinct
    ]
    if len(gaps) < 2:
        return 0.0
    mean = _mean(gaps)
    return math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1) / len(gaps))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _sorted(traffic: Sequence[Answered], name: str) -> list[float]:
    return sorted(getattr(answered, name) for answered in traffic)


def _quantile(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0


def told(summary: Mapping[str, Any]) -> str:
    """The summary as people read it."""
    s = summary
    return f"""
  requests              {s["requests"]:>8}   errors {s["errors"]}, cache hits {s["cache_hits"]}
  to the expensive tier {s["expensive_share"]:>8.1%}   of {s["distinct"]} distinct held-out prompts

  quality               {s["quality"]:>8.1%}   that is {s["quality_kept"]:.1%} of all-expensive's
    all-cheap           {s["quality_cheap"]:>8.1%}
    random, same share  {s["quality_random"]:>8.1%}   Turnout is {s["quality_above_random_se"]:.1f} standard errors up
    all-expensive       {s["quality_expensive"]:>8.1%}

  cost                  {s["cost_usd"]:>8.4f}   USD, distinct prompts, nothing cached
    all-expensive       {s["cost_expensive_usd"]:>8.4f}   USD
  saved by routing      {s["saving"]:>8.1%}   given up: {1 - s["quality_kept"]:.1%} of all-expensive's quality
  saved by the cache    {s["saving_cache"]:>8.1%}   more, of what the whole traffic would have cost

  Turnout's own time    {s["turnout_ms_p50"]:>8.2f}   ms p50, {s["turnout_ms_p95"]:.2f} ms p95
  inference             {s["inference_ms_p50"]:>8.0f}   ms p50, {s["inference_ms_p95"]:.0f} ms p95
"""
