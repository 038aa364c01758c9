"""Who asks, from where and under which conditions: what a door finds out before the pipeline begins."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from turnout.errors import InvalidRequest
from turnout.records import Outcome

T = TypeVar("T")

ANONYMOUS = "anonymous"
# Who pays for the renewals of stored answers, in budgets, counts and logs: nobody who was answered from the cache.
REFRESH_USER = "turnout-refresh"

# The longest endpoint that stands in keys as it is.
LONGEST_ENDPOINT = 120


def hash_text(text: str) -> str:
    """Returns 20 hexadecimal digits that stand for this text in the keys of a store."""
    # A lone surrogate in a header must not fail here.
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def endpoint_name(endpoint: str) -> str:
    """Returns what this endpoint is called in every store: as it is, for a person to read, or a hash where it is longer
    than any route."""
    return endpoint if len(endpoint) <= LONGEST_ENDPOINT else hash_text(endpoint)


def user_key(user: str) -> str:
    """Returns the name of this user in every store: `user:` and a hash, whatever the app takes for an id."""
    return "user:" + hash_text(user)


def is_user_key(name: str) -> bool:
    """Returns whether this name is shaped as a `user_key`; an id that is cannot be told from one."""
    return re.fullmatch("user:[0-9a-f]{20}", name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """user: never a raw credential; all anonymous callers are one user. endpoint: the app's own path or
    route template. admitted: the door has counted the app's request at the rate limits already, and what the app
    asks of a model while it handles it is not counted again. user_key: stands for the user in every store."""

    user: str = ANONYMOUS
    endpoint: str = ""
    admitted: bool = False
    user_key: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "user_key", user_key(self.user))

    @property
    def anonymous(self) -> bool:
        return self.user == ANONYMOUS


class HandledRequest(Protocol):
    """A request that the app is handling."""

    def find_caller(self) -> Caller:
        """Who asks and from which endpoint; found out when first needed: a request that never calls a model
        never asks who is asking."""
        ...

    @property
    def turnout(self) -> Any:
        """The Turnout that is mounted around it."""
        ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The server's own loop, that the request is served on; None under WSGI."""
        ...

    def note(self, outcome: Outcome) -> None:
        """Receives the outcome of each call that was made while the app handles the request."""
        ...


# Set by a door for as long as the app handles a request, so that a call made deep inside a handler is
# limited and billed to the right caller, and goes to the Turnout that is mounted around it.
current_request: ContextVar[HandledRequest | None] = ContextVar("turnout_request", default=None)


def current_caller() -> Caller:
    """The caller of the request that the app is handling; an anonymous one outside of any."""
    handled = current_request.get()
    return handled.find_caller() if handled is not None else Caller()


def new_request_id() -> str:
    """What a request is known by in headers, spans and logs."""
    return f"req_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    """What the caller asks for: RFC 9111's no-store, no-cache, only-if-cached, max-age and min-fresh (for how much
    longer an answer must stay fresh); a lower deadline, in seconds."""

    no_store: bool = False
    no_cache: bool = False
    max_age_s: float | None = None
    deadline_s: float | None = None
    min_fresh_s: float = 0.0
    only_if_cached: bool = False

    def oldest_s(self, ttl_s: float) -> float | None:
        """The age of the oldest answer that will do, of those that are fresh for `ttl_s`; None: any fresh one."""
        if not self.min_fresh_s:
            return self.max_age_s
        # Of less than nothing none will do, and a store takes no age below 0.
        oldest = max(0.0, ttl_s - self.min_fresh_s)
        return oldest if self.max_age_s is None else min(oldest, self.max_age_s)


DEFAULT_DIRECTIVES = Directives()


def parse_directives(cache_control: str, deadline_ms: str) -> Directives:
    """From the `Cache-Control` and `x-turnout-deadline-ms` headers, "" where absent. Unknown and malformed
    cache directives are ignored, as RFC 9111 says. Raises InvalidRequest for a deadline that is no number."""
    if not cache_control and not deadline_ms:
        return DEFAULT_DIRECTIVES
    parts: dict[str, str] = {}
    for part in cache_control.split(","):
        name, _, value = part.strip().partition("=")
        parts[name.lower()] = value.strip('"')
    max_age = parts.get("max-age", "")
    return Directives(
        no_store="no-store" in parts,
        no_cache="no-cache" in parts or max_age == "0",
        max_age_s=_seconds(max_age),
        min_fresh_s=_seconds(parts.get("min-fresh", "")) or 0.0,
        only_if_cached="only-if-cached" in parts,
        deadline_s=_deadline(deadline_ms) if deadline_ms else None,
    )


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def _deadline(text: str) -> float:
    try:
        seconds = float(text) / 1000
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidRequest(
            "x-turnout-deadline-ms must be a number of milliseconds above 0", param="x-turnout-deadline-ms"
        )
    return seconds


async def patiently(long: Awaitable[T]) -> T:
    """Waits as long as it takes."""
    return await long


class RunningJob(Protocol):
    """A job that runs."""

    async def hold(self, model: str, most: int) -> bool:
        """Whether it may call this model now, where as many jobs as `most` may at once, over all workers. It holds its
        place until it holds another's, or has ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One request's own: its id, its caller, its directives and when it began (by the clock's monotonic).

    waits: how its caller waits for what may take long. A door ends it there when the caller hangs up (raising
    CallerGone), so that what is there at once, a hit or a refusal, needs nobody to watch the caller meanwhile.
    session_id: what the caller calls its conversation (`x-session-id`); "": nothing.
    may_choose: whether it may name a tier or a model whatever `[routing] forced` says: the app's own code may.
    traceparent: as the caller sent it (W3C); "": nothing.
    job: what it is made for; None: somebody waits for the answer.
    stored_first: whether its answer is to be stored before it is given: whoever asks wants it stored above all.
    """

    request_id: str
    started: float
    caller: Caller = field(default_factory=Caller)
    directives: Directives = DEFAULT_DIRECTIVES
    waits: Callable[[Awaitable[Any]], Awaitable[Any]] = patiently
    session_id: str = ""
    may_choose: bool = True
    traceparent: str = ""
    job: RunningJob | None = None
    stored_first: bool = False

    def narrowed(self, extension: Mapping[str, Any]) -> RequestContext:
        """This context as the request's own `turnout` object narrows it: `cache` false as the caller's no-store, and
        the lower of both deadlines."""
        cached, deadline_ms = extension.get("cache", True), extension.get("deadline_ms")
        if cached and deadline_ms is None:
            return self
        directives = self.directives
        if not cached:
            directives = replace(directives, no_store=True)
        if deadline_ms is not None:
            deadlines = (deadline_ms / 1000, directives.deadline_s)
            directives = replace(directives, deadline_s=min(value for value in deadlines if value is not None))
        return replace(self, directives=directives)
