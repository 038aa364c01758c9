"""How one caller gets its answer: waited for, as a stream of chunks, or what serves instead when no model answered."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from turnout.errors import (
    BudgetExceeded,
    BudgetUnavailable,
    DeadlineExceeded,
    InvalidRequest,
    NoRoomYet,
    Overloaded,
    ServedError,
    UpstreamUnavailable,
)
from turnout.openai.answers import chunks_of
from turnout.openai.completion import AnswerStream
from turnout.pipeline.call import AnswerListener, Call, CallState, Collaborators, is_doubted
from turnout.pipeline.outcomes import (
    OutcomeReporter,
    ReadyAnswer,
    Times,
    cached_answer,
    flight_answer,
    plain_answer,
    received_usage,
    stream_outcome,
    times,
)
from turnout.pricing import total
from turnout.records import Outcome, Usage

# How much longer a caller that set no deadline of its own listens than the flight may take.
LISTEN_GRACE_S = 0.5
# Failures that a stale or a plain answer is better than.
OUTAGES = (UpstreamUnavailable, Overloaded, DeadlineExceeded)

# What a call ends with for its leader's own reasons: its budget, its parameters that are no part of the cache key, and
# its place in a queue.
LEADER_ONLY_ERRORS = (BudgetExceeded, BudgetUnavailable, InvalidRequest, NoRoomYet)

T = TypeVar("T")


class ServedToItsLeader(ServedError):
    """The flight's answer is its leader's alone: this follower makes the call for itself. Never served."""


def _check_whose(state: CallState, listener: AnswerListener) -> None:
    """Raises ServedToItsLeader to a follower where a doubted answer is served for its leader's deadline or budget."""
    progress = listener.flight.progress
    decision, payer = progress.decision, progress.payer
    if state.paid_flight is not None or decision is None or payer is None or not is_doubted(decision):
        return
    if decision.reason == "budget" or payer.context.directives.deadline_s is not None:
        raise ServedToItsLeader("a doubted answer was served")


def ended_for_its_leader(state: CallState, error: ServedError) -> bool:
    """Whether the flight that this follower listened to failed for its leader's own reasons."""
    flight = state.listener.flight if state.listener is not None else None
    if flight is None or state.paid_flight is not None or flight.error is not error:
        return False
    return isinstance(error, LEADER_ONLY_ERRORS) or any(
        skip.reason == "budget" for skip in flight.progress.trace.skipped
    )


class Delivery:
    """Delivers the answer of a flight to one of its listeners."""

    def __init__(self, collaborators: Collaborators, reporter: OutcomeReporter) -> None:
        self._settings = collaborators.settings
        self._clock = collaborators.clock
        self._gate = collaborators.gate
        self._reporter = reporter

    async def wait(
        self,
        state: CallState,
        listener: AnswerListener,
        receive: Callable[[CallState, AnswerListener], Awaitable[T]],
    ) -> T:
        """What `receive` returns, for as long as this caller waits for it. Raises CallerGone."""
        try:
            return cast(T, await state.call.context.waits(receive(state, listener)))
        except BaseException:
            # A caller that went before the listening began: leaving twice changes nothing.
            listener.leave()
            raise

    async def receive_answer(self, state: CallState, listener: AnswerListener) -> tuple[ReadyAnswer, float]:
        """The whole answer, or what serves instead of it, and how long it was listened for, in seconds."""
        since = self._clock.monotonic()
        try:
            async with self._deadline(state.call):
                answer = await listener.answer()
            _check_whose(state, listener)
        except OUTAGES as error:
            if ended_for_its_leader(state, error):
                raise
            return await self._fallback(state, error), self._clock.monotonic() - since
        finally:
            listener.leave()
        return flight_answer(state, answer), self._clock.monotonic() - since

    async def receive_stream(self, state: CallState, listener: AnswerListener) -> AnswerStream:
        """The flight's chunks, the first at hand; where it failed before that, what serves instead as chunks."""
        since = self._clock.monotonic()
        if not listener.flight.streamed:
            return self.replay(state, *await self.receive_answer(state, listener))
        try:
            async with self._deadline(state.call):
                first = await listener.next_batch()
            _check_whose(state, listener)
        except ServedToItsLeader:
            listener.leave()
            raise
        except OUTAGES as error:
            listener.leave()
            if ended_for_its_leader(state, error):
                raise
            return self.replay(state, await self._fallback(state, error), self._clock.monotonic() - since)
        now = self._clock.monotonic()
        head = stream_outcome(state, times(state, now, now - since), usage=Usage(), error=None)
        chunks = self._chunks(state, listener, first, head)
        # Begun at once: a generator that was never begun runs none of its own clean-up.
        await anext(chunks)
        return AnswerStream(
            chunks,
            head,
            lambda: state.outcome,
            include_usage=state.call.request.include_usage,
            with_items=state.call.request.beside_chat is not None,
            cost=lambda: total(attempt.cost_usd for attempt in (state.trace.paid if state.trace else ())),
        )

    def replay(self, state: CallState, ready: ReadyAnswer, listened_s: float) -> AnswerStream:
        """A whole answer as a stream; ends the request."""
        outcome = self._reporter.answered(state, ready, listened_s, streamed=True)

        async def chunks() -> AsyncGenerator[Sequence[Mapping[str, Any]], None]:
            yield [*chunks_of(json.loads(ready.answer.body), include_usage=True)]

        return AnswerStream(
            chunks(),
            outcome,
            lambda: outcome,
            include_usage=state.call.request.include_usage,
            with_items=state.call.request.beside_chat is not None,
            cost=lambda: outcome.cost_usd,
        )

    async def _chunks(
        self, state: CallState, listener: AnswerListener, batch: Sequence[Mapping[str, Any]], head: Outcome
    ) -> AsyncGenerator[Sequence[Mapping[str, Any]], None]:
        error: str | None = "cancelled"
        try:
            yield ()
            while batch:
                yield batch
                batch = await listener.next_batch()
            error = None
        except ServedError as broken:
            error = broken.told_code
            raise
        finally:
            listener.leave()
            self._end_stream(state, listener, head, error)

    def _end_stream(self, state: CallState, listener: AnswerListener, head: Outcome, error: str | None) -> None:
        answer = listener.flight.landed

        def outcome() -> Outcome:
            usage = answer.usage if answer is not None else received_usage(state)
            # The head's times are what the caller waited for; the rest of a stream is the reader's own pace.
            spent = Times(own=head.turnout_s, inference=head.inference_s, waited=head.waited_s)
            return stream_outcome(state, spent, usage=usage, error=error)

        self._reporter.report_with_flight(state, outcome)

    @asynccontextmanager
    async def _deadline(self, call: Call) -> AsyncIterator[None]:
        """Ends this caller's listening at its deadline. Raises DeadlineExceeded."""
        lower, allowed = call.context.directives.deadline_s, self._settings.retry.deadline_s
        seconds = allowed if lower is None else min(lower, allowed)
        # The flight ends itself at its deadline, and blames whom it waited for: to leave it just before would
        # look like a client that hung up.
        grace = LISTEN_GRACE_S if seconds == allowed else 0.0
        try:
            async with self._clock.timeout_at(call.context.started + seconds + grace):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within the deadline of {seconds:g} s") from error

    async def _fallback(self, state: CallState, error: ServedError) -> ReadyAnswer:
        """A stale answer, else the configured plain one, else raises the error itself."""
        stale = await self._stale_answer(state.call)
        if stale is not None:
            return stale
        if not self._settings.fallback.answer:
            raise error
        return plain_answer(self._settings.fallback.answer, state, self._clock.time())

    async def _stale_answer(self, call: Call) -> ReadyAnswer | None:
        # RFC 9111: `no-cache`, `max-age` and `min-fresh` are a caller's word that an old answer will not do.
        directives = call.context.directives
        if call.key is None or directives.no_cache or directives.oldest_s(0.0) is not None:
            return None
        stored = await self._gate.stale(call.key)
        return None if stored is None else cached_answer(stored, "stale")
