"""A call made here, as a flight: from its decision to its settlement, whoever listens to it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial

from turnout.caching.entries import StoredAnswer, pack
from turnout.caching.flights import Flight
from turnout.openai.answers import Assembly, Body, dumps
from turnout.pipeline.admission import Admission
from turnout.pipeline.call import AnswerFlight, AnswerFlights, AnswerListener, Call, FlightProgress
from turnout.pipeline.deciding import decide
from turnout.pipeline.flight_frames import told
from turnout.pipeline.reservation import Reservations
from turnout.ports.admission import Store
from turnout.ports.runtime import Clock
from turnout.ports.sharing import FlightBroker
from turnout.records import Decision, Usage
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.upstream.call_trace import CallTrace, Candidate, UpstreamCall
from turnout.upstream.chain import Chain

# A complete answer; `length` and `content_filter` are truncated ones.
STORABLE = frozenset({"stop", "tool_calls", "function_call"})


class Leader:
    """Makes calls that any number of callers listen to."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        admission: Admission,
        reservations: Reservations,
        router: Router,
        chain: Chain,
        flight_broker: FlightBroker,
        flights: AnswerFlights,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._admission = admission
        self._reservations = reservations
        self._router = router
        self._chain = chain
        self._flight_broker = flight_broker
        self._flights = flights

    async def call_uncoalesced(self, call: Call) -> AnswerListener:
        """A call that shares nothing: the store told of an answer that cannot be read."""
        await self._admission.reserve_apart(call)
        return self.fly(call, lease=None)

    def fly(self, call: Call, lease: str | None) -> AnswerListener:
        """Begins the call. lease: the gate's, under which others may join it; None: nobody may."""
        call.progress = FlightProgress()
        flight: AnswerFlight = Flight(call.progress, streamed=call.request.stream)
        call.flight = flight
        self._flights.add(call.key if lease is not None else None, flight)
        listener = flight.listen()
        flight.start(partial(self.flight, call, lease))
        return listener

    async def flight(self, call: Call, lease: str | None, flight: AnswerFlight) -> None:
        """One call, from the decision to the settlement. Shared by all who listen to it."""
        store: Store | None = None
        if call.key is not None and lease is not None:
            self._flight_broker.share(call.key, lease, partial(told, flight))
        try:
            if flight.abandoned:
                raise asyncio.CancelledError
            pacing_factor = self._reservations.pacing_factor(call.reservation)
            decision = decide(self._router, call.request, call.selection, call.context, pacing_factor=pacing_factor)
            decision = await self._reservations.within(call.reservation, decision)
            flight.head.decision = decision
            body = await self._called(self._order(call, decision, flight.head.trace), flight)
            answer = _answer(body, flight.head)
            store = self._store(call, body, answer)
            flight.land(answer)
        finally:
            self._flight_broker.end(lease or "")
            await self._admission.settle(
                self._reservations.settlement(
                    call.reservation,
                    call.request,
                    flight.head.trace,
                    key=call.key,
                    lease=lease or call.reservation.lease,
                    store=store,
                ),
                call.token,
            )
            self._flights.remove(call.key, flight)

    async def _called(self, order: UpstreamCall, flight: AnswerFlight) -> Body:
        trace = flight.head.trace
        if not flight.streamed:
            return await self._chain.complete(order, trace)
        whole = Assembly()
        async with aclosing(self._chain.stream(order, trace)) as chunks:
            async for chunk in chunks:
                whole.add(chunk)
                await flight.publish(chunk)
        return whole.body()

    def _order(self, call: Call, decision: Decision, trace: CallTrace) -> UpstreamCall:
        now, retry = self._clock.monotonic(), self._settings.retry
        return UpstreamCall(
            messages=call.request.messages,
            params=call.request.params,
            extra=call.request.extra,
            candidates=tuple(
                Candidate(model=model, tier=self._settings.tier_of(model)) for model in decision.candidates
            ),
            # A flight belongs to nobody: a caller's own lower deadline ends its listening, not the flight.
            deadline=call.context.started + retry.deadline_s,
            stream_deadline=now + retry.stream_deadline_s,
            token=call.token,
            afford=self._reservations.affording(call.reservation, call.request, trace),
            own=self._reservations.caps(call.reservation, call.request, decision.candidates),
        )

    def _store(self, call: Call, body: Body, answer: StoredAnswer) -> Store | None:
        complete = all(choice.get("finish_reason") in STORABLE for choice in body.get("choices") or ())
        if call.key is None or not complete:
            return None
        cache, caller = self._settings.cache, call.context.caller
        return Store(
            packed=pack(answer),
            ttl_s=cache.ttl_s,
            stale_s=cache.stale_s,
            user=caller.user,
            endpoint=caller.endpoint,
        )


def _answer(body: Body, progress: FlightProgress) -> StoredAnswer:
    decision, serving = progress.decision, progress.trace.serving
    assert decision is not None
    assert serving is not None
    usage = progress.trace.attempts[-1].usage or Usage()
    body.setdefault("usage", usage.to_openai())
    return StoredAnswer(body=dumps(body), decision=decision, tier=serving.tier, model=serving.model, usage=usage)
