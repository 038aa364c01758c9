"""What one request claims: its share of the limits and budgets, and what is reserved for it. A value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from turnout.errors import ServedError
from turnout.ports.admission import Ask, Entry, Lead
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim, RateRefused
from turnout.quota.cost_bounds import CostBound
from turnout.quota.rate_headers import Pairs, rate_headers
from turnout.quota.refusals import budget_exceeded, rate_exceeded
from turnout.quota.token_bounds import Size
from turnout.records import Tier


@dataclass(slots=True, kw_only=True)
class Reservation:
    """One request's. offers: the tiers that it may be served by, each with its worst case, dearest first."""

    rates: tuple[RateClaim, ...] = ()
    budgets: tuple[BudgetClaim, ...] = ()
    offers: tuple[tuple[Tier, int], ...] = ()
    size: Size = field(default_factory=partial(Size, 0))
    lease: str = ""
    fits: int = 0
    reserved: int = 0
    states: tuple[BudgetState, ...] = ()
    headers: Pairs = ()
    worst: dict[str, CostBound] = field(default_factory=dict)
    refused: bool = False

    @property
    def bounded(self) -> bool:
        """Whether money or tokens are reserved: the call's output is capped then."""
        return bool(self.budgets) or any(claim.unit == "tokens" for claim in self.rates)

    def affords(self, tier: Tier) -> bool:
        """Whether this tier's worst case is reserved."""
        return not self.budgets or tier in (offer[0] for offer in self.offers[self.fits :])

    def on(self, ask: Ask) -> Ask:
        """The Ask with what this bill claims."""
        if not self.rates and not self.budgets:
            return ask
        worst = tuple(amount for _, amount in self.offers)
        return replace(ask, rates=self.rates, budgets=self.budgets, worst=worst)

    def again(self, ask: Ask) -> Ask:
        """The Ask where the request itself is counted already: its tokens and its worst case are not."""
        return replace(self.on(ask), rates=tuple(claim for claim in self.rates if claim.unit == "tokens"))

    def entered(self, entry: Entry) -> None:
        """Takes what the gate told."""
        verdict = entry.verdict
        self.states = entry.budgets
        # Of an Ask made again, which does not hold all limits, the headers stay as they were.
        if len(entry.rates) == len(self.rates):
            self.headers = rate_headers(entry.rates, verdict if isinstance(verdict, RateRefused) else None)
        if isinstance(verdict, Lead):
            self.lease, self.fits = verdict.lease, verdict.fits
            self.reserved = self.offers[verdict.fits][1] if self.budgets else 0


def refusal(verdict: RateRefused | BudgetRefused) -> ServedError:
    """What the caller is told of this verdict."""
    return rate_exceeded(verdict) if isinstance(verdict, RateRefused) else budget_exceeded(verdict)
