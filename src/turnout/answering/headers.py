"""What an answer's headers tell of its outcome. Pure: names and values in, pairs of texts out."""

from __future__ import annotations

import math

from turnout.errors import ServedError
from turnout.outcome import CACHE_STATUS, SERVED_FROM_CACHE, Outcome

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


def _timing(outcome: Outcome) -> str:
    parts = [f"turnout;dur={outcome.turnout_s * 1000:.2f}"]
    if outcome.cache not in SERVED_FROM_CACHE and outcome.inference_s:
        parts.append(f"inference;dur={outcome.inference_s * 1000:.2f}")
    if outcome.waited_s:
        parts.append(f"wait;dur={outcome.waited_s * 1000:.2f}")
    return ", ".join(parts)


def error_headers(error: ServedError, request_id: str) -> Pairs:
    """The request id, the error's own headers and when to come back."""
    pairs: Pairs = [("x-request-id", request_id), *error.headers]
    if error.retry_after_s is not None:
        pairs.append(("retry-after", str(max(1, math.ceil(error.retry_after_s)))))
    return pairs
