"""A call that is in flight already: listened to here, or mirrored where another process or loop makes it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import assert_never

from turnout.caching.entries import unpack
from turnout.caching.flight_frames import land_ready, mirror_frames
from turnout.caching.flights import Flight
from turnout.errors import Overloaded
from turnout.pipeline.admission import Admission
from turnout.pipeline.call import AnswerFlight, AnswerFlights, AnswerListener, Call, Collaborators, FlightProgress
from turnout.pipeline.leader import Leader
from turnout.ports.admission import Ask, Follow, GateVerdict, Hit, Lead
from turnout.ports.limits import BudgetRefused, RateRefused, Refusal
from turnout.ports.sharing import FlightLost
from turnout.quota.refusals import refusal_error


class Follower:
    """Joins flights, so that no call is made twice."""

    def __init__(
        self, collaborators: Collaborators, admission: Admission, leader: Leader, flights: AnswerFlights
    ) -> None:
        self._flight_broker = collaborators.flight_broker
        self._admission = admission
        self._leader = leader
        self._flights = flights

    def follow(self, call: Call, ask: Ask, verdict: Follow) -> AnswerListener:
        """Listens to the flight that makes this call: this loop's own, else a mirror of another's."""
        flight = self._flights.find(call.key) if call.key is not None else None
        if flight is not None:
            return flight.listen()
        flight = Flight(FlightProgress(), streamed=call.request.stream)
        self._flights.add(call.key, flight)
        listener = flight.listen()
        flight.start(partial(self._mirror, call, ask, verdict))
        return listener

    async def _mirror(self, call: Call, ask: Ask, follow: Follow, flight: AnswerFlight) -> None:
        """Mirrors the other flight; makes the call here where its process is gone or it cannot be followed."""
        verdict: GateVerdict = follow
        try:
            if flight.abandoned:
                raise asyncio.CancelledError
            while isinstance(verdict, Follow):
                try:
                    if await self._receive(call, verdict, flight):
                        return
                    ask = replace(ask, collapse=False)
                except FlightLost as lost:
                    if flight.has_chunks:
                        raise Overloaded(f"the shared stream broke off: {lost}", retry_after_s=1.0) from lost
                # The request is counted already.
                verdict = await self._admission.enter(call, call.reservation.claim_call(ask))
            await self._take_over(call, verdict, flight)
        finally:
            self._flights.remove(call.key, flight)

    async def _receive(self, call: Call, follow: Follow, flight: AnswerFlight) -> bool:
        assert call.key is not None
        async with aclosing(self._flight_broker.follow(call.key, follow.lease, chunks=flight.streamed)) as frames:
            return await mirror_frames(frames, flight)

    async def _take_over(self, call: Call, verdict: Hit | Lead | Refusal, flight: AnswerFlight) -> None:
        """Serves this flight from the store, or makes the call. Raises ServedError."""
        match verdict:
            case Hit():
                answer = unpack(verdict.stored.packed)
                if answer is not None:
                    await land_ready(answer, flight)
                else:
                    await self._admission.reserve_uncoalesced(call)
                    await self._leader.run(call, False, flight)
            case Lead():
                await self._leader.run(call, True, flight)
            case RateRefused() | BudgetRefused():
                raise refusal_error(verdict)
            case _:
                assert_never(verdict)
