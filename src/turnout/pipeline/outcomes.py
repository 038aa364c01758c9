"""How a request ends: the answer at hand, where its time went, and the one outcome that the observer gets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from turnout.caching.entries import StoredAnswer, unpack
from turnout.errors import CallerGone, NotCached, ServedError
from turnout.openai.answers import Body, dumps
from turnout.pipeline.call import CallState, is_complete, unstored
from turnout.ports.admission import Stored
from turnout.ports.runtime import Clock, Observer
from turnout.pricing import nano, total
from turnout.records import SERVED_FROM_CACHE, Attempt, CacheState, Decision, Outcome, Reason, ServedTier, Usage
from turnout.telemetry import names


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAnswer:
    """A whole answer at hand, and where it came from. age_s: of a cached one. similarity, key: of a semantic
    hit, how similar its question is, and what the answer is stored by."""

    answer: StoredAnswer
    cache: CacheState
    reason: Reason
    tier: ServedTier
    age_s: float | None = None
    similarity: float | None = None
    key: bytes | None = None


def cached_answer(stored: Stored, cache: CacheState) -> ReadyAnswer | None:
    """An answer out of the store; None where it cannot be read."""
    answer = unpack(stored.packed)
    if answer is None:
        return None
    return ReadyAnswer(answer=answer, cache=cache, reason="cache", tier=answer.tier, age_s=stored.age_s)


def flight_answer(state: CallState, answer: StoredAnswer) -> ReadyAnswer:
    """The answer that the request's flight landed with."""
    return ReadyAnswer(
        answer=answer,
        cache=state.cache if is_complete(answer.body) else unstored(state.cache),
        reason=_reason(answer.decision, answer.model),
        tier=answer.tier,
    )


def plain_answer(text: str, state: CallState, created: float) -> ReadyAnswer:
    """The configured plain answer, in the shape of a model's. created: seconds since 1970."""
    body: Body = {
        "id": f"chatcmpl-{state.call.context.request_id}",
        "object": "chat.completion",
        "created": int(created),
        "model": "turnout/fallback-answer",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": Usage().to_openai(),
    }
    decision = state.decision or Decision(tier="cheap", reason="fallback_answer", candidates=())
    answer = StoredAnswer(body=dumps(body), decision=decision, tier="cheap", model="", usage=Usage())
    return ReadyAnswer(answer=answer, cache=unstored(state.cache), reason="fallback_answer", tier="none")


def _reason(decision: Decision, model: str) -> Reason:
    """The decision's reason, unless another than the preferred candidate answered; one that is none of the candidates
    was asked for its larger window."""
    if model == decision.candidates[0]:
        return decision.reason
    return "fallback" if model in decision.candidates else "context"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Where one request's time went, in seconds. own: this library's, without inference and without waiting."""

    own: float
    inference: float
    waited: float


def times(state: CallState, now: float, listened_s: float) -> Times:
    """The times up to now. The inference of a follower is its listening, `listened_s`; else that of its attempts."""
    trace = state.trace
    if trace is not None:
        inference, waited = trace.inference_s(now), trace.waiting_s(now)
    else:
        inference, waited = listened_s, 0.0
    own = now - state.call.context.started - inference - waited
    return Times(own=max(0.0, own), inference=inference, waited=waited)


def answer_outcome(state: CallState, ready: ReadyAnswer, spent: Times, *, streamed: bool) -> Outcome:
    """The outcome of a request that gets a whole answer."""
    from_cache = ready.cache in SERVED_FROM_CACHE
    return _outcome(
        state,
        spent,
        decision=ready.answer.decision,
        tier=ready.tier,
        model=ready.answer.model,
        reason=ready.reason,
        cache=ready.cache,
        usage=Usage() if from_cache and not ready.answer.model else ready.answer.usage,
        streamed=streamed,
        age_s=ready.age_s,
        similarity=ready.similarity,
        cache_key=ready.key or state.call.key,
    )


def stream_outcome(state: CallState, spent: Times, *, usage: Usage, error: str | None) -> Outcome:
    """The outcome of a stream: of its head while it runs, of the whole when it is over. error: a code, or None."""
    progress = state.listener.flight.progress if state.listener is not None else None
    if progress is None or progress.decision is None or progress.trace.serving is None:
        return error_outcome(state, spent, error or "internal_error")
    decision, serving = progress.decision, progress.trace.serving
    return _outcome(
        state,
        spent,
        decision=decision,
        tier=serving.tier,
        model=serving.model,
        reason=_reason(decision, serving.model),
        cache=state.cache,
        usage=usage,
        streamed=True,
        error=error,
    )


def error_outcome(state: CallState, spent: Times, error: str) -> Outcome:
    """The outcome of a request that gets an error. error: its code."""
    return _outcome(
        state,
        spent,
        decision=state.decision,
        tier="none",
        model="",
        reason=state.decision.reason if state.decision else None,
        cache="miss" if state.cache == "miss_stored" else state.cache,
        usage=Usage(),
        streamed=state.call.request.stream,
        error=error,
    )


def received_usage(state: CallState) -> Usage:
    """The usage of an answer that broke off, as far as this request pays for it."""
    attempts = state.trace.attempts if state.trace is not None else ()
    return (attempts[-1].usage if attempts else None) or Usage()


def _outcome(state: CallState, spent: Times, **fields: Any) -> Outcome:
    trace, call = state.trace, state.call
    attempts = tuple(trace.paid) if trace is not None else ()
    firsts = [attempt.first_chunk_s for attempt in attempts if attempt.first_chunk_s is not None]
    fields.setdefault("cache_key", call.key)
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
        request=call.request,
        limits=call.reservation.headers,
        dropped=trace.dropped if trace is not None else (),
        **fields,
    )


def not_cached() -> NotCached:
    """For `only-if-cached`. The request went nowhere, so that RFC 9211 has no `fwd` for it."""
    message = "no stored answer will do, and Cache-Control: only-if-cached asks for no other"
    return NotCached(message, headers=(("cache-status", "turnout; detail=only-if-cached"),))


def error_code(error: BaseException) -> str:
    """What a request that ends with this error is counted as."""
    if isinstance(error, ServedError):
        return error.told_code
    ended = isinstance(error, CallerGone | asyncio.CancelledError | GeneratorExit)
    return "cancelled" if ended else "internal_error"


def with_headers(error: BaseException, headers: tuple[tuple[str, str], ...]) -> BaseException:
    """The error to raise, of which an outcome tells: with the headers of the limits that applied where it is served."""
    if isinstance(error, ServedError):
        error.has_outcome = True
    return error.headed(headers) if isinstance(error, ServedError) and headers else error


SideCall = Literal["semantic_check", "semantic_judge", "semantic_embedding"]


def tell_side_calls(observer: Observer, made_for: SideCall, endpoint: str, attempts: Iterable[Attempt]) -> None:
    """Tells what attempts that no request made have cost and used, so that they are part of what was paid."""
    for attempt in attempts:
        usage = attempt.usage or Usage()
        attributes: dict[str, str | int] = {
            names.SIDE_CALL_FOR: made_for,
            names.ENDPOINT: endpoint,
            names.TIER: attempt.tier,
            names.MODEL: attempt.model,
            names.COST_NANO_USD: nano(attempt.cost_usd),
            names.INPUT_TOKENS: usage.prompt_tokens,
            names.OUTPUT_TOKENS: usage.completion_tokens,
            names.CACHE_READ_TOKENS: usage.cached_tokens,
            names.REASONING_TOKENS: usage.reasoning_tokens,
        }
        observer.event(None, names.EVENT_SIDE_CALL, attributes)


class OutcomeReporter:
    """Ends requests: each has one outcome, reported once."""

    def __init__(self, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer

    def answered(self, state: CallState, ready: ReadyAnswer, listened_s: float, *, streamed: bool) -> Outcome:
        """Ends the request with a whole answer; its outcome."""
        spent = times(state, self._clock.monotonic(), listened_s)
        return self._report(state, answer_outcome(state, ready, spent, streamed=streamed))

    def failed(self, state: CallState, error: BaseException) -> BaseException:
        """Ends the request with an error; the error to raise, with the headers of the limits that applied."""
        code = error_code(error)
        spent = times(state, self._clock.monotonic(), 0.0)
        self.report_with_flight(state, lambda: error_outcome(state, spent, code))
        return with_headers(error, state.call.reservation.headers)

    def report_with_flight(self, state: CallState, outcome: Callable[[], Outcome]) -> None:
        """Ends the request; where it leaves a call that it pays for, once that is over and its cost is known."""
        flight = state.paid_flight
        if flight is not None and not flight.over:
            flight.when_ended(lambda: self._report(state, outcome()))
        else:
            self._report(state, outcome())

    def _report(self, state: CallState, outcome: Outcome) -> Outcome:
        if state.outcome is None:
            state.outcome = outcome
            self._observer.request_ended(state.call.token, outcome)
        return outcome
