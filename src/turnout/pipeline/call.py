"""One request on its way. Values and pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from turnout.caching.entries import StoredAnswer
from turnout.caching.flights import Flight, Flights, Listener
from turnout.context import RequestContext
from turnout.openai.requests import ChatRequest
from turnout.pipeline.bill import Reservation
from turnout.records import CacheState, Decision, Outcome
from turnout.routing.catalog import ModelSelection
from turnout.settings import Settings
from turnout.upstream.call_trace import CallTrace


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAdmission:
    """A request of the app's own endpoint that was let in. headers: of the rate limits that apply."""

    decision: Decision | None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class Call:
    """One request on its way. `outcome` is set once, when it is over."""

    request: ChatRequest
    selection: ModelSelection
    context: RequestContext
    key: bytes | None
    cache: CacheState
    token: Any
    reservation: Reservation = field(default_factory=Reservation)
    progress: FlightProgress | None = None
    # The flight that this request pays for.
    flight: AnswerFlight | None = None
    outcome: Outcome | None = None


@dataclass(slots=True, kw_only=True)
class FlightProgress:
    """What a flight tells its listeners while it is in the air: the decision, and the trip so far."""

    decision: Decision | None = None
    trace: CallTrace = field(default_factory=CallTrace)


AnswerFlight = Flight[StoredAnswer, FlightProgress]
AnswerFlights = Flights[StoredAnswer, FlightProgress]
AnswerListener = Listener[StoredAnswer, FlightProgress]


def miss_state(settings: Settings, context: RequestContext) -> CacheState:
    """What a miss will be told as."""
    if not settings.cache.enabled:
        return "off"
    if context.directives.no_store:
        return "request"
    shared = settings.cache.scope == "app" or settings.identity.anonymous_cache
    if context.caller.anonymous and not shared:
        return "bypass"
    return "request_stored" if context.directives.no_cache else "miss_stored"


def unstored(cache: CacheState) -> CacheState:
    """What a miss is told as whose answer is not stored."""
    if cache == "miss_stored":
        return "miss"
    return "request" if cache == "request_stored" else cache
