"""What the counts of a time say: one table for the page, its JSON and the alerts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from turnout.ports.counting import FOLDED, Bucket
from turnout.records import SERVED_FROM_CACHE
from turnout.telemetry.series import MICRO, NANO, SCORE_BINS, TIMINGS, parts, percentile

SAVING_PARTS = ("routing", "cache", "semantic", "batch")
TIERS = ("cheap", "expensive", "none")
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
# States of the cache of requests that asked nothing of it.
_UNASKED = frozenset({"off", "request", "request_stored", "bypass"})


def merged(buckets: Iterable[Bucket]) -> dict[str, int]:
    """The sums of these buckets."""
    sums: dict[str, int] = {}
    for bucket in buckets:
        for name, amount in bucket.series.items():
            sums[name] = sums.get(name, 0) + amount
    return sums


class Counts:
    """The counts of one time, by metric."""

    def __init__(self, sums: Mapping[str, int]) -> None:
        self._by_metric: dict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
        for name, amount in sums.items():
            metric, labels = parts(name)
            self._by_metric[metric].append((labels, amount))

    def total(self, metric: str) -> int:
        """The sum of a metric."""
        return sum(amount for _, amount in self._by_metric.get(metric, ()))

    def by(self, metric: str, place: int = 0) -> dict[str, int]:
        """The sums of a metric by the value of its label at this place."""
        sums: dict[str, int] = {}
        for labels, amount in self._by_metric.get(metric, ()):
            name = labels[place] if place < len(labels) else FOLDED
            sums[name] = sums.get(name, 0) + amount
        return sums

    def rows(self, metric: str) -> Sequence[tuple[tuple[str, ...], int]]:
        """The labels and counts of a metric."""
        return self._by_metric.get(metric, ())

    def bins(self, timing: str, *labels: str) -> dict[int, int]:
        """The histogram of a timing, of all its labels or of these."""
        bins: dict[int, int] = {}
        for row, amount in self.rows(timing):
            if row and row[-1].isdigit() and (not labels or row[:-1] == labels):
                bins[int(row[-1])] = bins.get(int(row[-1]), 0) + amount
        return bins


def latencies(counts: Counts) -> dict[str, Any]:
    """Count, mean and percentiles of each timing, in milliseconds; null of none."""
    table = {}
    for timing in TIMINGS:
        bins = counts.bins(timing)
        number = sum(bins.values())
        row: dict[str, Any] = {"count": number, "mean": None}
        if number:
            row["mean"] = round(counts.total(f"{timing}_us") / number / 1000, 3)
        for name, share in PERCENTILES.items():
            seconds = percentile(bins, share)
            row[name] = None if seconds is None else round(seconds * 1000, 3)
        table[timing] = row
    return table


def usd(nanos: int) -> float:
    """Nano-USD as USD."""
    return nanos / NANO


def money(counts: Counts) -> dict[str, Any]:
    """What was paid, what all at the expensive tier's first model would have cost, and the difference by its parts;
    null, with the reason, where a price is not known."""
    cost, failed = counts.total("cost"), counts.total("failed_cost")
    unpriced = counts.total("unpriced")
    figures: dict[str, Any] = {"cost_usd": usd(cost), "failed_attempts_usd": usd(failed)}
    if unpriced:
        reason = f"{unpriced} answers by or beside a model without a known price"
        return {
            **figures,
            "cost_all_expensive_usd": None,
            "saving_usd": None,
            "saving_parts_usd": None,
            "saving_unknown": reason,
        }
    by_part = counts.by("saving")
    all_expensive = counts.total("all_expensive")
    return {
        **figures,
        "cost_all_expensive_usd": usd(all_expensive),
        "saving_usd": usd(all_expensive - cost),
        "saving_parts_usd": {part: usd(by_part.get(part, 0)) for part in SAVING_PARTS},
    }


def cache_figures(counts: Counts) -> dict[str, Any]:
    """How the cache answered. hit_rate: of the requests that asked it; null of none."""
    states = counts.by("requests", 3)
    asked = sum(number for state, number in states.items() if state not in _UNASKED)
    served = sum(states.get(state, 0) for state in SERVED_FROM_CACHE)
    return {
        "hits": states.get("hit", 0),
        "stale": states.get("stale", 0),
        "semantic": states.get("semantic", 0),
        "collapsed": states.get("collapsed", 0),
        "misses": states.get("miss", 0) + states.get("miss_stored", 0),
        "unasked": sum(states.get(state, 0) for state in _UNASKED),
        "hit_rate": round(served / asked, 6) if asked else None,
    }


def semantic_figures(counts: Counts) -> dict[str, Any]:
    """What answers for similar questions saved, what their checks cost, and how these ended."""
    results, cost = counts.by("semantic_checks"), counts.total("semantic_check_cost")
    saved, embedding = counts.by("saving").get("semantic", 0), counts.total("semantic_embedding_cost")
    return {
        "served": counts.by("requests", 3).get("semantic", 0),
        "compared": sum(results.values()),
        "differing": results.get("differs", 0),
        "undecided": results.get("undecided", 0),
        "checks_usd": usd(cost),
        "saving_usd": usd(saved + cost + embedding),
        "embedding_usd": usd(embedding),
        "net_saving_usd": usd(saved),
    }


def cascade_figures(counts: Counts) -> dict[str, int]:
    """What was thought of the cheap answers that were read; how many were asked again, and how many were served though
    doubted, for the expensive tier failed or there was no time left."""
    verdicts, reasons = counts.by("verdicts"), counts.by("requests", 4)
    return {
        "accepted": verdicts.get("accepted", 0),
        "rejected": verdicts.get("rejected", 0),
        "escalated": reasons.get("escalated", 0),
        "fallback": reasons.get("cascade_fallback", 0),
    }


def _usage(counts: Counts, place: int, name: str) -> dict[str, int]:
    kinds = {"prompt": 0, "completion": 0, "cached": 0, "reasoning": 0}
    for labels, amount in counts.rows("tokens"):
        if len(labels) == 4 and labels[3] in kinds and (place < 0 or labels[place] == name):
            kinds[labels[3]] += amount
    return kinds


def tier_figures(counts: Counts) -> dict[str, Any]:
    """Requests, USD and tokens by the tier that answered; `none` for errors and the plain answer."""
    requests, cost = counts.by("requests", 1), counts.by("cost", 1)
    return {
        tier: {
            "requests": requests.get(tier, 0),
            "cost_usd": usd(cost.get(tier, 0)),
            "tokens": _usage(counts, 1, tier),
        }
        for tier in TIERS
    }


def model_figures(counts: Counts, models: Iterable[str]) -> dict[str, Any]:
    """Requests, USD, tokens, attempts and their errors by model, 429s apart, and the time of its attempts."""
    requests, cost, retries = counts.by("requests", 2), counts.by("cost", 2), counts.by("retries")
    table: dict[str, Any] = {}
    for model in models:
        ends = {labels[1]: number for labels, number in counts.rows("attempts") if labels[0] == model}
        errors = {kind: number for kind, number in ends.items() if kind != "ok"}
        p95 = percentile(counts.bins("inference", model), 0.95)
        table[model] = {
            "requests": requests.get(model, 0),
            "cost_usd": usd(cost.get(model, 0)),
            "tokens": _usage(counts, 2, model),
            "attempts": sum(ends.values()),
            "errors": errors,
            "rate_limited": errors.get("rate_limited", 0),
            "retries": retries.get(model, 0),
            "inference_p95_ms": None if p95 is None else round(p95 * 1000, 3),
        }
    return table


def endpoint_figures(counts: Counts) -> dict[str, Any]:
    """Requests and USD by endpoint, the dearest first."""
    requests, cost = counts.by("requests"), counts.by("cost")
    ordered = sorted(requests, key=lambda name: (-cost.get(name, 0), -requests[name], name))
    return {name: {"requests": requests[name], "cost_usd": usd(cost.get(name, 0))} for name in ordered}


def score_figures(counts: Counts) -> dict[str, Any]:
    """The scores as a histogram, and what the requests of each bin would have cost at either tier's first model."""
    scores = {int(place): number for place, number in counts.by("scores").items() if place.isdigit()}
    costs: dict[str, list[float]] = {tier: [0.0] * SCORE_BINS for tier in ("cheap", "expensive")}
    for labels, amount in counts.rows("score_cost"):
        if len(labels) == 2 and labels[0] in costs and labels[1].isdigit():
            costs[labels[0]][int(labels[1])] = usd(amount)
    decided = counts.by("decided")
    number = sum(decided.values())
    return {
        "scores": [scores.get(place, 0) for place in range(SCORE_BINS)],
        "score_cost_usd": costs,
        "decided": number,
        "kept_share": round(decided.get("expensive", 0) / number, 6) if number else None,
        "novel_share": round(counts.total("novel") / number, 6) if number else None,
    }


def summary(sums: Mapping[str, int], models: Iterable[str]) -> dict[str, Any]:
    """All figures of these sums."""
    counts = Counts(sums)
    requests = counts.total("requests")
    codes = {code: number for code, number in counts.by("requests", 5).items() if code}
    feedback, quality = counts.total("feedback"), counts.total("feedback_quality") / MICRO
    return {
        "requests": requests,
        "errors": sum(codes.values()),
        "errors_by_code": codes,
        "refused_by_code": counts.by("refused"),
        **money(counts),
        "tokens": _usage(counts, -1, ""),
        "cache": cache_figures(counts),
        "tiers": tier_figures(counts),
        "models": model_figures(counts, models),
        "endpoints": endpoint_figures(counts),
        "reasons": {reason: number for reason, number in counts.by("requests", 4).items() if reason},
        "latency_ms": latencies(counts),
        "retries": counts.total("retries"),
        "fallbacks": counts.by("requests", 4).get("fallback", 0),
        "circuit_changes": counts.total("circuit_changes"),
        "routing": score_figures(counts),
        "cascade": cascade_figures(counts),
        "feedback": {
            "count": feedback,
            "mean_quality": round(quality / feedback, 6) if feedback else None,
            "evicted": counts.total("evicted"),
        },
        "semantic": semantic_figures(counts),
    }


class Curves:
    """The page's curves. The points of a bucket are computed again only where its counts have changed: two days of them
    take a tenth of a second, for which every request would wait."""

    # Points that are kept, of all steps together.
    MOST = 1000

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], tuple[Mapping[str, int], Mapping[str, Any]]] = {}

    def of(self, buckets: Sequence[Bucket], start: int, step_s: int, steps: int) -> dict[str, Any]:
        """One value a bucket, from `start` (seconds since 1970) on; null where nothing was counted."""
        by_start = {bucket.start: bucket.series for bucket in buckets}
        points = [self._point(by_start.get(at, {}), step_s, at) for at in range(start, start + steps * step_s, step_s)]
        return {"start": start, "step_s": step_s, **{name: [point[name] for point in points] for name in _CURVES}}

    def _point(self, series: Mapping[str, int], step_s: int, at: int) -> Mapping[str, Any]:
        key, state = (step_s, at), dict(series)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == state:
            return kept[1]
        if len(self._kept) >= self.MOST:
            self._kept.clear()
        point = _point(Counts(series))
        self._kept[key] = state, point
        return point


_CURVES = (
    *("cheap", "expensive", "none", "errors", "cheap_usd", "expensive_usd", "hit_rate"),
    *("turnout_p95_ms", "inference_p95_ms", "app_p95_ms"),
)


def _point(counts: Counts) -> dict[str, Any]:
    requests, cost = counts.by("requests", 1), counts.by("cost", 1)
    point: dict[str, Any] = {tier: requests.get(tier, 0) for tier in TIERS}
    point["errors"] = sum(number for code, number in counts.by("requests", 5).items() if code)
    point |= {f"{tier}_usd": usd(cost.get(tier, 0)) for tier in ("cheap", "expensive")}
    point["hit_rate"] = cache_figures(counts)["hit_rate"]
    for timing in ("turnout", "inference", "app"):
        seconds = percentile(counts.bins(timing), 0.95)
        point[f"{timing}_p95_ms"] = None if seconds is None else round(seconds * 1000, 3)
    return point
