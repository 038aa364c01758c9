"""The response headers that carry the decision, the cache's part, the time and the limits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from turnout.records import CACHE_STATUS, SERVED_FROM_CACHE, Decision, Outcome

Headers = list[tuple[str, str]]


def outcome_headers(outcome: Outcome, *, whole: bool = True) -> Headers:
    """The headers of an answer. whole: False for a stream, whose outcome is known up to its first chunk."""
    headers: Headers = [("x-request-id", outcome.request_id), ("x-turnout-tier", outcome.tier)]
    if outcome.model:
        headers.append(("x-turnout-model", outcome.model))
    if outcome.decision is not None and outcome.decision.score is not None:
        headers.append(("x-turnout-score", f"{outcome.decision.score:.4f}"))
    if outcome.reason is not None:
        headers.append(("x-turnout-reason", outcome.reason))
    if outcome.decision is not None and outcome.decision.verdict is not None:
        headers.append(("x-turnout-verdict", outcome.decision.verdict))
    if whole:
        headers.append(("x-turnout-cost-usd", cost_text(outcome.cost_usd)))
    if outcome.decision is not None and outcome.reason in ("sticky", "sticky_left"):
        headers.extend(_switch_headers(outcome.decision))
    if status := CACHE_STATUS[outcome.cache]:
        headers.append(("cache-status", status))
    if outcome.similarity is not None:
        headers.append(("x-turnout-similarity", f"{outcome.similarity:.4f}"))
    if outcome.age_s is not None:
        headers.append(("age", str(int(outcome.age_s))))
    if outcome.dropped:
        headers.append(("x-turnout-dropped-params", ", ".join(outcome.dropped)))
    headers.append(("server-timing", _timing(outcome)))
    headers.extend(outcome.limits)
    return headers


def cost_text(cost: Decimal) -> str:
    """USD as a plain decimal number: `0.00021`, and `0` where nothing was paid."""
    return f"{cost.normalize():f}" if cost else "0"


def _switch_headers(decision: Decision) -> Headers:
    """What leaving the conversation's model was estimated to cost and to be worth, where prices are known."""
    estimates = (("cost", decision.switch_usd), ("gain", decision.switch_gain_usd))
    return [(f"x-turnout-switch-{name}-usd", f"{usd:.6f}") for name, usd in estimates if usd is not None]


def decision_headers(decision: Decision) -> Headers:
    """The headers for a request that the app answers with a client of its own: the model is the preferred one."""
    headers: Headers = [("x-turnout-tier", decision.tier), ("x-turnout-model", decision.candidates[0])]
    if decision.score is not None:
        headers.append(("x-turnout-score", f"{decision.score:.4f}"))
    return [*headers, ("x-turnout-reason", decision.reason)]


def app_seconds(total_s: float, outcomes: Sequence[Outcome]) -> float:
    """The app's part of a request that took `total_s` seconds: what its calls of models did not take."""
    calls_s = sum(outcome.turnout_s + outcome.inference_s + outcome.waited_s for outcome in outcomes)
    return max(0.0, total_s - calls_s)


def handler_timing(total_s: float, outcomes: Sequence[Outcome]) -> Headers:
    """`Server-Timing` of one of the app's own endpoints, `total_s` seconds after its request came: the app's part, and
    that of the calls it made."""
    own = sum(outcome.turnout_s for outcome in outcomes)
    inference = sum(outcome.inference_s for outcome in outcomes)
    parts = [f"app;dur={app_seconds(total_s, outcomes) * 1000:.2f}"]
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
