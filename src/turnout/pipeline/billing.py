"""What one request may cost, what is reserved for it, and what it did cost.

A Bill is opened before the gate, asked on the way, and closed after it. Where no limit and no budget applies
there is none.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from turnout.caller import Caller
from turnout.errors import BudgetUnavailable
from turnout.outcome import Attempt, Decision, Tier
from turnout.pipeline.bill import Bill, refusal
from turnout.ports import Ask, BudgetRefused, Clock, Gate, Lead, RateRefused, Settlement, Store
from turnout.pricing import Price
from turnout.quota.bounds import prompt_size
from turnout.quota.pacing import ease
from turnout.quota.refusals import budget_exceeded, no_room
from turnout.quota.terms import Terms
from turnout.quota.worst import Worst, cost_of, default_cap, tokens_of, worst_of
from turnout.routing.catalog import Catalog, Target
from turnout.settings import LEASE_MARGIN_S, Settings
from turnout.upstream.order import Candidate, Trip
from turnout.upstream.prices import HOW_TO_PRICE
from turnout.wire import ChatRequest

log = logging.getLogger("turnout")


class Billing:
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
        self._terms = Terms(settings)
        self._clock = clock
        self._gate = gate
        self._catalog = catalog
        self._prices = prices

    @property
    def budgeted(self) -> bool:
        """Whether any budget is set: every model needs a price then."""
        return self._terms.budgeted

    # ------------------------------------------------------------------------------------------- opening

    def open(self, request: ChatRequest, target: Target, caller: Caller) -> Bill:
        """The bill of a request. Raises ServedError where its worst case cannot be known."""
        if not self._terms.any:
            return Bill()
        bill = Bill(
            rates=self._terms.rates(caller),
            budgets=self._terms.budgets(caller, self._clock.time()),
        )
        if bill.bounded:
            bill.size = prompt_size(request.messages, request.params, request.extra)
            bill.offers = self._offers(bill, request, target)
            tokens = max(bill.worst[model].tokens for model in bill.worst)
            bill.rates = tuple(
                replace(claim, amount=tokens) if claim.unit == "tokens" else claim for claim in bill.rates
            )
        return bill

    def _offers(self, bill: Bill, request: ChatRequest, target: Target) -> tuple[tuple[Tier, int], ...]:
        if target.tier is not None:
            preferred: dict[Tier, str] = {target.tier: target.candidates[0]}
        else:
            tiers: tuple[Tier, Tier] = ("expensive", "cheap")
            preferred = {tier: self._settings.tier_models(tier)[0] for tier in tiers}
        offers = ((tier, self._worst(bill, request, model).cost) for tier, model in preferred.items())
        return tuple(sorted(offers, key=lambda offer: -offer[1]))

    def _worst(self, bill: Bill, request: ChatRequest, name: str) -> Worst:
        """This model's worst case for this request, worked out once."""
        found = bill.worst.get(name)
        if found is None:
            found = bill.worst[name] = worst_of(
                self._settings.model(name),
                self._price(name) if bill.budgets else None,
                bill.size,
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

    def caps(self, bill: Bill, request: ChatRequest, models: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """What is sent to each model besides the caller's parameters: a cap on its output where none is set."""
        if not bill.bounded:
            return {}
        default = self._settings.budgets.default_max_output_tokens
        caps = {name: default_cap(self._settings.model(name), default, request.params) for name in models}
        return {name: {"max_tokens": cap} for name, cap in caps.items() if cap is not None}

    async def admit(self, caller: Caller) -> Bill:
        """Counts a request of the app's own endpoint at the rate limits, and sees that no budget is used up. Keeps
        nothing reserved: what the app's own client spends is not known here. Raises ServedError."""
        caller = replace(caller, admitted=False)
        rates = tuple(claim for claim in self._terms.rates(caller) if claim.unit == "requests")
        bill = Bill(rates=rates, budgets=self._terms.budgets(caller, self._clock.time()), offers=(("cheap", 1),))
        if not (bill.rates or bill.budgets):
            return bill
        entry = await self._gate.enter(bill.on(Ask(lease_s=LEASE_MARGIN_S)))
        bill.entered(entry)
        verdict = entry.verdict
        if isinstance(verdict, RateRefused | BudgetRefused):
            error = refusal(verdict)
            error.headers = (*error.headers, *bill.headers)
            raise error
        if isinstance(verdict, Lead):
            await self._gate.leave(Settlement(key=None, lease=verdict.lease, budgets=bill.budgets))
        return bill

    # ----------------------------------------------------------------------------------------- on the way

    def ease(self, bill: Bill) -> float:
        """What pacing leaves of the wish for the expensive tier."""
        if not self._settings.budgets.pacing or not bill.states:
            return 1.0
        return ease(bill.states, self._clock.time())

    async def within(self, bill: Bill, decision: Decision) -> Decision:
        """The decision that the reservation allows. Raises BudgetExceeded."""
        if bill.affords(decision.tier):
            return decision
        if self._settings.budgets.on_exhausted == "cheap" and bill.affords("cheap") and decision.reason != "forced":
            return replace(decision, tier="cheap", reason="budget", candidates=self._catalog.route("cheap"))
        worst = dict(bill.offers)[decision.tier]
        if await self._top_up(bill, worst - bill.reserved, 0):
            bill.fits = 0
            return decision
        bill.refused = True
        raise budget_exceeded(no_room(bill.states, worst, bill.reserved, self._clock.time()))

    def affording(self, bill: Bill, request: ChatRequest, trip: Trip) -> Callable[[Candidate], Awaitable[bool]] | None:
        """Whether one more attempt may be made: asked before each retry and fallback."""
        if not bill.bounded:
            return None
        reserved_tokens = max(worst.tokens for worst in bill.worst.values())

        async def afford(candidate: Candidate) -> bool:
            nonlocal reserved_tokens
            worst = self._worst(bill, request, candidate.model)
            made = self._made(bill, request, trip)
            more = max(0, cost_of(made) + worst.cost - bill.reserved)
            tokens = max(0, tokens_of(made) + worst.tokens - reserved_tokens)
            if not (more or tokens) or await self._top_up(bill, more, tokens):
                reserved_tokens += tokens
                return True
            return False

        return afford

    async def _top_up(self, bill: Bill, more: int, tokens: int) -> bool:
        if not await self._gate.top_up(bill.lease, more, tokens):
            return False
        bill.reserved += more
        return True

    def _made(self, bill: Bill, request: ChatRequest, trip: Trip) -> list[tuple[Attempt, Worst]]:
        return [(attempt, self._worst(bill, request, attempt.model)) for attempt in trip.attempts]

    # ------------------------------------------------------------------------------------------- closing

    def settlement(
        self, bill: Bill, request: ChatRequest, trip: Trip, *, key: bytes | None, lease: str, store: Store | None
    ) -> Settlement:
        """What the gate is told when the call is over."""
        if not bill.bounded:
            return Settlement(key=key, lease=lease, store=store)
        made = self._made(bill, request, trip)
        return Settlement(
            key=key,
            lease=lease,
            store=store,
            cost=cost_of(made),
            tokens=tokens_of(made),
            refused=bill.refused,
            budgets=bill.budgets,
        )
