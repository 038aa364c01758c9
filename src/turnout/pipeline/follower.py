"""A call that is in flight already: listened to where it is this loop's, told on where it is another process'."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import assert_never

from turnout.caching.entries import unpack
from turnout.caching.flights import Flight
from turnout.errors import Overloaded
from turnout.pipeline.admission import Admission
from turnout.pipeline.bill import refusal
from turnout.pipeline.call import AnswerFlight, AnswerFlights, AnswerListener, Call, FlightProgress, miss_state
from turnout.pipeline.flight_frames import heard, landed
from turnout.pipeline.leader import Leader
from turnout.ports.admission import Ask, Follow, Hit, Lead, Verdict
from turnout.ports.limits import BudgetRefused, RateRefused, Refusal
from turnout.ports.sharing import FlightBroker, FlightLost
from turnout.settings import Settings


class Follower:
    """Joins flights instead of making calls twice."""

    def __init__(
        self,
        *,
        settings: Settings,
        admission: Admission,
        leader: Leader,
        flight_broker: FlightBroker,
        flights: AnswerFlights,
    ) -> None:
        self._settings = settings
        self._admission = admission
        self._leader = leader
        self._flight_broker = flight_broker
        self._flights = flights

    def join(self, call: Call) -> AnswerListener | None:
        """Listens to this loop's own flight of the same call; None where there is none."""
        flight = self._flights.find(call.key) if call.key is not None else None
        if flight is None:
            return None
        call.cache = "collapsed"
        call.progress = flight.head
        return flight.listen()

    def echo(self, call: Call, ask: Ask, follow: Follow) -> AnswerListener:
        """Another process' flight (or another loop's), told on as a flight that can be listened to here."""
        call.progress, call.cache = FlightProgress(), "collapsed"
        flight: AnswerFlight = Flight(call.progress, streamed=call.request.stream)
        self._flights.add(call.key, flight)
        listener = flight.listen()
        flight.start(partial(self._echoed, call, ask, follow))
        return listener

    async def _echoed(self, call: Call, ask: Ask, follow: Follow, flight: AnswerFlight) -> None:
        """Hears another's flight; makes the call here where its holder is gone, or where it cannot be heard."""
        verdict: Verdict = follow
        try:
            if flight.abandoned:
                raise asyncio.CancelledError
            while isinstance(verdict, Follow):
                try:
                    if await self._heard(call, verdict, flight):
                        return
                    ask = replace(ask, collapse=False)
                except FlightLost as lost:
                    if flight.begun:
                        raise Overloaded(f"the shared stream broke off: {lost}", retry_after_s=1.0) from lost
                # The request is counted already.
                verdict = await self._admission.enter(call, call.reservation.again(ask))
            await self._resumed(call, verdict, flight)
        finally:
            self._flights.remove(call.key, flight)

    async def _heard(self, call: Call, follow: Follow, flight: AnswerFlight) -> bool:
        assert call.key is not None
        async with aclosing(self._flight_broker.follow(call.key, follow.lease, chunks=flight.streamed)) as frames:
            return await heard(frames, flight)

    async def _resumed(self, call: Call, verdict: Hit | Lead | Refusal, flight: AnswerFlight) -> None:
        """Whoever followed in vain has its answer from the store or makes the call."""
        match verdict:
            case Hit():
                answer = unpack(verdict.stored.packed)
                if answer is not None:
                    await landed(answer, flight)
                else:
                    await self._admission.reserve_apart(call)
                    await self._leader.flight(call, None, flight)
            case Lead():
                call.cache = miss_state(self._settings, call.context)
                await self._leader.flight(call, verdict.lease, flight)
            case RateRefused() | BudgetRefused():
                raise refusal(verdict)
            case _:
                assert_never(verdict)
