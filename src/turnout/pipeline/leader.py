"""A call made by this process, as a flight: decided, called upstream, stored and settled, whoever listens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from turnout.caching.entries import StoredAnswer, pack
from turnout.caching.flight_frames import encode_flight
from turnout.caching.flights import Flight
from turnout.context import RequestContext
from turnout.errors import Overloaded
from turnout.openai.answers import Body, dumps
from turnout.openai.requests import ChatRequest
from turnout.pipeline.admission import Admission
from turnout.pipeline.call import (
    AnswerFlight,
    AnswerFlights,
    AnswerListener,
    Call,
    Collaborators,
    FlightProgress,
    is_complete,
    is_doubted,
)
from turnout.ports.admission import NewEntry, PinUpdate
from turnout.ports.scoring import Query
from turnout.records import Decision, Usage
from turnout.routing.catalog import ModelSelection
from turnout.routing.router import Router
from turnout.upstream.call_trace import CallTrace, Candidate, UpstreamCall

if TYPE_CHECKING:
    from turnout.pipeline.cascade import CascadeCalls, CascadePlan, TierCalls


def key_tag(request: ChatRequest, selection: ModelSelection, context: RequestContext) -> str:
    """The tag that is part of the request's key: what the app knows about it (its own tag, else the endpoint that it
    came from), "" where it is not scored."""
    return "" if selection.tier is not None else request.tag or context.caller.endpoint


def decide(
    router: Router,
    request: ChatRequest,
    selection: ModelSelection,
    context: RequestContext,
    *,
    observe: bool = True,
    pacing_factor: float = 1.0,
    steer: Callable[[Decision], Decision] = lambda decision: decision,
) -> Decision:
    """The selection's decision where a tier or a model was forced, else the router's.

    observe: it counts for the share that is kept. pacing_factor: what pacing leaves of the routing target, in [0, 1].
    steer: given the decision so far, returns the one to act on.
    """
    if selection.tier is not None:
        return steer(Decision(tier=selection.tier, reason="forced", candidates=selection.candidates))
    endpoint = context.caller.endpoint
    query = Query(messages=request.messages, tag=request.tag, endpoint=endpoint, tools=request.tools)
    decision = router.decide(
        query,
        observe=observe,
        pacing_factor=pacing_factor,
        least_threshold=request.extension.get("threshold", 0.0),
        steer=steer,
    )
    scored = decision.reason in ("scored", "default_scorer", "novel")
    return replace(decision, reason="forced_ignored") if selection.ignored and scored else decision


class Leader:
    """Makes calls that any number of callers may listen to."""

    def __init__(
        self,
        collaborators: Collaborators,
        admission: Admission,
        flights: AnswerFlights,
        cascade: CascadeCalls | None = None,
    ) -> None:
        self._settings = collaborators.settings
        self._clock = collaborators.clock
        self._router = collaborators.router
        self._chain = collaborators.chain
        self._flight_broker = collaborators.flight_broker
        self._admission = admission
        self._flights = flights
        self._fitting = collaborators.fitting
        self._conversations = collaborators.conversations
        # Given each call whose answer was stored, once it is.
        self.on_stored: Callable[[Call, StoredAnswer], None] | None = None
        self._cascade = cascade

    def lead(self, call: Call, *, joinable: bool) -> AnswerListener:
        """Begins a flight for this call, and listens to it. joinable: others may, under the reservation's lease."""
        flight: AnswerFlight = Flight(FlightProgress(payer=call), streamed=call.request.stream)
        self._flights.add(call.key if joinable else None, flight)
        listener = flight.listen()
        flight.start(partial(self.run, call, joinable))
        return listener

    async def lead_uncoalesced(self, call: Call) -> AnswerListener:
        """Begins a flight that nobody may join: the gate believes that there is an answer. Raises ServedError."""
        await self._admission.reserve_uncoalesced(call)
        return self.lead(call, joinable=False)

    async def run(self, call: Call, joinable: bool, flight: AnswerFlight) -> None:
        """Routes the call, asks the model and settles the cost; the flight passes the answer on. Raises ServedError."""
        progress, reservation = flight.progress, call.reservation
        # Where the flight followed another process and got no answer, this call pays from here on.
        progress.payer = call
        lease = reservation.lease if joinable else ""
        store: NewEntry | None = None
        pin: PinUpdate | None = None
        settled = False
        if call.key is not None and joinable:
            self._flight_broker.share(call.key, lease, partial(encode_flight, flight))
        try:
            if flight.abandoned:
                raise asyncio.CancelledError
            decision = self._decide(call)
            plan = None if self._cascade is None else self._cascade.plan(call, decision)
            progress.decision = decision = await self._confirm(call, decision, plan)
            if plan is None or self._cascade is None or not plan.verifies:
                body, exact = await self._call_upstream(self._upstream_call(call, decision, progress.trace), flight)
            else:
                body, exact = await self._cascade.answer(plan, call, flight, self._tier_calls(call, flight))
                decision = progress.decision
            answer = _answer(body, progress)
            # A doubted answer is for those who wait now.
            store = self._store(call, answer) if exact and not is_doubted(decision) else None
            assert progress.trace.serving is not None
            pin = self._conversations.update(call.conversation, decision, answer.model, answer.usage)
            if reservation.counts_calls or call.context.stored_first:
                # Whoever has the whole answer may ask again at once, or count it as stored.
                await self._settle(call, progress.trace, lease, store, pin)
                settled = True
            flight.land(answer)
        finally:
            if not settled:
                await self._settle(call, progress.trace, lease, store, pin)
            self._flights.remove(call.key, flight)
        if store is not None and self.on_stored is not None:
            self.on_stored(call, answer)

    async def _settle(
        self, call: Call, trace: CallTrace, lease: str, store: NewEntry | None, pin: PinUpdate | None
    ) -> None:
        self._flight_broker.end(lease)
        settlement = call.reservation.settlement(trace, key=call.key, store=store)
        await self._admission.settle(replace(settlement, pin=pin), call.token)

    def _decide(self, call: Call) -> Decision:
        """The decision by the question. Raises ServedError."""
        routed = call.selection.tier is None

        factor = call.reservation.pacing_factor()

        def steer(decision: Decision) -> Decision:
            kept = self._conversations.steer(call.conversation, call.request, decision, paced=factor < 1.0)
            return self._fitting.fit(call.request, kept, routed=routed)

        return decide(
            self._router,
            call.request,
            call.selection,
            call.context,
            pacing_factor=factor,
            steer=steer,
        )

    async def _confirm(self, call: Call, decision: Decision, plan: CascadePlan | None) -> Decision:
        """The decision, or the plan's first one, its worst case reserved. Raises ServedError."""
        holding = partial(self._fitting.holding, call.request)
        if plan is None or self._cascade is None:
            return await call.reservation.confirm(decision, holding)
        try:
            return await call.reservation.confirm(plan.first, holding)
        except BaseException:
            self._cascade.drop(plan)
            raise

    def _tier_calls(self, call: Call, flight: AnswerFlight) -> TierCalls:
        # Loaded already: this call goes by a cascade.
        from turnout.pipeline.cascade import TierCalls

        stream_deadline = self._clock.monotonic() + self._settings.retry.stream_deadline_s
        return TierCalls(
            made=partial(self._upstream_call, call, trace=flight.progress.trace),
            ask=partial(self._call_upstream, flight=flight),
            publish=partial(self._publish, flight=flight, stream_deadline=stream_deadline),
        )

    async def _call_upstream(self, upstream_call: UpstreamCall, flight: AnswerFlight) -> tuple[Body, bool]:
        """The complete answer, and whether it says exactly what was streamed."""
        trace = flight.progress.trace
        if not flight.streamed:
            return await self._chain.complete(upstream_call, trace), True

        async with aclosing(self._chain.stream(upstream_call, trace)) as chunks:
            async for chunk in chunks:
                await self._publish(chunk, flight, upstream_call.stream_deadline)
        return trace.answer, trace.exact

    async def _publish(self, chunk: Body, flight: AnswerFlight, stream_deadline: float) -> None:
        """Raises Overloaded where the readers take longer than a chunk may take, or than the stream may last."""

        def limit() -> AbstractAsyncContextManager[Any]:
            serving = flight.progress.trace.serving
            assert serving is not None
            stalled_at = self._clock.monotonic() + self._settings.model(serving.model).chunk_timeout_s
            return self._clock.timeout_at(min(stalled_at, stream_deadline))

        try:
            await flight.publish(chunk, limit)
        except TimeoutError as error:
            # Its slot is for those who read.
            raise Overloaded("the stream was read too slowly, and gave its place to others") from error

    def _upstream_call(self, call: Call, decision: Decision, trace: CallTrace) -> UpstreamCall:
        retry = self._settings.retry
        models = [model for model in decision.candidates if model not in call.failed] or decision.candidates
        candidates = [Candidate(model=model, tier=self._settings.tier_of(model)) for model in models]
        if call.selection.tier is None:
            for model in self._fitting.roomier(decision.tier):
                if model not in models:
                    candidates.append(Candidate(model=model, tier=self._settings.tier_of(model), for_length=True))
        return UpstreamCall(
            messages=call.request.messages,
            params=call.request.params,
            extra=call.request.extra,
            beside_chat=call.request.beside_chat,
            optional=call.request.optional,
            candidates=tuple(candidates),
            # A flight belongs to nobody: a caller's own lower deadline ends its listening, not the flight.
            deadline=call.context.started + retry.deadline_s,
            stream_deadline=self._clock.monotonic() + retry.stream_deadline_s,
            token=call.token,
            user=call.context.caller.user_key,
            afford=call.reservation.attempt_check(trace),
            covered=models[0] == call.reservation.covered_model(decision.tier),
            own=self._own_params(call, tuple(candidate.model for candidate in candidates)),
            tokens=call.reservation,
            job=call.context.job,
        )

    def _own_params(self, call: Call, models: tuple[str, ...]) -> Mapping[str, Mapping[str, Any]]:
        caps = call.reservation.output_caps(models)
        keys = self._conversations.cache_keys(call.conversation, models)
        return {name: {**caps.get(name, {}), **keys.get(name, {})} for name in (*caps, *keys)}

    def _store(self, call: Call, answer: StoredAnswer) -> NewEntry | None:
        if call.key is None or not is_complete(answer.body):
            return None
        cache, caller = self._settings.cache, call.owner or call.context.caller
        return NewEntry(
            packed=pack(answer),
            ttl_s=cache.ttl_s,
            stale_s=cache.stale_s,
            user=caller.user_key,
            endpoint=caller.endpoint,
        )


def _answer(body: Body, progress: FlightProgress) -> StoredAnswer:
    decision, serving = progress.decision, progress.trace.serving
    assert decision is not None
    assert serving is not None
    # A chat is asked of a tier's models alone.
    assert serving.tier != "none"
    # After a second call that came to nothing it is not the last attempt that answered.
    served = (each for each in reversed(progress.trace.attempts) if each.model == serving.model and not each.error)
    usage = next((each.usage for each in served), None) or Usage()
    return StoredAnswer(body=dumps(body), decision=decision, tier=serving.tier, model=serving.model, usage=usage)
