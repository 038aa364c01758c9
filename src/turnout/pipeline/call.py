"""One request on its way. Values and pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from turnout.caching.entries import StoredAnswer
from turnout.caching.flights import Flight, Flights, Listener
from turnout.caller import Circumstances
from turnout.outcome import CacheState, Decision, Outcome
from turnout.pipeline.bill import Bill
from turnout.routing.catalog import Target
from turnout.settings import Settings
from turnout.upstream.order import Trip
from turnout.wire import ChatRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """A request of the app's own endpoint that was let in. headers: of the rate limits that apply."""

    decision: Decision | None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class Call:
    """One request on its way. `outcome` is set once, when it is over."""

    request: ChatRequest
    target: Target
    around: Circumstances
    key: bytes | None
    cache: CacheState
    token: Any
    bill: Bill = field(default_factory=Bill)
    flown: Flown | None = None
    # The flight that this request pays for.
    flight: AnswerFlight | None = None
    outcome: Outcome | None = None


@dataclass(slots=True, kw_only=True)
class Flown:
    """What a flight tells its listeners while it is in the air: the decision, and the trip so far."""

    decision: Decision | None = None
    trip: Trip = field(default_factory=Trip)


AnswerFlight = Flight[StoredAnswer, Flown]
AnswerFlights = Flights[StoredAnswer, Flown]
AnswerListener = Listener[StoredAnswer, Flown]


def miss_state(settings: Settings, around: Circumstances) -> CacheState:
    """What a miss will be told as."""
    if not settings.cache.enabled:
        return "off"
    if around.directives.no_store:
        return "request"
    shared = settings.cache.scope == "app" or settings.identity.anonymous_cache
    if around.caller.anonymous and not shared:
        return "bypass"
    return "request_stored" if around.directives.no_cache else "miss_stored"


def unstored(cache: CacheState) -> CacheState:
    """What a miss is told as whose answer is not stored."""
    if cache == "miss_stored":
        return "miss"
    return "request" if cache == "request_stored" else cache
