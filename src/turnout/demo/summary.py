"""The figures of the demo's traffic. Pure: answers in, figures out.

Quality and the cost of routing are taken over the distinct held-out prompts, each counted once, so that
neither repeats nor the cache can flatter the router.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

# Of the text, in columns.
WIDTH = 80


@dataclass(frozen=True, kw_only=True)
class RoutedAnswer:
    """One answered request of the traffic.

    two_calls: the cheap answer was read and the expensive tier asked too. cost_usd: of all its calls; of an answer from
    the cache, what it costs where it is not.
    """

    task_id: str
    correct: bool
    tier: str
    two_calls: bool
    cache_hit: bool
    cost_usd: float
    turnout_ms: float
    inference_ms: float


@dataclass(frozen=True, kw_only=True)
class TierAnswer:
    """One task answered by one tier, routing aside."""

    text: str
    correct: bool
    cost_usd: float


def summarise(
    traffic: Sequence[RoutedAnswer],
    errors: int,
    cheap: Mapping[str, TierAnswer],
    expensive: Mapping[str, TierAnswer],
) -> dict[str, Any]:
    """The figures: shares in [0, 1], money in USD, times in ms. cheap, expensive: by task id, of one tier alone."""
    first_answers = _first_answers(traffic)
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


def summarise_cascade(traffic: Sequence[RoutedAnswer], expensive: Mapping[str, TierAnswer]) -> dict[str, Any]:
    """The cascade's figures over the same prompts, each counted once: as `summarise` names them."""
    first_answers = _first_answers(traffic)
    distinct = list(first_answers.values())
    quality = _mean([answer.correct for answer in distinct])
    quality_expensive = _mean([expensive[task_id].correct for task_id in first_answers])
    cost = sum(answer.cost_usd for answer in distinct)
    cost_expensive = sum(expensive[task_id].cost_usd for task_id in first_answers)
    return {
        "distinct": len(distinct),
        "expensive_share": _mean([answer.tier == "expensive" for answer in distinct]),
        "two_calls_share": _mean([answer.two_calls for answer in distinct]),
        "quality": quality,
        "quality_kept": quality / quality_expensive if quality_expensive else 0.0,
        "cost_usd": cost,
        "saving": 1 - cost / cost_expensive if cost_expensive else 0.0,
    }


def _first_answers(traffic: Sequence[RoutedAnswer]) -> dict[str, RoutedAnswer]:
    """By task id, the first answer that is not from the cache."""
    first_answers: dict[str, RoutedAnswer] = {}
    for answer in traffic:
        if not answer.cache_hit:
            first_answers.setdefault(answer.task_id, answer)
    return first_answers


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
  saved by the cache    {s["saving_cache"]:>8.1%}   more, of the whole traffic's cost
{_cascade_text(s)}

  Turnout's own time    {s["turnout_ms_p50"]:>8.2f}   ms p50, {s["turnout_ms_p95"]:.2f} ms p95
  inference             {s["inference_ms_p50"]:>8.0f}   ms p50, {s["inference_ms_p95"]:.0f} ms p95
"""


def _cascade_text(summary: Mapping[str, Any]) -> str:
    cascade = summary["cascade"]
    if cascade["refused"]:
        return _beside("refused", cascade["refused"])
    gains = cascade["saving"] > summary["saving"] or cascade["quality_kept"] > summary["quality_kept"]
    return _beside(
        f"{cascade['saving']:.1%}",
        f"saved by routing, {cascade['cost_usd']:.4f} USD; {cascade['quality_kept']:.1%} of all-expensive's quality; "
        f"two calls for {cascade['two_calls_share']:.1%}{'' if gains else '; it gains nothing here'}",
    )


def _beside(figure: str, text: str) -> str:
    """The cascade's line, its text wrapped in the column of the other lines' texts."""
    first = f"  with the cascade      {figure:>8}   "
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False)
