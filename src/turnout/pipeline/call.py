"""One request in the pipeline: what is known when it begins, what has happened to it, and what the pipeline is made of.

Values, their types, and what follows from them alone, such as which cache state a call has. Nothing here waits.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from turnout.caching.entries import StoredAnswer
from turnout.caching.flight_frames import FlightHead
from turnout.caching.flights import Flight, Flights, Listener
from turnout.caching.keys import CacheKeys
from turnout.context import Caller, RequestContext
from turnout.openai.requests import ChatRequest
from turnout.openai.usage import TokenLimits
from turnout.pipeline.reservation import Reservation, Reservations
from turnout.ports.admission import Gate
from turnout.ports.runtime import Clock, Observer
from turnout.ports.sharing import FlightBroker
from turnout.pricing import Price
from turnout.quota.budget_alerts import BudgetAlerts
from turnout.quota.fitting import Fitting
from turnout.records import CacheState, Decision, Outcome
from turnout.routing.catalog import Catalog, ModelSelection
from turnout.routing.conversation_pins import Conversations, ConversationState
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.upstream.bulkhead import Bulkhead
from turnout.upstream.call_trace import CallTrace, Candidate
from turnout.upstream.chain import Chain

if TYPE_CHECKING:
    from turnout.caching.semantic.similar import AskedQuestion, SimilarQuestions


@dataclass(frozen=True, slots=True, kw_only=True)
class Collaborators:
    """What the pipeline works with; all of it outlives every request. prices, limits: by configured model name.
    chance: a number in [0, 1) a call."""

    settings: Settings
    clock: Clock
    gate: Gate
    flight_broker: FlightBroker
    keys: CacheKeys
    catalog: Catalog
    router: Router
    fitting: Fitting
    conversations: Conversations
    chain: Chain
    bulkhead: Bulkhead
    prices: Callable[[], Mapping[str, Price]]
    limits: Callable[[str], TokenLimits]
    observer: Observer
    reservations: Reservations
    budget_alerts: BudgetAlerts
    similar: SimilarQuestions | None = None
    chance: Callable[[], float] = random.Random().random


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAdmission:
    """A request of the app's own endpoint that was let in. headers: of the rate limits that apply to it."""

    decision: Decision | None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as it is known when it begins.

    selection: what its `model` stands for. key: the cache key; None where its answer is neither looked up nor stored.
    cache: the state that is reported where a call is made for it. token: the observer's own.
    reservation: what it claims of limits and budgets; its fields are written by `reservation` alone.
    failed: models that have just failed in the call that it followed. conversation: the one it belongs to, if any.
    owner: for whom its answer is stored, where that is another than its caller.
    question: where a similar one's answer may serve it. Written to by `semantic`.
    """

    request: ChatRequest
    selection: ModelSelection
    context: RequestContext
    key: bytes | None
    cache: CacheState
    token: Any
    reservation: Reservation
    failed: frozenset[str] = frozenset()
    conversation: ConversationState | None = None
    owner: Caller | None = None
    question: AskedQuestion | None = None


@dataclass(slots=True, kw_only=True)
class FlightProgress:
    """What the listeners of a flight may know while it is under way.

    payer: the request that the upstream call is made for; None while another process makes it. Written by `leader`.
    decision: written by `leader`; for another process' flight by `write_head`, and so is `trace.serving`.
    trace: the attempts so far. Written by upstream's chain.
    """

    payer: Call | None = None
    decision: Decision | None = None
    trace: CallTrace = field(default_factory=CallTrace)

    def read_head(self) -> FlightHead:
        """The decision and the model that serves; known from the first chunk on."""
        assert self.decision is not None
        assert self.trace.serving is not None
        return FlightHead(self.decision, self.trace.serving.model, self.trace.serving.tier)

    def write_head(self, head: FlightHead) -> None:
        """Takes over what another process decided."""
        self.decision = head.decision
        self.trace.serving = Candidate(model=head.model, tier=head.tier)


AnswerFlight = Flight[StoredAnswer, FlightProgress]
AnswerFlights = Flights[StoredAnswer, FlightProgress]
AnswerListener = Listener[StoredAnswer, FlightProgress]


@dataclass(slots=True, kw_only=True)
class CallState:
    """What has happened to one request so far.

    listener: its place at the flight that answers it; None before the gate and for a hit. Written by `pipeline`.
    outcome: set once, when the request is over. Written by `outcomes`.
    """

    call: Call
    listener: AnswerListener | None = None
    outcome: Outcome | None = None

    @property
    def paid_flight(self) -> AnswerFlight | None:
        """The flight that this request pays for; None for a hit and for a follower."""
        flight = self.listener.flight if self.listener is not None else None
        return flight if flight is not None and flight.progress.payer is self.call else None

    @property
    def cache(self) -> CacheState:
        """`collapsed` for a request that listens to a call made for another."""
        return "collapsed" if self.listener is not None and self.paid_flight is None else self.call.cache

    @property
    def trace(self) -> CallTrace | None:
        """The attempts that this request pays for; None for a hit and for a follower."""
        flight = self.paid_flight
        return flight.progress.trace if flight is not None else None

    @property
    def decision(self) -> Decision | None:
        """The decision of the flight that it listens to; None before it is made and for a hit."""
        return self.listener.flight.progress.decision if self.listener is not None else None


def is_doubted(decision: Decision) -> bool:
    """Whether a cascade served a cheap answer that it doubts, as no other came in time or was affordable."""
    return decision.reason == "cascade_fallback" or (decision.reason == "budget" and decision.verdict is not None)


# Finish reasons of a complete answer, and where they stand in its body.
_COMPLETE = frozenset({b"stop", b"tool_calls", b"function_call"})
_FINISHES = re.compile(rb'"finish_reason":(?:"([^"]*)"|null)')


def is_complete(body: bytes) -> bool:
    """Whether each choice of this answer ended as a complete one does: no other is stored."""
    finishes = {*_FINISHES.findall(body)}
    return bool(finishes) and finishes <= _COMPLETE


# The states in which an answer is stored.
STORED: frozenset[CacheState] = frozenset({"miss_stored", "request_stored"})


def miss_state(settings: Settings, context: RequestContext) -> CacheState:
    """The cache state that is reported where a call is made."""
    if not settings.cache.enabled:
        return "off"
    if context.directives.no_store:
        return "request"
    shared = settings.cache.scope == "app" or settings.identity.anonymous_cache
    if context.caller.anonymous and not shared:
        return "bypass"
    return "request_stored" if context.directives.no_cache else "miss_stored"


def unstored(cache: CacheState) -> CacheState:
    """The same state for an answer that is not stored."""
    if cache == "miss_stored":
        return "miss"
    return "request" if cache == "request_stored" else cache
