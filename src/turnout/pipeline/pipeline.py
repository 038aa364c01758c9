"""One request, from its identity to its outcome. Reads top to bottom like the path it takes:

complete() and stream() -> enter the gate (entrance.py) -> a hit | listen to a flight (listening.py, streams.py)
a flight, made here (flying.py) or another's (echoes.py) -> decide -> call upstream -> land -> leave the gate
nothing landed -> a stale answer -> the plain answer -> the error (fallbacks.py)
over, one way or another -> its outcome is told (ending.py)
"""

from __future__ import annotations

from typing import assert_never

from turnout.caching.flights import Flights, Listener
from turnout.caching.keys import Keys
from turnout.context import RequestContext
from turnout.openai.completion import AnswerStream, Completion
from turnout.openai.requests import ChatRequest
from turnout.pipeline.admission import Admission
from turnout.pipeline.bill import refusal
from turnout.pipeline.budget_alerts import BudgetAlerts
from turnout.pipeline.call import AnswerFlights, AnswerListener, Call, EndpointAdmission, miss_state
from turnout.pipeline.deciding import decide, tag_of
from turnout.pipeline.ending import Ending
from turnout.pipeline.fallbacks import Fallbacks
from turnout.pipeline.follower import Follower
from turnout.pipeline.leader import Leader
from turnout.pipeline.listening import Listening
from turnout.pipeline.reservation import Reservations
from turnout.pipeline.streams import Streams
from turnout.pipeline.whole import ReadyAnswer, hit
from turnout.ports.admission import Ask, Follow, Gate, Hit, Lead
from turnout.ports.limits import BudgetRefused, RateRefused
from turnout.ports.runtime import Clock, Observer
from turnout.ports.sharing import FlightBroker, LocalFlightBroker
from turnout.records import Decision
from turnout.routing.catalog import Catalog
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.upstream.bulkhead import Bulkhead
from turnout.upstream.chain import Chain


class Pipeline:
    """The request path. Holds no request's state; everything it is handed outlives every request."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        gate: Gate,
        keys: Keys,
        catalog: Catalog,
        router: Router,
        chain: Chain,
        bulkhead: Bulkhead,
        observer: Observer,
        flight_broker: FlightBroker | None = None,
        reservations: Reservations,
        budget_alerts: BudgetAlerts | None = None,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._catalog = catalog
        self._router = router
        self._bulkhead = bulkhead
        self._observer = observer
        self._reservations = reservations
        flight_broker = flight_broker or LocalFlightBroker()
        self._flights: AnswerFlights = Flights()
        self._admission = Admission(
            settings=settings, clock=clock, gate=gate, bulkhead=bulkhead, budget_alerts=budget_alerts, router=router
        )
        self._leader = Leader(
            settings=settings,
            clock=clock,
            admission=self._admission,
            reservations=reservations,
            router=router,
            chain=chain,
            flight_broker=flight_broker,
            flights=self._flights,
        )
        self._follower = Follower(
            settings=settings,
            admission=self._admission,
            leader=self._leader,
            flight_broker=flight_broker,
            flights=self._flights,
        )
        fallbacks = Fallbacks(settings=settings, clock=clock, gate=gate)
        self._ending = Ending(clock=clock, observer=observer)
        self._listening = Listening(settings=settings, clock=clock, fallbacks=fallbacks)
        self._streams = Streams(clock=clock, listening=self._listening, fallbacks=fallbacks, ending=self._ending)

    async def complete(self, request: ChatRequest, context: RequestContext) -> Completion:
        """The whole answer. Raises ServedError."""
        call = self._begin(request, context)
        try:
            found = await self._enter(call)
            whole, listened_s = (
                await self._listening.waited(call, found, self._listening.landed)
                if isinstance(found, Listener)
                else (found, 0.0)
            )
        except BaseException as error:
            raise self._ending.failed(call, error) from error.__cause__
        return Completion(whole.answer.body, self._ending.given(call, whole, listened_s, streamed=False))

    async def stream(self, request: ChatRequest, context: RequestContext) -> AnswerStream:
        """The answer's chunks, once the first content-bearing one is here. Raises ServedError until then."""
        call = self._begin(request, context)
        try:
            found = await self._enter(call)
            if isinstance(found, Listener):
                return await self._listening.waited(call, found, self._streams.listened)
        except BaseException as error:
            raise self._ending.failed(call, error) from error.__cause__
        return self._streams.replayed(call, found, 0.0)

    async def decide(self, request: ChatRequest, context: RequestContext) -> Decision:
        """The decision alone: nothing is called, counted or stored. Raises ServedError."""
        return decide(self._router, request, self._catalog.find(request.model), context, observe=False)

    async def admit(self, request: ChatRequest | None, context: RequestContext) -> EndpointAdmission:
        """Lets a request of the app's own endpoint in: counted, and decided where there is something to score. The
        decision counts for the share that is kept: the app's own client will act on it. Raises ServedError."""
        reservation = await self._reservations.admit(context.caller)
        decision = None
        if request is not None:
            pacing_factor = self._reservations.pacing_factor(reservation)
            decision = decide(
                self._router, request, self._catalog.find(request.model), context, pacing_factor=pacing_factor
            )
        return EndpointAdmission(decision=decision, headers=reservation.headers)

    async def drain(self) -> None:
        """Waits until every call of this loop is over and settled."""
        await self._flights.end()
        await self._bulkhead.drain()

    def _begin(self, request: ChatRequest, context: RequestContext) -> Call:
        selection = self._catalog.find(request.model)
        cache = miss_state(self._settings, context)
        # The key is made where nothing is cached too: making it is what finds text that is not Unicode.
        tag = "" if selection.tier is not None else tag_of(request, context)
        key = self._keys.key(request, model=selection.name, tag=tag, user=context.caller.user)
        return Call(
            request=request,
            selection=selection,
            context=context,
            key=key if cache in ("miss_stored", "request_stored") else None,
            cache=cache,
            token=self._observer.request_started(context.request_id),
        )

    async def _enter(self, call: Call) -> ReadyAnswer | AnswerListener:
        directives = call.context.directives
        fresh = not directives.no_cache
        reservation = call.reservation = self._reservations.open(call.request, call.selection, call.context.caller)
        ask = Ask(
            key=call.key,
            lookup=fresh,
            collapse=fresh,
            max_age_s=directives.max_age_s,
            lease_s=self._settings.retry.lease_s(stream=call.request.stream),
            circuits=self._bulkhead.shared,
            share_store=self._router.share_store,
        )
        verdict = await self._admission.enter(call, reservation.on(ask))
        match verdict:
            case Hit():
                return hit(verdict.stored, "hit") or await self._leader.call_uncoalesced(call)
            case Follow():
                return self._follower.join(call) or self._follower.echo(call, ask, verdict)
            case Lead():
                return self._leader.fly(call, lease=verdict.lease)
            case RateRefused() | BudgetRefused():
                raise refusal(verdict)
            case _:
                assert_never(verdict)
