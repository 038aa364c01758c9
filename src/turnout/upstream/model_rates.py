"""The providers' own limits (`[models.NAME] rate`), kept over all who share the gate: a call waits for room, or goes to
another model. One round trip a call, and a second that nothing waits for where tokens are limited; a job's takes two
more, so that the requests of all processes go before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from turnout.loop_task import BackgroundTasks
from turnout.ports.admission import Ask, Gate, Lead, Settlement
from turnout.ports.limits import RateClaim, RateRefused
from turnout.ports.runtime import Clock
from turnout.ports.sharing import Claims
from turnout.settings import LEASE_MARGIN_S, Settings
from turnout.upstream.call_trace import DEFAULT_RETRY_AFTER_S, CallTrace, UpstreamCall
from turnout.upstream.concurrency import ConcurrencyLimit

# The soonest that the gate is asked again: what others hold may be given back at any time.
AGAIN_S = 0.01
# How soon a job looks again whether requests of another process still wait; how long a claim outlives what it is held
# for; and how often it is tried.
YIELD_S, LATE_S, CLAIM_TRIES = 0.25, 1.0, 3


class ModelRates:
    """The limits of every model that has one. Of those who wait in this process one at a time asks the gate: requests
    before jobs, users in turn. claims: of all processes; while a request waits it holds the claim without which no job
    asks. None: there is one process."""

    def __init__(self, *, settings: Settings, clock: Clock, gate: Gate, claims: Claims | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._gate = gate
        self._precedence = claims
        self._claims = {name: _claims(name, settings) for name in settings.every_model if settings.model(name).rate}
        # Whoever is first in line holds its one slot, and is one of those who wait.
        self._lines = {
            name: ConcurrencyLimit(most=1, waiting=settings.model(name).max_waiting - 1) for name in self._claims
        }
        # When there is room again for one more request, as the gate last said.
        self._free_at: dict[str, float] = {}
        self._settling = BackgroundTasks("turnout.model-rates")

    def limits(self, model: str) -> bool:
        """Whether this model has a limit."""
        return model in self._claims

    def wait_s(self, model: str) -> float:
        """For how long at least there is no room for one more request, as far as this process knows."""
        return max(0.0, self._free_at.get(model, 0.0) - self._clock.monotonic())

    async def take(self, model: str, call: UpstreamCall, by: float, trace: CallTrace) -> Callable[[], None] | float:
        """Takes this call's part of the limit, waited for until `by` (the clock's monotonic). Returns what settles it
        when the call is over, or in how many seconds there may be room."""
        line = self._lines[model]
        taken: str | float = DEFAULT_RETRY_AFTER_S
        if not line.taken:
            taken = await self._ask(model, call)
        if not isinstance(taken, str) and self._is_worth_waiting(model, taken, by):
            try:
                with trace.waiting(self._clock):
                    async with self._clock.timeout_at(by):
                        taken = await self._wait_in(line, model, call, by)
            except TimeoutError:
                taken = max(self.wait_s(model), DEFAULT_RETRY_AFTER_S)
        if not isinstance(taken, str):
            return taken
        lease, attempts = taken, len(trace.attempts)

        def settle() -> None:
            # None: its attempt never began.
            attempt = trace.attempts[attempts] if len(trace.attempts) > attempts else None
            tokens = 0 if attempt is None or call.tokens is None else call.tokens.used(attempt)
            self._settle(model, Settlement(key=None, lease=lease, tokens=tokens))

        return settle

    def _is_worth_waiting(self, model: str, wait_s: float, by: float) -> bool:
        return self._settings.model(model).max_waiting > 0 and self._clock.monotonic() + wait_s <= by

    async def _wait_in(self, line: ConcurrencyLimit, model: str, call: UpstreamCall, by: float) -> str | float:
        while await line.take(call.user, job=call.job is not None):
            first = False
            try:
                while isinstance(taken := await self._ask(model, call), float):
                    if self._clock.monotonic() + taken > by:
                        return taken
                    if call.job is None and self._precedence is not None:
                        first = await self._go_first(self._precedence, model, taken, held=first)
                    await self._clock.sleep(taken)
                    if call.job is not None and line.requests_wait:
                        break
                else:
                    return taken
            finally:
                line.give()
                if first and self._precedence is not None:
                    self._settling.start(self._precedence.release(_precedence_name(model)))
        return max(self.wait_s(model), DEFAULT_RETRY_AFTER_S)

    async def _go_first(self, claims: Claims, model: str, wait_s: float, *, held: bool) -> bool:
        """Holds the jobs of all processes back until there is room for this request; whether it is this one that does.
        held: whether it did before."""
        name = _precedence_name(model)
        if held:
            await claims.release(name)
        for _ in range(CLAIM_TRIES):
            if await claims.claim(name, wait_s + LATE_S):
                return True
            # A job asks at this very moment, or another request waits already.
            await self._clock.sleep(AGAIN_S)
        return False

    async def _ask(self, model: str, call: UpstreamCall) -> str | float:
        """The lease of what was taken, or in how many seconds it may fit."""
        if self._precedence is None or call.job is None:
            return await self._ask_gate(model, call)
        if not await self._precedence.claim(_precedence_name(model), LATE_S):
            return YIELD_S
        try:
            return await self._ask_gate(model, call)
        finally:
            await self._precedence.release(_precedence_name(model))

    async def _ask_gate(self, model: str, call: UpstreamCall) -> str | float:
        rates = tuple(_amount(claim, model, call) for claim in self._claims[model])
        lease_s = self._settings.retry.lease_s(stream=True) + LEASE_MARGIN_S
        verdict = (await self._gate.enter(Ask(rates=rates, lease_s=lease_s))).verdict
        if isinstance(verdict, RateRefused):
            wait_s = max(AGAIN_S, verdict.retry_after_s)
            if verdict.claim.unit == "requests":
                self._free_at[model] = self._clock.monotonic() + wait_s
            return wait_s
        self._free_at.pop(model, None)
        assert isinstance(verdict, Lead)
        return verdict.lease

    def _settle(self, model: str, settlement: Settlement) -> None:
        if any(claim.unit == "tokens" for claim in self._claims[model]):
            self._settling.start(self._gate.leave(settlement))

    async def drain(self) -> None:
        """Waits until all that was taken on this loop is settled."""
        await self._settling.drain()


def _precedence_name(model: str) -> str:
    return f"rate:{model}"


def _claims(model: str, settings: Settings) -> tuple[RateClaim, ...]:
    return tuple(
        RateClaim(policy="model", key=f"model:{model}", limit=rate.limit, window_s=rate.window_s, unit=rate.unit)
        for rate in settings.model(model).rate
    )


def _amount(claim: RateClaim, model: str, call: UpstreamCall) -> RateClaim:
    if claim.unit != "tokens" or call.tokens is None:
        return claim
    # What is larger than the limit goes when nothing else does.
    return replace(claim, amount=min(claim.limit, call.tokens.most(model)))
