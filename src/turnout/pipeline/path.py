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
from turnout.caller import Circumstances
from turnout.completion import AnswerStream, Completion
from turnout.outcome import Decision
from turnout.pipeline.alarms import Alarms
from turnout.pipeline.bill import refusal
from turnout.pipeline.billing import Billing
from turnout.pipeline.call import AnswerFlights, AnswerListener, Call, LetIn, miss_state
from turnout.pipeline.deciding import decide, tag_of
from turnout.pipeline.echoes import Echoes
from turnout.pipeline.ending import Ending
from turnout.pipeline.entrance import Entrance
from turnout.pipeline.fallbacks import Fallbacks
from turnout.pipeline.flying import Flying
from turnout.pipeline.listening import Listening
from turnout.pipeline.streams import Streams
from turnout.pipeline.whole import Whole, hit
from turnout.ports import Alone, Ask, BudgetRefused, Clock, Follow, Gate, Hit, Lead, Observer, RateRefused, Relay
from turnout.routing.catalog import Catalog
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.upstream.admission import Admission
from turnout.upstream.chain import Chain
from turnout.wire import ChatRequest


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
        admission: Admission,
        observer: Observer,
        relay: Relay | None = None,
        billing: Billing,
        alarms: Alarms | None = None,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._catalog = catalog
        self._router = router
        self._admission = admission
        self._observer = observer
        self._billing = billing
        relay = relay or Alone()
        self._flights: AnswerFlights = Flights()
        self._entrance = Entrance(
            settings=settings, clock=clock, gate=gate, admission=admission, alarms=alarms, router=router
        )
        self._flying = Flying(
            settings=settings,
            clock=clock,
            entrance=self._entrance,
            billing=billing,
            router=router,
            chain=chain,
            relay=relay,
            flights=self._flights,
        )
        self._echoes = Echoes(
            settings=settings, entrance=self._entrance, flying=self._flying, relay=relay, flights=self._flights
        )
        fallbacks = Fallbacks(settings=settings, clock=clock, gate=gate)
        self._ending = Ending(clock=clock, observer=observer)
        self._listening = Listening(settings=settings, clock=clock, fallbacks=fallbacks)
        self._streams = Streams(clock=clock, listening=self._listening, fallbacks=fallbacks, ending=self._ending)

    # ------------------------------------------------------------------------------------------ the verbs

    async def complete(self, request: ChatRequest, around: Circumstances) -> Completion:
        """The whole answer. Raises ServedError."""
        call = self._begin(request, around)
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

    async def stream(self, request: ChatRequest, around: Circumstances) -> AnswerStream:
        """The answer's chunks, once the first content-bearing one is here. Raises ServedError until then."""
        call = self._begin(request, around)
        try:
            found = await self._enter(call)
            if isinstance(found, Listener):
                return await self._listening.waited(call, found, self._streams.listened)
        except BaseException as error:
            raise self._ending.failed(call, error) from error.__cause__
        return self._streams.replayed(call, found, 0.0)

    async def decide(self, request: ChatRequest, around: Circumstances) -> Decision:
        """The decision alone: nothing is called, counted or stored. Raises ServedError."""
        return decide(self._router, request, self._catalog.find(request.model), around, observe=False)

    async def admit(self, request: ChatRequest | None, around: Circumstances) -> LetIn:
        """Lets a request of the app's own endpoint in: counted, and decided where there is something to score. The
        decision counts for the share that is kept: the app's own client will act on it. Raises ServedError."""
        bill = await self._billing.admit(around.caller)
        decision = None
        if request is not None:
            ease = self._billing.ease(bill)
            decision = decide(self._router, request, self._catalog.find(request.model), around, ease=ease)
        return LetIn(decision=decision, headers=bill.headers)

    async def drain(self) -> None:
        """Waits until every call of this loop is over and settled."""
        await self._flights.end()
        await self._admission.drain()

    # ----------------------------------------------------------------------------------- begin and enter

    def _begin(self, request: ChatRequest, around: Circumstances) -> Call:
        target = self._catalog.find(request.model)
        cache = miss_state(self._settings, around)
        # The key is made where nothing is cached too: making it is what finds text that is not Unicode.
        tag = "" if target.tier is not None else tag_of(request, around)
        key = self._keys.key(request, model=target.name, tag=tag, user=around.caller.user)
        return Call(
            request=request,
            target=target,
            around=around,
            key=key if cache in ("miss_stored", "request_stored") else None,
            cache=cache,
            token=self._observer.request_started(around.request_id),
        )

    async def _enter(self, call: Call) -> Whole | AnswerListener:
        directives = call.around.directives
        fresh = not directives.no_cache
        bill = call.bill = self._billing.open(call.request, call.target, call.around.caller)
        ask = Ask(
            key=call.key,
            lookup=fresh,
            collapse=fresh,
            max_age_s=directives.max_age_s,
            lease_s=self._settings.retry.lease_s(stream=call.request.stream),
            circuits=self._admission.shared,
            tally=self._router.tally,
        )
        verdict = await self._entrance.enter(call, bill.on(ask))
        match verdict:
            case Hit():
                return hit(verdict.stored, "hit") or await self._flying.fly_apart(call)
            case Follow():
                return self._echoes.join(call) or self._echoes.echo(call, ask, verdict)
            case Lead():
                return self._flying.fly(call, lease=verdict.lease)
            case RateRefused() | BudgetRefused():
                raise refusal(verdict)
            case _:
                assert_never(verdict)
