"""What is told of a request when it is over: its times and its outcome. Values and pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turnout.pipeline.call import Call
from turnout.pipeline.whole import ReadyAnswer, fallback_reason
from turnout.pricing import total
from turnout.records import SERVED_FROM_CACHE, Attempt, Outcome, Usage
from turnout.upstream.call_trace import CallTrace


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Where one request's time went, in seconds."""

    own: float
    inference: float
    waited: float

    def up_to(self, head: Outcome) -> Times:
        """These times as they stood at the head of a stream: what its caller waited for."""
        return Times(own=head.turnout_s, inference=head.inference_s, waited=head.waited_s)


def times(call: Call, now: float, listened_s: float) -> Times:
    """This library's own time is what is left of the whole after inference and waiting.

    A follower's inference is its listening, `listened_s`; a leader's is its trip's.
    """
    whole = max(0.0, now - call.context.started)
    trace = _trip(call)
    if trace is not None:
        inference, waited = trace.inference_s(now), trace.waiting_s(now)
    else:
        inference, waited = listened_s, 0.0
    return Times(own=max(0.0, whole - inference - waited), inference=inference, waited=waited)


def _trip(call: Call) -> CallTrace | None:
    """The trip that this request pays for: none for a hit or for a follower."""
    return call.progress.trace if call.progress is not None and call.cache != "collapsed" else None


def _attempts(call: Call) -> tuple[Attempt, ...]:
    trace = _trip(call)
    return tuple(trace.attempts) if trace is not None else ()


def received(call: Call) -> Usage:
    """What came of an answer that never came whole, as far as this request pays for it."""
    attempts = _attempts(call)
    return (attempts[-1].usage if attempts else None) or Usage()


def whole_outcome(call: Call, whole: ReadyAnswer, spent: Times, *, streamed: bool) -> Outcome:
    """The outcome of a request that was given a whole answer."""
    from_cache = whole.cache in SERVED_FROM_CACHE
    return _outcome(
        call,
        spent,
        decision=whole.answer.decision,
        tier=whole.tier,
        model=whole.answer.model,
        reason=whole.reason,
        cache=whole.cache,
        usage=Usage() if from_cache and not whole.answer.model else whole.answer.usage,
        streamed=streamed,
        age_s=whole.age_s,
    )


def stream_outcome(call: Call, spent: Times, *, usage: Usage, error: str | None) -> Outcome:
    """The outcome of a stream: of its head while it runs, of the whole when it is over."""
    progress = call.progress
    serving = progress.trace.serving if progress else None
    decision = progress.decision if progress else None
    if serving is None or decision is None:
        return refused_outcome(call, spent, error or "internal_error")
    return _outcome(
        call,
        spent,
        decision=decision,
        tier=serving.tier,
        model=serving.model,
        reason=fallback_reason(decision, serving.model),
        cache=call.cache,
        usage=usage,
        streamed=True,
        error=error,
    )


def refused_outcome(call: Call, spent: Times, error: str) -> Outcome:
    """The outcome of a request that was told an error."""
    decision = call.progress.decision if call.progress else None
    return _outcome(
        call,
        spent,
        decision=decision,
        tier="none",
        model="",
        reason=decision.reason if decision else None,
        cache="miss" if call.cache == "miss_stored" else call.cache,
        usage=Usage(),
        streamed=call.request.stream,
        error=error,
    )


def _outcome(call: Call, spent: Times, **told: Any) -> Outcome:
    attempts, trace = _attempts(call), _trip(call)
    firsts = [attempt.first_chunk_s for attempt in attempts if attempt.first_chunk_s is not None]
    return Outcome(
        request_id=call.context.request_id,
        attempts=attempts,
        skipped=tuple(trace.skipped) if trace is not None else (),
        cost_usd=total(attempt.cost_usd for attempt in attempts),
        turnout_s=spent.own,
        inference_s=spent.inference,
        waited_s=spent.waited,
        first_chunk_s=firsts[-1] if firsts else None,
        user=call.context.caller.user,
        endpoint=call.context.caller.endpoint,
        limits=call.reservation.headers,
        **told,
    )
