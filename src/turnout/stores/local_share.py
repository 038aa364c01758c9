"""This process' share of limits and budgets, among the workers, while Redis is unreachable. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from turnout.ports.admission import Ask, Entry
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim, RateRefused, RateState

State = TypeVar("State")

# Accounts whose state is kept. One takes about 600 bytes.
MAX_ACCOUNTS = 10_000


class LastStates:
    """The last state that Redis returned of each limit and budget; the least recently returned is forgotten first."""

    def __init__(self, max_accounts: int = MAX_ACCOUNTS) -> None:
        self._max_accounts = max_accounts
        self._rates: OrderedDict[tuple[object, ...], RateState] = OrderedDict()
        self._budgets: OrderedDict[tuple[object, ...], BudgetState] = OrderedDict()

    def record(self, entry: Entry) -> None:
        for rate in entry.rates:
            c = rate.claim
            self._put(self._rates, (c.policy, c.key, c.unit, c.window_s, c.limit), rate)
        for budget in entry.budgets:
            self._put(self._budgets, _budget_account(budget.claim), budget)

    def knows(self, claims: Sequence[BudgetClaim]) -> bool:
        """Returns whether Redis has reported how each of these budgets stands."""
        return all(_budget_account(claim) in self._budgets for claim in claims)

    def _put(self, states: OrderedDict[tuple[object, ...], State], account: tuple[object, ...], state: State) -> None:
        states[account] = state
        states.move_to_end(account)
        if len(states) > self._max_accounts:
            states.popitem(last=False)

    @property
    def rates(self) -> tuple[RateState, ...]:
        return tuple(self._rates.values())

    @property
    def budgets(self) -> tuple[BudgetState, ...]:
        return tuple(self._budgets.values())

    def remaining(self, claim: BudgetClaim, now: float) -> int:
        """Returns what remained of this budget by its last state, in nano-USD; all of it in a new window, nothing
        where Redis was never asked for it: others may have spent it."""
        state = self._budgets.get(_budget_account(claim))
        if state is None:
            return 0
        if state.end + (claim.rolling_s or 0) <= now:
            return claim.limit
        return max(0, claim.limit - state.spent - state.reserved)


def _budget_account(claim: BudgetClaim) -> tuple[object, ...]:
    return (claim.policy, claim.key, claim.limit, claim.rolling_s, _calendar(claim))


def _calendar(claim: BudgetClaim) -> str:
    """Returns which calendar the claim's windows follow, the same in every window."""
    if not claim.windows:
        return ""
    days = (claim.windows[0][1] - claim.windows[0][0]) / 86400
    return "day" if days < 2 else "week" if days < 10 else "month"


def local_ask(ask: Ask, workers: int, last_states: LastStates, now: float, *, budgets: bool) -> Ask:
    """Returns the Ask with this process' share of each limit, at least what one request takes, and of what remained
    of each budget; without budgets where they are not kept locally (`budgets` is False)."""
    rates = tuple(replace(c, limit=max(c.limit // workers, c.amount, 1)) for c in ask.rates)
    if not budgets:
        return replace(ask, rates=rates, budgets=(), worst=())
    shares = tuple(replace(c, limit=last_states.remaining(c, now) // workers) for c in ask.budgets)
    return replace(ask, rates=rates, budgets=shares)


def with_claims_of(ask: Ask, local: Ask, entry: Entry) -> Entry:
    """Returns the entry for the local Ask with the claims of the Ask that it was made from."""
    rates: Mapping[int, RateClaim] = {id(s): c for s, c in zip(local.rates, ask.rates, strict=True)}
    budgets: Mapping[int, BudgetClaim] = {id(s): c for s, c in zip(local.budgets, ask.budgets, strict=False)}
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
