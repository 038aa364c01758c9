"""What is left of limits and budgets to one process when Redis cannot be asked: its share among the workers. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from turnout.ports.admission import Ask, Entry
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim, RateRefused, RateState

Told = TypeVar("Told")

# Accounts remembered. One takes about 600 bytes.
REMEMBERED = 10_000


class Remembered:
    """The last that Redis told of each limit and budget, the longest untold forgotten first."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._rates: OrderedDict[tuple[object, ...], RateState] = OrderedDict()
        self._budgets: OrderedDict[tuple[object, ...], BudgetState] = OrderedDict()

    def note(self, entry: Entry) -> None:
        for rate in entry.rates:
            _put(self._rates, rate_account(rate.claim), rate, self._most)
        for budget in entry.budgets:
            _put(self._budgets, budget_account(budget.claim), budget, self._most)

    @property
    def rates(self) -> tuple[RateState, ...]:
        return tuple(self._rates.values())

    @property
    def budgets(self) -> tuple[BudgetState, ...]:
        return tuple(self._budgets.values())

    def left(self, claim: BudgetClaim, now: float) -> int:
        """What was left of this budget when it was last told, in nano-USD."""
        told = self._budgets.get(budget_account(claim))
        if told is None or told.end <= now:
            return claim.limit
        return max(0, claim.limit - told.spent - told.reserved)


def rate_account(claim: RateClaim) -> tuple[object, ...]:
    return (claim.policy, claim.key, claim.unit, claim.window_s, claim.limit)


def budget_account(claim: BudgetClaim) -> tuple[object, ...]:
    return (claim.policy, claim.key, claim.limit, claim.rolling_s, claim.windows[:1])


def _put(kept: OrderedDict[tuple[object, ...], Told], account: tuple[object, ...], told: Told, most: int) -> None:
    kept[account] = told
    kept.move_to_end(account)
    if len(kept) > most:
        kept.popitem(last=False)


def local_ask(ask: Ask, workers: int, remembered: Remembered, now: float, *, budgets: bool) -> Ask:
    """The same request with this process' share of each limit, at least what one request takes; of each budget
    the share of what was left, or none where `budgets` are not kept locally."""
    return replace(
        ask,
        rates=tuple(replace(c, limit=max(c.limit // workers, c.amount, 1)) for c in ask.rates),
        budgets=tuple(replace(c, limit=remembered.left(c, now) // workers) for c in ask.budgets) if budgets else (),
        worst=ask.worst if budgets else (),
    )


def as_asked(ask: Ask, shared: Ask, entry: Entry) -> Entry:
    """The entry that a local ask had, in terms of the claims that were made."""
    rates: Mapping[int, RateClaim] = {id(s): c for s, c in zip(shared.rates, ask.rates, strict=True)}
    budgets: Mapping[int, BudgetClaim] = {id(s): c for s, c in zip(shared.budgets, ask.budgets, strict=False)}
    verdict = entry.verdict
    if isinstance(verdict, RateRefused):
        verdict = replace(verdict, claim=rates.get(id(verdict.claim), verdict.claim))
    elif isinstance(verdict, BudgetRefused):
        verdict = replace(verdict, claim=budgets.get(id(verdict.claim), verdict.claim))
    return replace(
        entry,
        verdict=verdict,
        rates=tuple(replace(s, claim=rates.get(id(s.claim), s.claim)) for s in entry.rates),
        budgets=tuple(replace(s, claim=budgets.get(id(s.claim), s.claim)) for s in entry.budgets),
    )
