"""From candidate to candidate until one answers, inside one deadline.

For each candidate in order: try, and on a transient error back off and try again; then the next candidate.
A stream may fail over until its first content-bearing chunk; after it, a break ends it with an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

from turnout.errors import (
    AttemptError,
    AttemptTimeout,
    CallerFault,
    DeadlineExceeded,
    MalformedReply,
    ServedError,
    UpstreamUnavailable,
)
from turnout.messages import Message, text_of
from turnout.outcome import Attempt, Tier, Usage
from turnout.ports import Clock, Observer, Provider, ProviderCall
from turnout.pricing import FREE, Price
from turnout.replies import Assembly, Body, body_text, finish_reason, is_content, usage_of
from turnout.settings import Model, Settings
from turnout.upstream.backoff import pause

log = logging.getLogger("turnout.upstream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A configured model and the tier that it stands in."""

    model: str
    tier: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One answer wanted. Deadlines are values of the clock's monotonic: `deadline` for the first
    content-bearing chunk (of a plain call: the whole answer), `stream_deadline` for the rest of a stream.

    extra: parameters that OpenAI does not name; they travel in the body, never as litellm's own arguments.
    afford: asked before every call but the preferred candidate's first, which the reservation already covers:
    whether this candidate's worst case fits (it may top the reservation up). False: the candidate is skipped
    for the reason `budget`. None: always.
    own: parameters sent to one model alone, by its name.
    """

    messages: tuple[Message, ...]
    candidates: tuple[Candidate, ...]
    deadline: float
    stream_deadline: float
    params: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    token: Any = None
    afford: Callable[[Candidate], Awaitable[bool]] | None = None
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A candidate that was not called, or not again, and why."""

    model: str
    reason: Literal["budget"]


class Trip:
    """The record of one order, true at any time, also after a cancellation. Seconds."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.skipped: list[Skip] = []
        self.waited_s = 0.0
        self.serving: Candidate | None = None
        self.trying_since: float | None = None

    def inference_s(self, now: float) -> float:
        """Time spent in attempts, the one under way included."""
        ended = sum(attempt.duration_s for attempt in self.attempts)
        return ended + (now - self.trying_since if self.trying_since is not None else 0.0)


class Chain:
    """Tries the candidates of an order. `rng` gives uniform chances in [0, 1)."""

    def __init__(
        self,
        *,
        provider: Provider,
        clock: Clock,
        observer: Observer,
        settings: Settings,
        prices: Callable[[], Mapping[str, Price]],
        rng: Callable[[], float],
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._observer = observer
        self._settings = settings
        self._prices = prices
        self._rng = rng

    # ---------------------------------------------------------------------------------------- the verbs

    async def complete(self, order: Order, trip: Trip) -> Body:
        """The first whole answer. Raises ServedError."""
        failures = _Failures()
        async for candidate in self._tries(order, trip, failures):
            attempt = self._attempt(order, trip, candidate, stream=False)
            try:
                async with self._clock.timeout_at(attempt.ends_at(order.deadline)):
                    body = await self._provider.complete(attempt.call)
            except BaseException as error:
                failures.add(attempt.failed(error))
            else:
                attempt.told(usage_of(body), body)
                trip.serving = candidate
                return body
            finally:
                attempt.end()
        raise failures.served(self._clock.monotonic() >= order.deadline)

    async def stream(self, order: Order, trip: Trip) -> AsyncGenerator[Body, None]:
        """The chunks of the first answer that begins. Raises ServedError: before the first chunk where no
        candidate began one, after it where the one that began broke off."""
        failures = _Failures()
        async for candidate in self._tries(order, trip, failures):
            attempt = self._attempt(order, trip, candidate, stream=True)
            whole = Assembly()
            begun = False
            try:
                async with aclosing(self._provider.stream(attempt.call)) as chunks:
                    async for held in self._opening(chunks, attempt, order.deadline):
                        begun, trip.serving = True, candidate
                        whole.add(held)
                        yield held
                    async for chunk in self._rest(chunks, attempt, order.stream_deadline):
                        whole.add(chunk)
                        yield chunk
                if not whole.finished:
                    raise MalformedReply("the stream ended before its finish")
            except BaseException as error:
                # A caller that leaves arrives here as GeneratorExit or CancelledError, and goes on upwards.
                fault = attempt.failed(error)
                attempt.told_partly(whole)
                if begun:
                    raise _broken(fault) from fault
                failures.add(fault)
            else:
                attempt.told(usage_of(whole.body()), whole.body())
                return
            finally:
                attempt.end()
        raise failures.served(self._clock.monotonic() >= order.deadline)

    # ------------------------------------------------------------------------------- who is tried and when

    async def _tries(self, order: Order, trip: Trip, failures: _Failures) -> AsyncGenerator[Candidate, None]:
        """Each candidate in order, again after a back-off while its failures are worth trying again."""
        # Not under an attempt's own limits: a process that has just begun must not take its models for sick.
        await self._provider.load()
        for index, candidate in enumerate(order.candidates):
            tried = 0
            while self._clock.monotonic() < order.deadline:
                if (index or tried) and order.afford is not None and not await order.afford(candidate):
                    trip.skipped.append(Skip(model=candidate.model, reason="budget"))
                    break
                yield candidate
                tried += 1
                fault = failures.last
                if fault is None or not fault.retryable:
                    break
                left = order.deadline - self._clock.monotonic()
                wait = pause(self._settings.retry, tried, self._rng(), fault.retry_after_s, left)
                if wait is None:
                    break
                since = self._clock.monotonic()
                await self._clock.sleep(wait)
                trip.waited_s += self._clock.monotonic() - since

    # ------------------------------------------------------------------------------------ reading a stream

    async def _opening(
        self, chunks: AsyncGenerator[Body, None], attempt: _Attempt, deadline: float
    ) -> AsyncGenerator[Body, None]:
        """What comes up to the first content-bearing chunk, all at once when that is here."""
        held: list[Body] = []
        first_by = min(attempt.ends_at(deadline), attempt.began + attempt.model.first_token_timeout_s)
        async with self._clock.timeout_at(first_by):
            async for chunk in chunks:
                held.append(chunk)
                if is_content(chunk):
                    attempt.first_chunk_s = self._clock.monotonic() - attempt.began
                    break
            else:
                raise MalformedReply("the stream ended before any content")
        for chunk in held:
            yield chunk

    async def _rest(
        self, chunks: AsyncGenerator[Body, None], attempt: _Attempt, deadline: float
    ) -> AsyncGenerator[Body, None]:
        while True:
            try:
                async with self._clock.timeout_at(
                    min(deadline, self._clock.monotonic() + attempt.model.chunk_timeout_s)
                ):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            yield chunk

    # --------------------------------------------------------------------------------------- one attempt

    def _attempt(self, order: Order, trip: Trip, candidate: Candidate, *, stream: bool) -> _Attempt:
        model = self._settings.model(candidate.model)
        now = self._clock.monotonic()
        params = {**order.params, **order.own.get(candidate.model, {})}
        if order.extra:
            params["extra_body"] = dict(order.extra)
        call = ProviderCall(
            model=candidate.model,
            messages=order.messages,
            params=params,
            timeout_s=max(0.001, min(model.timeout_s, order.deadline - now)),
            connect_timeout_s=model.connect_timeout_s,
        )
        return _Attempt(
            candidate, model, call, trip, self._clock, self._observer, self._prices().get(candidate.model),
            self._observer.attempt_started(order.token, call, tier=candidate.tier, stream=stream),
        )  # fmt: skip


class _Attempt:
    """One try of one model, from its beginning to its record in the trip."""

    def __init__(
        self,
        candidate: Candidate,
        model: Model,
        call: ProviderCall,
        trip: Trip,
        clock: Clock,
        observer: Observer,
        price: Price | None,
        token: Any,
    ) -> None:
        self.candidate = candidate
        self.model = model
        self.call = call
        self.began = clock.monotonic()
        self.first_chunk_s: float | None = None
        self._trip = trip
        self._clock = clock
        self._observer = observer
        self._price = price
        self._token = token
        self._error: AttemptError | None = None
        self._error_kind: str | None = None
        self._usage: Usage | None = None
        self._body: Mapping[str, Any] = {}
        trip.trying_since = self.began

    def ends_at(self, deadline: float) -> float:
        return min(deadline, self.began + self.model.timeout_s)

    def failed(self, error: BaseException) -> AttemptError:
        """The fault that this error is. A cancellation is none: it is recorded and raised again."""
        if isinstance(error, TimeoutError):
            error = AttemptTimeout("the provider took too long")
        if not isinstance(error, AttemptError):
            cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
            self._error_kind = "cancelled" if cancelled else "internal_error"
            raise error
        self._error_kind = error.kind
        self._error = error
        log.info("attempt of %s failed: %s: %s", self.candidate.model, error.kind, error)
        return error

    def told(self, usage: Usage | None, body: Mapping[str, Any]) -> None:
        """The whole answer is here; where it tells no usage, we count."""
        self._body = body
        self._usage = usage or self._counted(len(body_text(body)))

    def told_partly(self, whole: Assembly) -> None:
        """Broken off: what was received is billed."""
        body = whole.body()
        if whole.characters:
            self._usage = usage_of(body) or self._counted(whole.characters)

    def _counted(self, characters: int) -> Usage:
        # Four characters a token: OpenAI's own rule of thumb for English text.
        sent = sum(len(text_of(message)) for message in self.call.messages)
        return Usage(prompt_tokens=-(-sent // 4), completion_tokens=-(-characters // 4), estimated=True)

    def end(self) -> None:
        """Writes the record. Called once, whatever happened."""
        usage, price = self._usage, self._price
        attempt = Attempt(
            model=self.candidate.model,
            tier=self.candidate.tier,
            duration_s=self._clock.monotonic() - self.began,
            first_chunk_s=self.first_chunk_s,
            error=self._error_kind,
            status=self._error.status if self._error else None,
            usage=usage,
            cost_usd=price.cost(usage) if price and usage else FREE,
            response_model=self._body.get("model"),
            response_id=self._body.get("id"),
            finish_reason=finish_reason(self._body),
        )
        self._trip.trying_since = None
        self._trip.attempts.append(attempt)
        self._observer.attempt_ended(self._token, attempt)


class _Failures:
    """What went wrong so far, and what the caller is told of it in the end."""

    def __init__(self) -> None:
        self.last: AttemptError | None = None

    def add(self, fault: AttemptError) -> None:
        if isinstance(fault, CallerFault):
            raise fault.served() from fault
        self.last = fault

    def served(self, past_deadline: bool) -> ServedError:
        if past_deadline:
            return DeadlineExceeded("no model answered within the deadline")
        retry_after = self.last.retry_after_s if self.last else None
        return UpstreamUnavailable(
            "no model could answer; try again later",
            retry_after_s=1.0 if retry_after is None else retry_after,
        )


def _broken(fault: AttemptError) -> ServedError:
    """What a caller is told inside a stream that has begun."""
    if isinstance(fault, CallerFault):
        return fault.served()
    if isinstance(fault, AttemptTimeout):
        return DeadlineExceeded("the answer stopped coming")
    return UpstreamUnavailable("the answer broke off")
