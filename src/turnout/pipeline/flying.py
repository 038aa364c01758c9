"""A call made here, as a flight: from its decision to its settlement, whoever listens to it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial

from turnout.caching.entries import StoredAnswer, pack
from turnout.caching.flights import Flight
from turnout.outcome import Decision, Usage
from turnout.pipeline.billing import Billing
from turnout.pipeline.call import AnswerFlight, AnswerFlights, AnswerListener, Call, Flown
from turnout.pipeline.deciding import decide
from turnout.pipeline.entrance import Entrance
from turnout.pipeline.sharing import told
from turnout.ports import Clock, Relay, Store
from turnout.replies import Assembly, Body, dumps
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.upstream.chain import Chain
from turnout.upstream.order import Candidate, Order, Trip

# A complete answer; `length` and `content_filter` are truncated ones.
STORABLE = frozenset({"stop", "tool_calls", "function_call"})


class Flying:
    """Makes calls that any number of callers listen to."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        entrance: Entrance,
        billing: Billing,
        router: Router,
        chain: Chain,
        relay: Relay,
        flights: AnswerFlights,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._entrance = entrance
        self._billing = billing
        self._router = router
        self._chain = chain
        self._relay = relay
        self._flights = flights

    async def fly_apart(self, call: Call) -> AnswerListener:
        """A call that shares nothing: the store told of an answer that cannot be read."""
        await self._entrance.reserve_apart(call)
        return self.fly(call, lease=None)

    def fly(self, call: Call, lease: str | None) -> AnswerListener:
        """Begins the call. lease: the gate's, under which others may join it; None: nobody may."""
        call.flown = Flown()
        flight: AnswerFlight = Flight(call.flown, streamed=call.request.stream)
        call.flight = flight
        self._flights.add(call.key if lease is not None else None, flight)
        listener = flight.listen()
        flight.start(partial(self.flight, call, lease))
        return listener

    async def flight(self, call: Call, lease: str | None, flight: AnswerFlight) -> None:
        """One call, from the decision to the settlement. Shared by all who listen to it."""
        store: Store | None = None
        if call.key is not None and lease is not None:
            self._relay.share(call.key, lease, partial(told, flight))
        try:
            if flight.abandoned:
                raise asyncio.CancelledError
            ease = self._billing.ease(call.bill)
            decision = decide(self._router, call.request, call.target, call.around, ease=ease)
            decision = await self._billing.within(call.bill, decision)
            flight.head.decision = decision
            body = await self._called(self._order(call, decision, flight.head.trip), flight)
            answer = _answer(body, flight.head)
            store = self._store(call, body, answer)
            flight.land(answer)
        finally:
            self._relay.end(lease or "")
            await self._entrance.settle(
                self._billing.settlement(
                    call.bill, call.request, flight.head.trip, key=call.key, lease=lease or call.bill.lease, store=store
                ),
                call.token,
            )
            self._flights.remove(call.key, flight)

    async def _called(self, order: Order, flight: AnswerFlight) -> Body:
        trip = flight.head.trip
        if not flight.streamed:
            return await self._chain.complete(order, trip)
        whole = Assembly()
        async with aclosing(self._chain.stream(order, trip)) as chunks:
            async for chunk in chunks:
                whole.add(chunk)
                await flight.publish(chunk)
        return whole.body()

    def _order(self, call: Call, decision: Decision, trip: Trip) -> Order:
        now, retry = self._clock.monotonic(), self._settings.retry
        return Order(
            messages=call.request.messages,
            params=call.request.params,
            extra=call.request.extra,
            candidates=tuple(
                Candidate(model=model, tier=self._settings.tier_of(model)) for model in decision.candidates
            ),
            # A flight belongs to nobody: a caller's own lower deadline ends its listening, not the flight.
            deadline=call.around.started + retry.deadline_s,
            stream_deadline=now + retry.stream_deadline_s,
            token=call.token,
            afford=self._billing.affording(call.bill, call.request, trip),
            own=self._billing.caps(call.bill, call.request, decision.candidates),
        )

    def _store(self, call: Call, body: Body, answer: StoredAnswer) -> Store | None:
        complete = all(choice.get("finish_reason") in STORABLE for choice in body.get("choices") or ())
        if call.key is None or not complete:
            return None
        cache, caller = self._settings.cache, call.around.caller
        return Store(
            packed=pack(answer),
            ttl_s=cache.ttl_s,
            stale_s=cache.stale_s,
            user=caller.user,
            endpoint=caller.endpoint,
        )


def _answer(body: Body, flown: Flown) -> StoredAnswer:
    decision, serving = flown.decision, flown.trip.serving
    assert decision is not None
    assert serving is not None
    usage = flown.trip.attempts[-1].usage or Usage()
    body.setdefault("usage", usage.to_openai())
    return StoredAnswer(body=dumps(body), decision=decision, tier=serving.tier, model=serving.model, usage=usage)
