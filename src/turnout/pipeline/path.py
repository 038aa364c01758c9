"""One request, from its identity to its outcome. Reads top to bottom like the path it takes:

complete() and stream() -> enter the gate -> a hit | listen to a flight
a flight -> decide -> call upstream -> land -> leave the gate
nothing landed -> a stale answer -> the plain answer -> the error
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, assert_never, cast

from turnout.caching.entries import StoredAnswer, pack, unpack
from turnout.caching.flights import Flight, Flights, Listener
from turnout.caching.keys import Keys
from turnout.caller import Circumstances
from turnout.completion import AnswerStream, Completion
from turnout.errors import (
    CallerGone,
    DeadlineExceeded,
    Overloaded,
    ServedError,
    UpstreamUnavailable,
)
from turnout.outcome import CacheState, Decision, Outcome, Usage
from turnout.pipeline.alarms import Alarms
from turnout.pipeline.billing import Billing, refusal
from turnout.pipeline.call import (
    Call,
    Flown,
    LetIn,
    Whole,
    fallback_reason,
    plain_answer,
    received,
    refused_outcome,
    stream_outcome,
    times,
    whole_outcome,
)
from turnout.pipeline.sharing import heard, landed, told
from turnout.ports import (
    Alone,
    Ask,
    BudgetRefused,
    Clock,
    FlightLost,
    Follow,
    Gate,
    Hit,
    Lead,
    Observer,
    Query,
    RateRefused,
    Refused,
    Relay,
    Settlement,
    Store,
    Stored,
    Verdict,
)
from turnout.replies import Assembly, Body, chunks_of, dumps
from turnout.routing.catalog import Catalog, Target
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.upstream.admission import Admission
from turnout.upstream.chain import Chain
from turnout.upstream.order import Candidate, Order, Trip
from turnout.wire import ChatRequest

# A complete answer; `length` and `content_filter` are truncated ones.
STORABLE = frozenset({"stop", "tool_calls", "function_call"})
# How much longer a caller that set no deadline of its own listens than the flight may take.
LISTEN_GRACE_S = 0.5
CUT = (b"length", b"content_filter")
# How long settling may take when the loop is already closing.
SETTLE_S = 5.0
# Failures that a stale or a plain answer is better than.
OUTAGES = (UpstreamUnavailable, Overloaded, DeadlineExceeded)

T = TypeVar("T")
_Flight = Flight[StoredAnswer, Flown]
_Listener = Listener[StoredAnswer, Flown]


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
        self._clock = clock
        self._gate = gate
        self._keys = keys
        self._catalog = catalog
        self._router = router
        self._chain = chain
        self._admission = admission
        self._observer = observer
        self._relay = relay or Alone()
        self._billing = billing
        self._alarms = alarms
        self._flights: Flights[StoredAnswer, Flown] = Flights()

    # ------------------------------------------------------------------------------------------ the verbs

    async def complete(self, request: ChatRequest, around: Circumstances) -> Completion:
        """The whole answer. Raises ServedError."""
        call = self._begin(request, around)
        try:
            found = await self._enter(call)
            whole, listened_s = (
                await self._waited(call, found, self._landed) if isinstance(found, Listener) else (found, 0.0)
            )
        except BaseException as error:
            raise self._failed(call, error) from error.__cause__
        return Completion(whole.answer.body, self._given(call, whole, listened_s, streamed=False))

    async def stream(self, request: ChatRequest, around: Circumstances) -> AnswerStream:
        """The answer's chunks, once the first content-bearing one is here. Raises ServedError until then."""
        call = self._begin(request, around)
        try:
            found = await self._enter(call)
            if isinstance(found, Listener):
                return await self._waited(call, found, self._listened)
        except BaseException as error:
            raise self._failed(call, error) from error.__cause__
        return await self._replayed(call, found, 0.0)

    async def decide(self, request: ChatRequest, around: Circumstances) -> Decision:
        """The decision alone: nothing is called, counted or stored. Raises ServedError."""
        return self._decide(request, self._catalog.find(request.model), around, observe=False)

    async def admit(self, request: ChatRequest | None, around: Circumstances) -> LetIn:
        """Lets a request of the app's own endpoint in: counted, and decided where there is something to score. The
        decision counts for the share that is kept: the app's own client will act on it. Raises ServedError."""
        bill = await self._billing.admit(around.caller)
        decision = None
        if request is not None:
            ease = self._billing.ease(bill)
            decision = self._decide(request, self._catalog.find(request.model), around, ease=ease)
        return LetIn(decision=decision, headers=bill.headers)

    async def drain(self) -> None:
        """Waits until every call of this loop is over and settled."""
        await self._flights.end()
        await self._admission.drain()

    # ----------------------------------------------------------------------------------- begin and enter

    def _begin(self, request: ChatRequest, around: Circumstances) -> Call:
        target = self._catalog.find(request.model)
        cache = self._cache_state(around)
        # The key is made where nothing is cached too: making it is what finds text that is not Unicode.
        tag = "" if target.tier is not None else _tag(request, around)
        key = self._keys.key(request, model=target.name, tag=tag, user=around.caller.user)
        return Call(
            request=request,
            target=target,
            around=around,
            key=key if cache in ("miss_stored", "request_stored") else None,
            cache=cache,
            token=self._observer.request_started(around.request_id),
        )

    def _cache_state(self, around: Circumstances) -> CacheState:
        """What a miss will be told as."""
        if not self._settings.cache.enabled:
            return "off"
        if around.directives.no_store:
            return "request"
        shared = self._settings.cache.scope == "app" or self._settings.identity.anonymous_cache
        if around.caller.anonymous and not shared:
            return "bypass"
        return "request_stored" if around.directives.no_cache else "miss_stored"

    async def _enter(self, call: Call) -> Whole | _Listener:
        directives = call.around.directives
        fresh = not directives.no_cache
        bill = call.bill = self._billing.open(call.request, call.target, call.around.caller)
        lease_s = self._billing.lease_s(call.request.stream)
        ask = Ask(
            key=call.key,
            lookup=fresh,
            collapse=fresh,
            max_age_s=directives.max_age_s,
            lease_s=lease_s,
            circuits=self._admission.shared,
        )
        verdict = await self._entered(call, bill.on(ask))
        match verdict:
            case Hit():
                return _hit(verdict.stored, "hit") or await self._fly_apart(call)
            case Follow():
                return self._join(call) or self._echo(call, ask, verdict)
            case Lead():
                return self._fly(call, lease=verdict.lease)
            case RateRefused() | BudgetRefused():
                raise refusal(verdict)
            case _:
                assert_never(verdict)

    async def _entered(self, call: Call, ask: Ask) -> Verdict:
        """The gate's verdict. Whoever leaves while it is asked leaves no reservation behind."""
        asked_at = self._clock.monotonic()
        if not call.bill.bounded:
            entry = await self._gate.enter(ask)
        else:
            entering = asyncio.ensure_future(self._gate.enter(ask))
            try:
                entry = await asyncio.shield(entering)
            except asyncio.CancelledError:
                await asyncio.wait({entering}, timeout=SETTLE_S)
                if (
                    entering.done()
                    and entering.exception() is None
                    and isinstance(lead := entering.result().verdict, Lead)
                ):
                    await self._settle(Settlement(key=ask.key, lease=lead.lease))
                raise
        self._admission.absorb(entry.circuits, asked_at)
        call.bill.entered(entry)
        if isinstance(entry.verdict, BudgetRefused) and self._alarms is not None:
            await self._alarms.refused(entry.budgets, entry.verdict.claim, call.token)
        return entry.verdict

    async def _fly_apart(self, call: Call) -> _Listener:
        """A call that shares nothing: the store told of an answer that cannot be read."""
        await self._reserve_apart(call)
        return self._fly(call, lease=None)

    async def _reserve_apart(self, call: Call) -> None:
        """Reserves for a call that nobody may join. Its request is counted already. Raises what refuses it."""
        if call.bill.bounded:
            verdict = await self._entered(
                call, call.bill.again(Ask(lease_s=self._billing.lease_s(call.request.stream)))
            )
            if isinstance(verdict, RateRefused | BudgetRefused):
                raise refusal(verdict)

    def _join(self, call: Call) -> _Listener | None:
        flight = self._flights.find(call.key) if call.key is not None else None
        if flight is None:
            return None
        call.cache = "collapsed"
        call.flown = flight.head
        return flight.listen()

    # ---------------------------------------------------------------------------------------- the flight

    def _fly(self, call: Call, lease: str | None) -> _Listener:
        call.flown = Flown()
        flight: _Flight = Flight(call.flown, streamed=call.request.stream)
        call.flight = flight
        self._flights.add(call.key if lease is not None else None, flight)
        listener = flight.listen()
        flight.start(partial(self._flight, call, lease))
        return listener

    async def _flight(self, call: Call, lease: str | None, flight: _Flight) -> None:
        """One call, from the decision to the settlement. Shared by all who listen to it."""
        store: Store | None = None
        if call.key is not None and lease is not None:
            self._relay.share(call.key, lease, partial(told, flight))
        try:
            if flight.abandoned:
                raise asyncio.CancelledError
            ease = self._billing.ease(call.bill)
            decision = self._decide(call.request, call.target, call.around, ease=ease)
            decision = await self._billing.within(call.bill, decision)
            flight.head.decision = decision
            body = await self._called(self._order(call, decision, flight.head.trip), flight)
            answer = _answer(body, flight.head)
            store = self._store(call, body, answer)
            flight.land(answer)
        finally:
            self._relay.end(lease or "")
            await self._settle(
                self._billing.settlement(
                    call.bill, call.request, flight.head.trip, key=call.key, lease=lease or call.bill.lease, store=store
                ),
                call.token,
            )
            self._flights.remove(call.key, flight)

    def _echo(self, call: Call, ask: Ask, follow: Follow) -> _Listener:
        """Another process' flight (or another loop's), told on as a flight that can be listened to here."""
        call.flown, call.cache = Flown(), "collapsed"
        flight: _Flight = Flight(call.flown, streamed=call.request.stream)
        self._flights.add(call.key, flight)
        listener = flight.listen()
        flight.start(partial(self._echoed, call, ask, follow))
        return listener

    async def _echoed(self, call: Call, ask: Ask, follow: Follow, flight: _Flight) -> None:
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
                verdict = await self._entered(call, call.bill.again(ask))
            await self._resumed(call, verdict, flight)
        finally:
            self._flights.remove(call.key, flight)

    async def _heard(self, call: Call, follow: Follow, flight: _Flight) -> bool:
        assert call.key is not None
        async with aclosing(self._relay.follow(call.key, follow.lease, chunks=flight.streamed)) as frames:
            return await heard(frames, flight)

    async def _resumed(self, call: Call, verdict: Hit | Lead | Refused, flight: _Flight) -> None:
        """Whoever followed in vain has its answer from the store or makes the call."""
        match verdict:
            case Hit():
                answer = unpack(verdict.stored.packed)
                if answer is not None:
                    await landed(answer, flight)
                else:
                    await self._reserve_apart(call)
                    await self._flight(call, None, flight)
            case Lead():
                call.cache = self._cache_state(call.around)
                await self._flight(call, verdict.lease, flight)
            case RateRefused() | BudgetRefused():
                raise refusal(verdict)
            case _:
                assert_never(verdict)

    async def _called(self, order: Order, flight: _Flight) -> Body:
        trip = flight.head.trip
        if not flight.streamed:
            return await self._chain.complete(order, trip)
        whole = Assembly()
        async with aclosing(self._chain.stream(order, trip)) as chunks:
            async for chunk in chunks:
                whole.add(chunk)
                await flight.publish(chunk)
        return whole.body()

    def _decide(
        self, request: ChatRequest, target: Target, around: Circumstances, *, observe: bool = True, ease: float = 1.0
    ) -> Decision:
        if target.tier is not None:
            return Decision(tier=target.tier, reason="forced", candidates=target.candidates)
        query = Query(messages=request.messages, tag=_tag(request, around), tools=request.tools)
        return self._router.decide(query, observe=observe, ease=ease)

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

    async def _leave(self, settlement: Settlement, token: Any) -> None:
        states = await self._gate.leave(settlement)
        if states and self._alarms is not None:
            await self._alarms.look(states, token)

    async def _settle(self, settlement: Settlement, token: Any = None) -> None:
        """Leaves the gate whatever happens: a cancellation waits for it, bounded."""
        leaving = asyncio.ensure_future(self._leave(settlement, token))
        try:
            await asyncio.shield(leaving)
        except asyncio.CancelledError:
            await asyncio.wait({leaving}, timeout=SETTLE_S)
            raise

    # ---------------------------------------------------------------------------------------- listening

    async def _waited(self, call: Call, listener: _Listener, listening: Callable[[Call, _Listener], Awaitable[T]]) -> T:
        """What the listening gives, for as long as this caller waits for it. Raises CallerGone."""
        try:
            return cast(T, await call.around.waits(listening(call, listener)))
        except BaseException:
            # A caller that went before the listening began: leaving twice changes nothing.
            listener.leave()
            raise

    async def _landed(self, call: Call, listener: _Listener) -> tuple[Whole, float]:
        since = self._clock.monotonic()
        try:
            async with self._deadline(call):
                answer = await listener.answer()
        except OUTAGES as error:
            return await self._fallen_back(call, error), self._clock.monotonic() - since
        finally:
            listener.leave()
        return _told(call, answer), self._clock.monotonic() - since

    @asynccontextmanager
    async def _deadline(self, call: Call) -> AsyncIterator[None]:
        """Ends this caller's listening at its deadline. Raises DeadlineExceeded."""
        lower, allowed = call.around.directives.deadline_s, self._settings.retry.deadline_s
        seconds = allowed if lower is None else min(lower, allowed)
        # The flight ends itself at its deadline, and blames whom it waited for: to leave it just before would
        # look like a client that hung up.
        grace = LISTEN_GRACE_S if seconds == allowed else 0.0
        try:
            async with self._clock.timeout_at(call.around.started + seconds + grace):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within the deadline of {seconds:g} s") from error

    async def _fallen_back(self, call: Call, error: ServedError) -> Whole:
        """A stale answer, else the configured plain one, else the error itself."""
        stale = await self._stale(call)
        if stale is not None:
            return stale
        text = self._settings.fallback.answer
        if not text:
            raise error
        answer = plain_answer(text, call, self._clock.time())
        return Whole(answer=answer, cache=_unstored(call.cache), reason="fallback_answer", tier="none")

    async def _stale(self, call: Call) -> Whole | None:
        # RFC 9111: `no-cache` and `max-age` are a caller's word that an old answer will not do.
        directives = call.around.directives
        if call.key is None or directives.no_cache or directives.max_age_s is not None:
            return None
        stored = await self._gate.stale(call.key)
        return None if stored is None else _hit(stored, "stale")

    async def _listened(self, call: Call, listener: _Listener) -> AnswerStream:
        """The stream of a flight, its first chunk at hand; where it failed before that, a whole answer's."""
        since = self._clock.monotonic()
        if not listener.flight.streamed:
            return await self._replayed(call, *await self._landed(call, listener))
        try:
            async with self._deadline(call):
                first = await listener.next()
        except OUTAGES as error:
            listener.leave()
            whole = await self._fallen_back(call, error)
            return await self._replayed(call, whole, self._clock.monotonic() - since)
        head = self._head(call, since)
        chunks = self._chunks(call, listener, first, head)
        # Begun at once: a generator that was never begun runs none of its own clean-up.
        await anext(chunks)
        return AnswerStream(chunks, head, lambda: call.outcome, include_usage=call.request.include_usage)

    def _head(self, call: Call, since: float) -> Outcome:
        now = self._clock.monotonic()
        return stream_outcome(call, times(call, now, now - since), usage=Usage(), error=None)

    async def _chunks(
        self, call: Call, listener: _Listener, chunk: Mapping[str, Any] | None, head: Outcome
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        error: str | None = "cancelled"
        try:
            yield {}
            while chunk is not None:
                yield chunk
                chunk = await listener.next()
            error = None
        except ServedError as broken:
            error = broken.told_code
            raise
        finally:
            listener.leave()
            self._streamed(call, listener, head, error)

    def _streamed(self, call: Call, listener: _Listener, head: Outcome, error: str | None) -> None:
        landed = listener.flight.landed
        spent = times(call, self._clock.monotonic(), head.inference_s)
        # The head's times are what the caller waited for; the rest of a stream is the reader's own pace.
        spent = spent.up_to(head)

        def outcome() -> Outcome:
            usage = landed.usage if landed is not None else received(call)
            return stream_outcome(call, spent, usage=usage, error=error)

        self._end_with_flight(call, outcome)

    async def _replayed(self, call: Call, whole: Whole, listened_s: float) -> AnswerStream:
        """A whole answer as a stream."""
        outcome = self._given(call, whole, listened_s, streamed=True)

        async def chunks() -> AsyncGenerator[Mapping[str, Any], None]:
            for chunk in chunks_of(json.loads(whole.answer.body), include_usage=True):
                yield chunk

        return AnswerStream(chunks(), outcome, lambda: outcome, include_usage=call.request.include_usage)

    # ------------------------------------------------------------------------------------------- the end

    def _given(self, call: Call, whole: Whole, listened_s: float, *, streamed: bool) -> Outcome:
        spent = times(call, self._clock.monotonic(), listened_s)
        return self._end(call, whole_outcome(call, whole, spent, streamed=streamed))

    def _failed(self, call: Call, error: BaseException) -> BaseException:
        """Ends the request in an error, and gives the error to raise."""
        code = error.told_code if isinstance(error, ServedError) else "cancelled"
        if not isinstance(error, ServedError | CallerGone | asyncio.CancelledError | GeneratorExit):
            code = "internal_error"
        spent = times(call, self._clock.monotonic(), 0.0)
        self._end_with_flight(call, lambda: refused_outcome(call, spent, code))
        headers = call.bill.headers
        return error.headed(headers) if isinstance(error, ServedError) and headers else error

    def _end_with_flight(self, call: Call, outcome: Callable[[], Outcome]) -> None:
        """Whoever leaves a call that it pays for is told of when that call is over: what it cost is known then."""
        if call.flight is not None and not call.flight.over:
            call.flight.when_ended(lambda: self._end(call, outcome()))
        else:
            self._end(call, outcome())

    def _end(self, call: Call, outcome: Outcome) -> Outcome:
        if call.outcome is None:
            call.outcome = outcome
            self._observer.request_ended(call.token, outcome)
        return outcome


def _tag(request: ChatRequest, around: Circumstances) -> str:
    """What the app knows about the request: its own word, else where it came from."""
    return request.tag or around.caller.endpoint


def _hit(stored: Stored, state: CacheState) -> Whole | None:
    answer = unpack(stored.packed)
    if answer is None:
        return None
    return Whole(answer=answer, cache=state, reason="cache", tier=answer.tier, age_s=stored.age_s)


def _told(call: Call, answer: StoredAnswer) -> Whole:
    complete = not any(b'"finish_reason":"%b"' % cut in answer.body for cut in CUT)
    return Whole(
        answer=answer,
        cache=call.cache if complete else _unstored(call.cache),
        reason=fallback_reason(answer.decision, answer.model),
        tier=answer.tier,
    )


def _unstored(cache: CacheState) -> CacheState:
    """What a miss is told as whose answer is not stored."""
    if cache == "miss_stored":
        return "miss"
    return "request" if cache == "request_stored" else cache


def _answer(body: Body, flown: Flown) -> StoredAnswer:
    decision, serving = flown.decision, flown.trip.serving
    assert decision is not None
    assert serving is not None
    usage = flown.trip.attempts[-1].usage or Usage()
    body.setdefault("usage", usage.to_openai())
    return StoredAnswer(body=dumps(body), decision=decision, tier=serving.tier, model=serving.model, usage=usage)
