"""What an answer's headers tell of its outcome. Pure: names and values in, pairs of texts out."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.errors import ServedError
from turnout.records import CACHE_STATUS, SERVED_FROM_CACHE, Decision, Outcome

Pairs = list[tuple[str, str]]


def outcome_headers(outcome: Outcome) -> Pairs:
    """The decision, the cache's part and the time, of an answer or of a stream's head."""
    pairs: Pairs = [("x-request-id", outcome.request_id), ("x-turnout-tier", outcome.tier)]
    if outcome.model:
        pairs.append(("x-turnout-model", outcome.model))
    if outcome.decision is not None and outcome.decision.score is not None:
        pairs.append(("x-turnout-score", f"{outcome.decision.score:.4f}"))
    if outcome.reason is not None:
        pairs.append(("x-turnout-reason", outcome.reason))
    if status := CACHE_STATUS[outcome.cache]:
        pairs.append(("cache-status", status))
    if outcome.age_s is not None:
        pairs.append(("age", str(int(outcome.age_s))))
    pairs.append(("server-timing", _timing(outcome)))
    pairs.extend(outcome.limits)
    return pairs


def decision_headers(decision: Decision) -> Pairs:
    """What was decided for a request that the app answers by its own client: the model is the preferred one."""
    pairs: Pairs = [("x-turnout-tier", decision.tier), ("x-turnout-model", decision.candidates[0])]
    if decision.score is not None:
        pairs.append(("x-turnout-score", f"{decision.score:.4f}"))
    return [*pairs, ("x-turnout-reason", decision.reason)]


def handling_timing(whole_s: float, outcomes: Sequence[Outcome]) -> Pairs:
    """Where the time of an app's own endpoint went up to its status line: inference apart from the app."""
    own = sum(outcome.turnout_s for outcome in outcomes)
    inference = sum(outcome.inference_s for outcome in outcomes)
    waited = sum(outcome.waited_s for outcome in outcomes)
    parts = [f"app;dur={max(0.0, whole_s - own - inference - waited) * 1000:.2f}"]
    if outcomes:
        parts += [f"turnout;dur={own * 1000:.2f}", f"inference;dur={inference * 1000:.2f}"]
    return [("server-timing", ", ".join(parts))]


def _timing(outcome: Outcome) -> str:
    parts = [f"turnout;dur={outcome.turnout_s * 1000:.2f}"]
    if outcome.cache not in SERVED_FROM_CACHE and outcome.inference_s:
        parts.append(f"inference;dur={outcome.inference_s * 1000:.2f}")
    if outcome.waited_s:
        parts.append(f"wait;dur={outcome.waited_s * 1000:.2f}")
    return ", ".join(parts)


def error_headers(error: ServedError, request_id: str) -> Pairs:
    """The request id, the error's own headers and when to come back."""
    return [("x-request-id", request_id), *error.told_headers]
