"""What one request may cost, what is reserved for it, and what it did cost.

A Bill is opened before the gate, asked on the way, and closed after it. Where no limit and no budget applies
there is none.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from turnout.context import Caller
from turnout.errors import BudgetUnavailable
from turnout.openai.requests import ChatRequest
from turnout.pipeline.bill import Reservation, refusal
from turnout.ports.admission import Ask, Gate, Lead, Settlement, Store
from turnout.ports.limits import BudgetRefused, RateRefused
from turnout.ports.runtime import Clock
from turnout.pricing import Price
from turnout.quota.cost_bounds import CostBound, cost_bound, cost_of, default_cap, tokens_of
from turnout.quota.pacing import pacing_factor
from turnout.quota.policies import Policies
from turnout.quota.refusals import budget_exceeded, no_room
from turnout.quota.token_bounds import prompt_size
from turnout.records import Attempt, Decision, Tier
from turnout.routing.catalog import Catalog, ModelSelection
from turnout.settings import LEASE_MARGIN_S, Settings
from turnout.upstream.call_trace import CallTrace, Candidate
from turnout.upstream.prices import HOW_TO_PRICE

log = logging.getLogger("turnout")


class Reservations:
    """Opens, asks and closes bills. prices: by configured name."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        gate: Gate,
        catalog: Catalog,
        prices: Callable[[], Mapping[str, Price]],
    ) -> None:
        self._settings = settings
        self._policies = Policies(settings)
        self._clock = clock
        self._gate = gate
        self._catalog = catalog
        self._prices = prices

    @property
    def budgeted(self) -> bool:
        """Whether any budget is set: every model needs a price then."""
        return self._policies.budgeted

    def open(self, request: ChatRequest, selection: ModelSelection, caller: Caller) -> Reservation:
        """The bill of a request. Raises ServedError where its worst case cannot be known."""
        if not self._policies.any:
            return Reservation()
        reservation = Reservation(
            rates=self._policies.rates(caller),
            budgets=self._policies.budgets(caller, self._clock.time()),
        )
        if reservation.bounded:
            reservation.size = prompt_size(request.messages, request.params, request.extra)
            reservation.offers = self._offers(reservation, request, selection)
            tokens = max(reservation.worst[model].tokens for model in reservation.worst)
            reservation.rates = tuple(
                replace(claim, amount=tokens) if claim.unit == "tokens" else claim for claim in reservation.rates
            )
        return reservation

    def _offers(
        self, reservation: Reservation, request: ChatRequest, selection: ModelSelection
    ) -> tuple[tuple[Tier, int], ...]:
        if selection.tier is not None:
            preferred: dict[Tier, str] = {selection.tier: selection.candidates[0]}
        else:
            tiers: tuple[Tier, Tier] = ("expensive", "cheap")
            preferred = {tier: self._settings.tier_models(tier)[0] for tier in tiers}
        offers = ((tier, self._worst(reservation, request, model).cost) for tier, model in preferred.items())
        return tuple(sorted(offers, key=lambda offer: -offer[1]))

    def _worst(self, reservation: Reservation, request: ChatRequest, name: str) -> CostBound:
        """This model's worst case for this request, worked out once."""
        found = reservation.worst.get(name)
        if found is None:
            found = reservation.worst[name] = cost_bound(
                self._settings.model(name),
                self._price(name) if reservation.budgets else None,
                reservation.size,
                request.params,
                request.extra,
                self._settings.budgets.default_max_output_tokens,
            )
        return found

    def _price(self, name: str) -> Price:
        price = self._prices().get(name)
        if price is None:
            log.error("%s has no price, and a budget applies: %s", name, HOW_TO_PRICE)
            raise BudgetUnavailable(f"no price is known for {name}, and a budget applies")
        return price

    def caps(
        self, reservation: Reservation, request: ChatRequest, models: tuple[str, ...]
    ) -> dict[str, dict[str, Any]]:
        """What is sent to each model besides the caller's parameters: a cap on its output where none is set."""
        if not reservation.bounded:
            return {}
        default = self._settings.budgets.default_max_output_tokens
        caps = {name: default_cap(self._settings.model(name), default, request.params) for name in models}
        return {name: {"max_tokens": cap} for name, cap in caps.items() if cap is not None}

    async def admit(self, caller: Caller) -> Reservation:
        """Counts a request of the app's own endpoint at the rate limits, and sees that no budget is used up. Keeps
        nothing reserved: what the app's own client spends is not known here. Raises ServedError."""
        caller = replace(caller, admitted=False)
        rates = tuple(claim for claim in self._policies.rates(caller) if claim.unit == "requests")
        reservation = Reservation(
            rates=rates, budgets=self._policies.budgets(caller, self._clock.time()), offers=(("cheap", 1),)
        )
        if not (reservation.rates or reservation.budgets):
            return reservation
        entry = await self._gate.enter(reservation.on(Ask(lease_s=LEASE_MARGIN_S)))
        reservation.entered(entry)
        verdict = entry.verdict
        if isinstance(verdict, RateRefused | BudgetRefused):
            error = refusal(verdict)
            error.headers = (*error.headers, *reservation.headers)
            raise error
        if isinstance(verdict, Lead):
            await self._gate.leave(Settlement(key=None, lease=verdict.lease, budgets=reservation.budgets))
        return reservation

    def pacing_factor(self, reservation: Reservation) -> float:
        """What pacing leaves of the wish for the expensive tier."""
        if not self._settings.budgets.pacing or not reservation.states:
            return 1.0
        return pacing_factor(reservation.states, self._clock.time())

    async def within(self, reservation: Reservation, decision: Decision) -> Decision:
        """The decision that the reservation allows. Raises BudgetExceeded."""
        if reservation.affords(decision.tier):
            return decision
        if (
            self._settings.budgets.on_exhausted == "cheap"
            and reservation.affords("cheap")
            and decision.reason != "forced"
        ):
            return replace(decision, tier="cheap", reason="budget", candidates=self._catalog.route("cheap"))
        worst = dict(reservation.offers)[decision.tier]
        if await self._top_up(reservation, worst - reservation.reserved, 0):
            reservation.fits = 0
            return decision
        reservation.refused = True
        raise budget_exceeded(no_room(reservation.states, worst, reservation.reserved, self._clock.time()))

    def affording(
        self, reservation: Reservation, request: ChatRequest, trace: CallTrace
    ) -> Callable[[Candidate], Awaitable[bool]] | None:
        """Whether one more attempt may be made: asked before each retry and fallback."""
        if not reservation.bounded:
            return None
        reserved_tokens = max(worst.tokens for worst in reservation.worst.values())

        async def afford(candidate: Candidate) -> bool:
            nonlocal reserved_tokens
            worst = self._worst(reservation, request, candidate.model)
            made = self._made(reservation, request, trace)
            more = max(0, cost_of(made) + worst.cost - reservation.reserved)
            tokens = max(0, tokens_of(made) + worst.tokens - reserved_tokens)
            if not (more or tokens) or await self._top_up(reservation, more, tokens):
                reserved_tokens += tokens
                return True
            return False

        return afford

    async def _top_up(self, reservation: Reservation, more: int, tokens: int) -> bool:
        if not await self._gate.top_up(reservation.lease, more, tokens):
            return False
        reservation.reserved += more
        return True

    def _made(
        self, reservation: Reservation, request: ChatRequest, trace: CallTrace
    ) -> list[tuple[Attempt, CostBound]]:
        return [(attempt, self._worst(reservation, request, attempt.model)) for attempt in trace.attempts]

    def settlement(
        self,
        reservation: Reservation,
        request: ChatRequest,
        trace: CallTrace,
        *,
        key: bytes | None,
        lease: str,
        store: Store | None,
    ) -> Settlement:
        """What the gate is told when the call is over."""
        if not reservation.bounded:
            return Settlement(key=key, lease=lease, store=store)
        made = self._made(reservation, request, trace)
        return Settlement(
            key=key,
            lease=lease,
            store=store,
            cost=cost_of(made),
            tokens=tokens_of(made),
            refused=reservation.refused,
            budgets=reservation.budgets,
        )
