"""What one request may cost: what it claims of limits and budgets, what is reserved for it, what is settled.

A reservation is opened when the request begins, made at the gate, topped up for retries and fallbacks, and settled
when the call is over. Amounts are whole nano-USD.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from turnout.context import Caller
from turnout.errors import BudgetUnavailable
from turnout.openai.requests import ChatRequest
from turnout.openai.usage import TokenLimits
from turnout.ports.admission import Ask, Entry, Gate, Lead, NewEntry, Settlement
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim, RateRefused
from turnout.ports.runtime import Clock
from turnout.pricing import Price
from turnout.quota.billing import above_bound, cost_of, tokens_of
from turnout.quota.cost_bounds import CostBound, cost_bound, sent_caps
from turnout.quota.pacing import pacing_factor
from turnout.quota.policies import Policies
from turnout.quota.rate_headers import HeaderPairs, rate_headers
from turnout.quota.refusals import budget_exceeded, no_room, rate_exceeded
from turnout.quota.token_bounds import Size, prompt_size
from turnout.records import Attempt, Decision, ServedTier, Tier
from turnout.routing.catalog import Catalog, ModelSelection
from turnout.settings import Settings
from turnout.upstream.call_trace import CallTrace, Candidate
from turnout.upstream.prices import HOW_TO_PRICE

log = logging.getLogger("turnout")


class Reservations:
    """Opens reservations, and holds what they all share. prices: by configured model name."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        gate: Gate,
        catalog: Catalog,
        prices: Callable[[], Mapping[str, Price]],
        limits: Callable[[str], TokenLimits],
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.gate = gate
        self.catalog = catalog
        self._policies = Policies(settings)
        self._prices = prices
        self._limits = limits
        self._warned: set[str] = set()

    def open(self, request: ChatRequest, selection: ModelSelection, caller: Caller) -> Reservation:
        """The reservation of a request that begins. Nothing is claimed yet."""
        return Reservation(self, request, selection, *self.claims(caller))

    def open_check(self, request: ChatRequest, selection: ModelSelection) -> Reservation:
        """The reservation of a call that checks a semantic hit: out of the checks' own budget, and the total one."""
        return Reservation(self, request, selection, (), self.check_claims())

    def check_claims(self) -> tuple[BudgetClaim, ...]:
        """The budgets that apply to a judge's comparison: the checks' own, and the total one."""
        return self._policies.check_budgets(self.clock.time())

    def total_claims(self) -> tuple[BudgetClaim, ...]:
        """The budget that applies to a call that is made for nobody in particular."""
        return self._policies.total_budgets(self.clock.time())

    def claims(self, caller: Caller) -> tuple[tuple[RateClaim, ...], tuple[BudgetClaim, ...]]:
        """The rate limits and budgets that apply to this caller."""
        if not self._policies.any:
            return (), ()
        return self._policies.rates(caller), self._policies.budgets(caller, self.clock.time())

    def pacing_factor(self, states: Sequence[BudgetState]) -> float:
        """What pacing leaves of the routing target, in [0, 1]; 1 where pacing is off or no budget applies."""
        if not self.settings.budgets.pacing or not states:
            return 1.0
        return pacing_factor(states, self.clock.time())

    def price(self, model: str) -> Price:
        """The price of this model. Raises BudgetUnavailable where none is known."""
        price = self._prices().get(model)
        if price is None:
            log.error("%s has no price, and a budget applies: %s", model, HOW_TO_PRICE)
            raise BudgetUnavailable(f"no price is known for {model}, and a budget applies")
        return price

    def largest_output(self, model: str) -> int | None:
        """The most tokens that this model writes in one choice; None where unknown."""
        return self._limits(model).output

    def warn_above(self, model: str) -> None:
        """Logs once that an attempt of this model used more than was reserved for it."""
        if model not in self._warned:
            self._warned.add(model)
            log.warning("%s used more tokens than were reserved for a call: it is billed as told", model)


class Reservation:
    """What one request claims and what is reserved for it; nothing where no limit and no budget applies.

    bounded: whether money or tokens are reserved; the call's output is capped then. counts_calls: whether its calls in
    progress are limited.
    lease: the gate's, under which the reservation stands. headers: the rate limits that applied.
    """

    def __init__(
        self,
        shared: Reservations,
        request: ChatRequest,
        selection: ModelSelection,
        rates: tuple[RateClaim, ...] = (),
        budgets: tuple[BudgetClaim, ...] = (),
    ) -> None:
        self._shared = shared
        self._request = request
        self._selection = selection
        self._rates = rates
        self._budgets = budgets
        self.bounded = bool(budgets) or any(claim.unit == "tokens" for claim in rates)
        self.counts_calls = any(claim.unit == "calls" for claim in rates)
        self.lease = ""
        self.headers: HeaderPairs = ()
        self._size: Size | None = None
        self._bounds: dict[str, CostBound] = {}
        # The tiers that may serve it with their worst case, dearest first; those from `_fits` on are covered.
        self._offers: tuple[tuple[ServedTier, int], ...] = ()
        self._fits = 0
        self._reserved = 0
        self._reserved_tokens = 0
        # Of what is reserved, for second samples alone.
        self._aside = (0, 0)
        self._states: tuple[BudgetState, ...] = ()
        self._refused = False

    def claim(self, ask: Ask) -> Ask:
        """The Ask with what this request claims. Raises BudgetUnavailable where its worst case cannot be known."""
        if not self._rates and not self._budgets:
            return ask
        if self.bounded and not self._offers:
            self._offers = self._price_tiers()
            tokens = self._reserved_tokens = max(bound.tokens for bound in self._bounds.values())
            self._rates = tuple(
                replace(claim, amount=tokens) if claim.unit == "tokens" else claim for claim in self._rates
            )
        return replace(ask, rates=self._rates, budgets=self._budgets, worst=tuple(cost for _, cost in self._offers))

    def check_fits(self) -> None:
        """Raises BudgetExceeded or RateLimitExceeded where no limit and budget would have room even if unused."""
        ask = self.claim(Ask())
        for claim in ask.rates:
            if claim.amount > claim.limit:
                raise rate_exceeded(RateRefused(claim=claim, retry_after_s=claim.window_s))
        for budget in ask.budgets:
            if min(ask.worst) > budget.limit:
                end = budget.rolling_s or max(stop for _, stop in budget.windows) - self._shared.clock.time()
                raise budget_exceeded(BudgetRefused(claim=budget, retry_after_s=end))

    def claim_call(self, ask: Ask) -> Ask:
        """The Ask of a request that is counted already: its call, its tokens and its worst case are not."""
        return replace(self.claim(ask), rates=tuple(claim for claim in self._rates if claim.unit != "requests"))

    def record_entry(self, entry: Entry) -> None:
        """Notes what the gate reserved, and how limits and budgets stand."""
        verdict = entry.verdict
        self._states = entry.budgets
        # An Ask of `claim_call` does not hold all limits: the headers of the first one stay.
        if len(entry.rates) == len(self._rates):
            self.headers = rate_headers(entry.rates, verdict if isinstance(verdict, RateRefused) else None)
        if isinstance(verdict, Lead):
            self.lease, self._fits = verdict.lease, verdict.fits
            self._reserved = self._offers[verdict.fits][1] if self._budgets else 0

    @property
    def leased(self) -> bool:
        """Whether the gate holds something until the call is settled."""
        return self.bounded or self.counts_calls

    def pacing_factor(self) -> float:
        """What pacing leaves of the routing target, in [0, 1]."""
        return self._shared.pacing_factor(self._states)

    async def confirm(
        self, decision: Decision, holding: Callable[[Sequence[str]], tuple[str, ...]] = tuple
    ) -> Decision:
        """The decision, its worst case reserved; or the cheap tier's where only that fits. holding: of these models,
        those that can hold the request. Raises BudgetExceeded."""
        if self._covers(decision.tier):
            return decision
        cheap_allowed = self._shared.settings.budgets.on_exhausted == "cheap" and decision.reason != "forced"
        if cheap_allowed and self._covers("cheap") and (cheap := holding(self._shared.catalog.route("cheap"))):
            return replace(decision, tier="cheap", reason="budget", candidates=cheap)
        worst = dict(self._offers)[decision.tier]
        if await self._top_up(worst - self._reserved, 0):
            self._fits = 0
            return decision
        self._refused = True
        raise budget_exceeded(no_room(self._states, worst, self._reserved, self._shared.clock.time()))

    def attempt_check(self, trace: CallTrace) -> Callable[[Candidate], Awaitable[bool]] | None:
        """Asked before each retry and fallback: whether its worst case fits, topping up. None: nothing is bounded."""
        if not self.bounded:
            return None

        async def fits(candidate: Candidate) -> bool:
            bound, attempts = self._bound(candidate.model), self._bounded(trace.attempts)
            aside_cost, aside_tokens = self._aside
            cost = max(0, cost_of(attempts) + bound.cost - (self._reserved - aside_cost))
            tokens = max(0, tokens_of(attempts) + bound.tokens - (self._reserved_tokens - aside_tokens))
            return not (cost or tokens) or await self._top_up(cost, tokens)

        return fits

    async def set_aside(self, candidate: Candidate) -> bool:
        """Whether one call of this model fits beside others that may be under way; its worst case is topped up."""
        if not self.bounded:
            return True
        bound = self._bound(candidate.model)
        if not await self._top_up(bound.cost, bound.tokens):
            return False
        self._aside = (self._aside[0] + bound.cost, self._aside[1] + bound.tokens)
        return True

    def output_caps(self, models: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Parameters to send to each model where something is reserved: a cap on its output, and none above its own."""
        if not self.bounded:
            return {}
        settings = self._shared.settings
        default = settings.budgets.default_max_output_tokens
        largest = self._shared.largest_output
        asked = {**self._request.params, **self._request.extra}
        return {name: dict(sent_caps(settings.model(name), largest(name), default, asked)) for name in models}

    def settlement(self, trace: CallTrace, *, key: bytes | None, store: NewEntry | None) -> Settlement:
        """What the gate is given when the call is over: the real cost, or the worst case where no usage came."""
        if not self.bounded:
            return Settlement(key=key, lease=self.lease, store=store)
        attempts = self._bounded(trace.paid)
        for attempt, bound in attempts:
            if above_bound(attempt, bound):
                self._shared.warn_above(attempt.model)
        return Settlement(
            key=key,
            lease=self.lease,
            store=store,
            cost=cost_of(attempts),
            tokens=tokens_of(attempts),
            refused=self._refused,
            budgets=self._budgets,
        )

    def most(self, model: str) -> int:
        """The most tokens that this request uses at this model; of one that sets no cap, with the default one."""
        return self._bound(model).tokens

    def used(self, attempt: Attempt) -> int:
        """How many tokens this attempt counts."""
        return tokens_of([(attempt, self._bound(attempt.model))])

    def covered_model(self, tier: Tier) -> str:
        """The model whose first call is covered where this tier is: the preferred one."""
        selection = self._selection
        return selection.candidates[0] if selection.tier == tier else self._shared.settings.tier_models(tier)[0]

    def _price_tiers(self) -> tuple[tuple[ServedTier, int], ...]:
        forced = self._selection.tier
        tiers: tuple[Tier, ...] = ("expensive", "cheap") if forced is None else (forced,)
        offers = ((tier, self._bound(self.covered_model(tier)).cost) for tier in tiers)
        return tuple(sorted(offers, key=lambda offer: -offer[1]))

    def _bound(self, model: str) -> CostBound:
        """The worst case of this request at this model, computed once."""
        bound = self._bounds.get(model)
        if bound is None:
            bound = self._bounds[model] = self._make_bound(model, self._shared.price(model) if self._budgets else None)
        return bound

    def _make_bound(self, model: str, price: Price | None) -> CostBound:
        settings = self._shared.settings
        if self._size is None:
            self._size = prompt_size(self._request.messages, self._request.params, self._request.extra)
        return cost_bound(
            settings.model(model),
            price,
            self._size,
            self._request.params,
            self._request.extra,
            settings.budgets.default_max_output_tokens,
            self._shared.largest_output(model),
        )

    def _bounded(self, attempts: Sequence[Attempt]) -> list[tuple[Attempt, CostBound]]:
        return [(attempt, self._bound(attempt.model)) for attempt in attempts]

    def _covers(self, tier: Tier) -> bool:
        return not self._budgets or tier in (offer[0] for offer in self._offers[self._fits :])

    async def _top_up(self, cost: int, tokens: int) -> bool:
        if not await self._shared.gate.top_up(self.lease, cost, tokens):
            return False
        self._reserved += cost
        self._reserved_tokens += tokens
        return True
