"""The figures of the demo's traffic. Pure: answers in, figures out.

Quality and the cost of routing are taken over the distinct held-out prompts, each counted once, so that
neither repeats nor the cache can flatter the router.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RoutedAnswer:
    """One answered request of the traffic. cost_usd: what its answer costs where it is not from the cache."""

    task_id: str
    correct: bool
    tier: str
    cache_hit: bool
    cost_usd: float
    turnout_ms: float
    inference_ms: float


@dataclass(frozen=True, kw_only=True)
class TierAnswer:
    """One task answered by one tier, routing aside."""

    correct: bool
    cost_usd: float


def summarise(
    traffic: Sequence[RoutedAnswer],
    errors: int,
    cheap: Mapping[str, TierAnswer],
    expensive: Mapping[str, TierAnswer],
) -> dict[str, Any]:
    """The figures: shares in [0, 1], money in USD, times in ms. cheap, expensive: by task id, of one tier alone."""
    first_answers: dict[str, RoutedAnswer] = {}
    for answer in traffic:
        if not answer.cache_hit:
            first_answers.setdefault(answer.task_id, answer)
    distinct = list(first_answers.values())
    # Tasks whose request failed count on neither side.
    pairs = [(cheap[task_id], expensive[task_id]) for task_id in first_answers]
    share = _mean([answer.tier == "expensive" for answer in distinct])
    quality = _mean([answer.correct for answer in distinct])
    quality_cheap = _mean([cheap_answer.correct for cheap_answer, _ in pairs])
    quality_expensive = _mean([expensive_answer.correct for _, expensive_answer in pairs])
    quality_random = share * quality_expensive + (1 - share) * quality_cheap
    # The standard error is of the difference by prompt, to random routing's expectation on the same prompt.
    differences = [
        answer.correct - (share * dear.correct + (1 - share) * cheap_answer.correct)
        for answer, (cheap_answer, dear) in zip(distinct, pairs, strict=True)
    ]
    standard_error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    cost = sum(answer.cost_usd for answer in distinct)
    cost_expensive = sum(expensive_answer.cost_usd for _, expensive_answer in pairs)
    cost_uncached = sum(answer.cost_usd for answer in traffic)
    hits = [answer for answer in traffic if answer.cache_hit]
    turnout_ms = sorted(answer.turnout_ms for answer in traffic)
    inference_ms = sorted(answer.inference_ms for answer in traffic if not answer.cache_hit)
    return {
        "requests": len(traffic) + errors,
        "errors": errors,
        "distinct": len(distinct),
        "expensive_share": share,
        "quality": quality,
        "quality_cheap": quality_cheap,
        "quality_expensive": quality_expensive,
        "quality_random": quality_random,
        "quality_above_random_se": (quality - quality_random) / standard_error if standard_error else 0.0,
        "quality_kept": quality / quality_expensive if quality_expensive else 0.0,
        "cost_usd": cost,
        "cost_expensive_usd": cost_expensive,
        "saving": 1 - cost / cost_expensive if cost_expensive else 0.0,
        "saving_cache": sum(answer.cost_usd for answer in hits) / cost_uncached if cost_uncached else 0.0,
        "cache_hits": len(hits),
        "turnout_ms_p50": _quantile(turnout_ms, 0.5),
        "turnout_ms_p95": _quantile(turnout_ms, 0.95),
        "inference_ms_p50": _quantile(inference_ms, 0.5),
        "inference_ms_p95": _quantile(inference_ms, 0.95),
    }


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _quantile(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0


def as_text(summary: Mapping[str, Any]) -> str:
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
