"""The counted series: their names, labels and units, in one table that the metrics, the page and the alerts read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from turnout.ports.counting import FOLDED, SEPARATOR

OTHER: Final = "other"
NANO: Final = 1e9
MICRO: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A counter. name: in Prometheus' text form. scale: what a count is divided by. negative: it may also fall, as
    savings do, and is a gauge there."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    scale: float = 1.0
    negative: bool = False


METRICS: Final[Mapping[str, Metric]] = {
    "requests": Metric(
        name="turnout_requests_total",
        help="Requests, by how they were answered",
        labels=("endpoint", "tier", "model", "cache", "reason", "error"),
    ),
    "refused": Metric(
        name="turnout_refused_total",
        help="Requests refused before they were routed: malformed, too large, of an unknown model",
        labels=("error",),
    ),
    "cost": Metric(
        name="turnout_cost_usd_total",
        help="USD paid for attempts, failed ones included",
        labels=("endpoint", "tier", "model"),
        scale=NANO,
    ),
    "failed_cost": Metric(
        name="turnout_failed_cost_usd_total", help="USD paid for attempts that answered nobody", scale=NANO
    ),
    "tokens": Metric(
        name="turnout_tokens_total",
        help="Tokens of attempts; cached are part of the prompt, reasoning of the completion",
        labels=("endpoint", "tier", "model", "type"),
    ),
    "all_expensive": Metric(
        name="turnout_all_expensive_usd_total",
        help="USD that the answered requests would have cost at the expensive tier's first model",
        scale=NANO,
    ),
    "saving": Metric(
        name="turnout_saving_usd",
        help="USD saved beside the expensive tier's first model for all, by what saved it; may be negative",
        labels=("part",),
        scale=NANO,
        negative=True,
    ),
    "unpriced": Metric(
        name="turnout_unpriced_total", help="Requests whose cost, or whose cost at the expensive tier, is not known"
    ),
    "attempts": Metric(
        name="turnout_attempts_total", help="Tries of models, by how they ended", labels=("model", "outcome")
    ),
    "jobs": Metric(name="turnout_jobs_total", help="Jobs that have ended", labels=("status",)),
    "retries": Metric(name="turnout_retries_total", help="Attempts after a failed one of the model", labels=("model",)),
    "skips": Metric(
        name="turnout_skips_total", help="Candidates that were not called, and why", labels=("model", "reason")
    ),
    "circuit_changes": Metric(
        name="turnout_circuit_changes_total", help="Circuits that changed to a state", labels=("circuit", "state")
    ),
    "store_changes": Metric(
        name="turnout_store_changes_total", help="Redis lost, and found again", labels=("state",)
    ),
    "budget_alerts": Metric(
        name="turnout_budget_alerts_total", help="Alerts on budgets", labels=("policy", "kind")
    ),
    "decided": Metric(
        name="turnout_decisions_total", help="Requests that a score decided", labels=("tier",)
    ),
    "novel": Metric(name="turnout_novel_total", help="Decided requests that are unlike the training logs"),
    "verdicts": Metric(
        name="turnout_cascade_verdicts_total",
        help="Cheap answers that a cascade's verifier has read, by what it thought of them",
        labels=("verdict",),
    ),
    "feedback": Metric(
        name="turnout_feedback_total", help="Answers that were rated", labels=("tier", "cache")
    ),
    "feedback_quality": Metric(
        name="turnout_feedback_quality_total", help="Sum of the ratings, each in [0, 1]", labels=("tier",), scale=MICRO
    ),
    "semantic_checks": Metric(
        name="turnout_semantic_checks_total",
        help="Answers compared with a similar question's, by whether they agree; undecided: a judge gave no verdict",
        labels=("result",),
    ),
    "semantic_check_cost": Metric(
        name="turnout_semantic_check_cost_usd_total",
        help="USD paid for checks of semantic hits, part of turnout_cost_usd_total",
        scale=NANO,
    ),
    "semantic_embedded": Metric(
        name="turnout_semantic_embedded_texts_total", help="Texts that an embedding model was asked for"
    ),
    "semantic_embedding_cost": Metric(
        name="turnout_semantic_embedding_cost_usd_total",
        help="USD paid for vectors of questions, part of turnout_cost_usd_total",
        scale=NANO,
    ),
    "evicted": Metric(
        name="turnout_evicted_by_feedback_total", help="Stored answers that a rating removed", labels=("cache",)
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A histogram of seconds."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


TIMINGS: Final[Mapping[str, Timing]] = {
    "turnout": Timing(name="turnout_own_seconds", help="Turnout's own time for a request"),
    "inference": Timing(name="turnout_inference_seconds", help="Time in attempts of models", labels=("model",)),
    "first_chunk": Timing(name="turnout_first_chunk_seconds", help="From an attempt's start to its first content"),
    "job_wait": Timing(name="turnout_job_wait_seconds", help="From a job's acceptance to its last run"),
    "job_run": Timing(name="turnout_job_run_seconds", help="A job's last run"),
    "app": Timing(name="turnout_app_seconds", help="The app's own time at its endpoints, until its response begins"),
}
GAUGES: Final[Mapping[str, Metric]] = {
    "circuit_open": Metric(
        name="turnout_circuit_open", help="1 where a circuit is open or half-open", labels=("circuit",)
    ),
    "budget_limit": Metric(name="turnout_budget_limit_usd", help="A budget's limit", labels=("key", "window")),
    "budget_spent": Metric(name="turnout_budget_spent_usd", help="Spent of a budget", labels=("key", "window")),
    "budget_reserved": Metric(
        name="turnout_budget_reserved_usd", help="Held for calls in progress", labels=("key", "window")
    ),
    "budget_forecast": Metric(
        name="turnout_budget_forecast_usd",
        help="What will be spent at the end of the budget's window, going on as so far",
        labels=("key", "window"),
    ),
    "queue_depth": Metric(name="turnout_queue_depth", help="Jobs that wait"),
    "queue_running": Metric(name="turnout_queue_running", help="Jobs that run"),
    "queue_workers": Metric(name="turnout_queue_workers", help="Processes that work on jobs, seen within 30 s"),
    "queue_oldest": Metric(name="turnout_queue_oldest_seconds", help="How long the oldest job has waited"),
    "store_up": Metric(name="turnout_store_up", help="0 while Redis is lost to this process"),
    "drift": Metric(name="turnout_drift_distance", help="How far the last scores are from the training logs'"),
    "semantic_estimate": Metric(
        name="turnout_semantic_error_estimate",
        help="The error rate among the checks of semantic hits, with Redis those of all workers",
    ),
    "semantic_bound": Metric(
        name="turnout_semantic_error_bound", help="What that error rate is below, but for a chance of 2 %"
    ),
    "semantic_hit_rate": Metric(
        name="turnout_semantic_hit_rate", help="The share of this process' semantic look-ups that were hits"
    ),
    "alerts": Metric(
        name="turnout_alert_firing", help="1 while an alert of this rule fires, of whomever", labels=("rule",)
    ),
}

# Of histograms, in seconds: eight to each power of ten, from 50 microseconds to 500 s. A percentile read from them is
# off by at most 15 %.
BOUNDS: Final = tuple(5e-5 * 10 ** (step / 8) for step in range(57))
# Every fourth is a bucket in Prometheus' text form.
COARSE: Final = 4
SCORE_BINS: Final = 50


def series(metric: str, *labels: str) -> str:
    """The name of one series."""
    return SEPARATOR.join((metric, *labels)) if labels else metric


def parts(name: str) -> tuple[str, tuple[str, ...]]:
    """The metric of a series, and its labels' values."""
    metric, _, rest = name.partition(SEPARATOR)
    if not rest:
        return metric, ()
    labels = tuple(rest.split(SEPARATOR))
    known = METRICS.get(metric)
    return metric, (OTHER,) * len(known.labels) if labels == (FOLDED,) and known is not None else labels


def bin_of(seconds: float) -> int:
    """The histogram bin of a time: the index of the lowest bound that is not below it."""
    return bisect_left(BOUNDS, seconds)


def percentile(bins: Mapping[int, int], share: float) -> float | None:
    """The time that this share of the counted ones did not pass, in seconds; None of none counted."""
    total = sum(bins.values())
    if not total:
        return None
    rank, seen = share * total, 0.0
    for index in sorted(bins):
        if seen + bins[index] >= rank:
            low = BOUNDS[index - 1] if index else 0.0
            high = BOUNDS[min(index, len(BOUNDS) - 1)]
            return low + (high - low) * max(0.0, rank - seen) / bins[index]
        seen += bins[index]
    return BOUNDS[-1]
