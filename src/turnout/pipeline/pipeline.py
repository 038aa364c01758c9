"""The way of one request, from who asks to its outcome.

complete() and stream()   begin: model, cache key, reservation -> enter the gate (admission, reservation)
hit                       the stored answer: nothing is called, scored or spent
follow                    listen to the flight that makes this call already (follower, flight_frames)
                          before it: a similar question's answer, where the error bound allows (semantic)
lead                      decide -> call upstream -> store -> leave the gate, as a flight (leader)
delivery                  wait for the flight as this caller does; a stale or plain answer when no model answered
outcomes                  over, one way or another: one outcome
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, assert_never

from turnout.caching.flights import Flights, Listener
from turnout.context import RequestContext
from turnout.errors import ServedError
from turnout.openai.completion import AnswerStream, Completion
from turnout.openai.requests import ChatRequest
from turnout.openai.response_items import chat_answer
from turnout.pipeline.admission import Admission
from turnout.pipeline.call import (
    STORED,
    AnswerFlights,
    AnswerListener,
    Call,
    CallState,
    Collaborators,
    EndpointAdmission,
    miss_state,
)
from turnout.pipeline.delivery import Delivery, ServedToItsLeader, ended_for_its_leader
from turnout.pipeline.follower import Follower
from turnout.pipeline.leader import Leader, decide, key_tag
from turnout.pipeline.outcomes import OutcomeReporter, ReadyAnswer, cached_answer, not_cached
from turnout.pipeline.refresher import Refresher
from turnout.ports.admission import Ask, Follow, GateVerdict, Hit, Lead, Settlement
from turnout.ports.limits import BudgetRefused, RateRefused
from turnout.quota.refusals import refusal_error
from turnout.records import Decision
from turnout.routing.catalog import ModelSelection

if TYPE_CHECKING:
    from turnout.pipeline.cascade import CascadeCalls
    from turnout.pipeline.semantic import SemanticAnswers


class Pipeline:
    """Takes requests from their identity to their outcome. Holds no request's state."""

    def __init__(self, collaborators: Collaborators, cascade: CascadeCalls | None = None) -> None:
        self._collaborators = collaborators
        self._reservations = collaborators.reservations
        self._flights: AnswerFlights = Flights()
        self._admission = Admission(collaborators)
        self._leader = Leader(collaborators, self._admission, self._flights, cascade)
        self._follower = Follower(collaborators, self._admission, self._leader, self._flights)
        self._reporter = OutcomeReporter(collaborators.clock, collaborators.observer)
        self._delivery = Delivery(collaborators, self._reporter)
        self._refresher: Refresher | None = None
        if collaborators.settings.cache.refresh_ahead:
            self._refresher = Refresher(
                collaborators, self._reservations, self._admission, self._leader, self._reporter
            )
        self.semantic = self._build_semantic()

    def _build_semantic(self) -> SemanticAnswers | None:
        similar = self._collaborators.similar
        if similar is None:
            return None
        # Imported here: most apps have no semantic cache.
        from turnout.pipeline.semantic import SemanticAnswers

        return SemanticAnswers(
            self._collaborators, similar, self._admission, self._leader, self._reservations, self._refresher
        )

    async def complete(self, request: ChatRequest, context: RequestContext) -> Completion:
        """The whole answer. Raises ServedError."""
        state = self._begin(request, context)
        try:
            source = await self._enter(state)
            while isinstance(source, Listener):
                try:
                    ready, listened_s = await self._delivery.wait(state, source, self._delivery.receive_answer)
                    break
                except ServedError as error:
                    source = await self._enter_again(state, error)
            else:
                ready, listened_s = source, 0.0
        except BaseException as error:
            raise self._reporter.failed(state, error) from error.__cause__
        body = ready.answer.body if request.beside_chat is not None else chat_answer(ready.answer.body)
        return Completion(body, self._reporter.answered(state, ready, listened_s, streamed=False))

    async def stream(self, request: ChatRequest, context: RequestContext) -> AnswerStream:
        """The answer's chunks, once the first content-bearing one is here. Raises ServedError until then."""
        state = self._begin(request, context)
        try:
            source = await self._enter(state)
            while isinstance(source, Listener):
                try:
                    return await self._delivery.wait(state, source, self._delivery.receive_stream)
                except ServedError as error:
                    source = await self._enter_again(state, error)
        except BaseException as error:
            raise self._reporter.failed(state, error) from error.__cause__
        return self._delivery.replay(state, source, 0.0)

    async def decide(self, request: ChatRequest, context: RequestContext) -> Decision:
        """The decision alone: nothing is called, counted or stored. Raises ServedError."""
        selection = self._collaborators.catalog.select(request, context)
        steer = partial(self._collaborators.fitting.fit, request, routed=selection.tier is None)
        return decide(self._collaborators.router, request, selection, context, observe=False, steer=steer)

    def check(self, request: ChatRequest, context: RequestContext) -> None:
        """Raises ServedError where the request can never be served: its model, its text, its worst case."""
        selection = self._collaborators.catalog.select(request, context)
        self._collaborators.keys.key(request, model=selection.name, tag="", user=context.caller.user)
        self._reservations.open(request, selection, context.caller).check_fits()

    def cache_key(self, request: ChatRequest, context: RequestContext) -> bytes | None:
        """What the answer to this request is looked up and stored by; None where it is neither. Raises ServedError."""
        context = context.narrowed(request.extension)
        request, _ = self._collaborators.conversations.find(request, context)
        selection = self._collaborators.catalog.select(request, context)
        cache = miss_state(self._collaborators.settings, context)
        return self._key(request, selection, context) if cache in STORED else None

    def _key(self, request: ChatRequest, selection: ModelSelection, context: RequestContext) -> bytes:
        tag = key_tag(request, selection, context)
        return self._collaborators.keys.key(request, model=selection.name, tag=tag, user=context.caller.user)

    async def admit(self, request: ChatRequest | None, context: RequestContext) -> EndpointAdmission:
        """Lets a request of the app's own endpoint in: counted, and decided where there is a text to score.

        The decision counts for the share that is kept: the app's own client acts on it. Raises ServedError.
        """
        states, headers = await self._admission.admit_endpoint(context.caller)
        decision = None
        if request is not None:
            selection = self._collaborators.catalog.select(request, context)
            pacing_factor = self._reservations.pacing_factor(states)
            decision = decide(self._collaborators.router, request, selection, context, pacing_factor=pacing_factor)
        return EndpointAdmission(decision=decision, headers=headers)

    async def drain(self) -> None:
        """Waits until every call of this loop is over and settled."""
        if self._refresher is not None:
            await self._refresher.drain()
        await self._flights.drain()
        if self.semantic is not None:
            await self.semantic.drain()
        await self._collaborators.bulkhead.drain()

    def _begin(self, request: ChatRequest, context: RequestContext) -> CallState:
        context = context.narrowed(request.extension)
        request, conversation = self._collaborators.conversations.find(request, context)
        selection = self._collaborators.catalog.select(request, context)
        cache = miss_state(self._collaborators.settings, context)
        # The key is made where nothing is cached too: making it is what finds text that is not Unicode.
        key = self._key(request, selection, context)
        call = Call(
            request=request,
            selection=selection,
            context=context,
            key=key if cache in STORED else None,
            cache=cache,
            reservation=self._reservations.open(request, selection, context.caller),
            token=self._collaborators.observer.request_started(context.request_id),
            conversation=conversation,
        )
        return CallState(call=call)

    async def _enter_again(self, state: CallState, error: ServedError) -> ReadyAnswer | AnswerListener:
        """Makes a follower's call on its own account where its leader's ended for the leader's own reasons; raises the
        error where it did not."""
        if isinstance(error, ServedToItsLeader):
            state.listener = await self._leader.lead_uncoalesced(state.call)
            return state.listener
        if not ended_for_its_leader(state, error):
            raise error
        assert state.listener is not None
        attempts = state.listener.flight.progress.trace.attempts
        state.call = replace(state.call, failed=frozenset(attempt.model for attempt in attempts))
        state.listener = None
        # The request is counted already.
        ask = self._admission.ask(state.call)
        return await self._go(
            state, ask, await self._admission.enter(state.call, state.call.reservation.claim_call(ask))
        )

    async def _enter(self, state: CallState) -> ReadyAnswer | AnswerListener:
        """What the gate's verdict leads to: a stored answer, or a place at a flight. Raises ServedError."""
        ask = self._admission.ask(state.call)
        if state.call.context.directives.only_if_cached:
            return await self._find_stored(state, ask)
        return await self._go(state, ask, await self._admission.enter(state.call, state.call.reservation.claim(ask)))

    async def _find_stored(self, state: CallState, ask: Ask) -> ReadyAnswer:
        """A stored answer, for a caller who wants no other: nothing is called or spent. Raises ServedError."""
        call, ready = state.call, None
        match await self._admission.look_up(call, ask):
            case Hit(stored=stored):
                ready = cached_answer(stored, "hit")
            case Lead(lease=lease):
                try:
                    if self.semantic is not None:
                        ready = await self.semantic.find_stored(replace(call, question=self.semantic.question(call)))
                finally:
                    await self._admission.settle(Settlement(key=call.key, lease=lease), call.token)
            case RateRefused() | BudgetRefused() as refused:
                raise refusal_error(refused)
        if ready is None:
            raise not_cached()
        return ready

    async def _go(self, state: CallState, ask: Ask, verdict: GateVerdict) -> ReadyAnswer | AnswerListener:
        call = state.call
        match verdict:
            case Hit():
                ready = cached_answer(verdict.stored, "hit")
                if ready is not None:
                    if self._refresher is not None:
                        self._refresher.consider(call, verdict.stored.age_s)
                    return ready
                state.listener = await self._leader.lead_uncoalesced(call)
            case Follow():
                state.listener = self._follower.follow(call, ask, verdict)
            case Lead():
                if self.semantic is not None and (ready := await self._look_up(state, self.semantic)) is not None:
                    return ready
                state.listener = self._leader.lead(state.call, joinable=True)
            case RateRefused() | BudgetRefused():
                raise refusal_error(verdict)
            case _:
                assert_never(verdict)
        return state.listener

    async def _look_up(self, state: CallState, semantic: SemanticAnswers) -> ReadyAnswer | None:
        """A similar question's answer; None where a model is to answer. What is reserved is given back where it fails,
        or its caller leaves: nobody leads this call then."""
        call = state.call
        try:
            call = state.call = replace(call, question=semantic.question(call))
            return await semantic.look_up(call)
        except BaseException:
            await self._admission.settle(Settlement(key=call.key, lease=call.reservation.lease), call.token)
            raise
