"""This process' share of limits and budgets, among the workers, while Redis is unreachable. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from turnout.ports.admission import Ask, Entry
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim, RateRefused, RateState
from turnout.stores.outage_book import Report, put_newest

# Accounts whose state is kept. One takes about 600 bytes.
MAX_ACCOUNTS = 10_000


class LastStates:
    """The last state that Redis returned of each limit and budget; the least recently returned is forgotten first."""

    def __init__(self, max_accounts: int = MAX_ACCOUNTS) -> None:
        self._max_accounts = max_accounts
        self._rates: OrderedDict[tuple[object, ...], tuple[RateState, float]] = OrderedDict()
        self._budgets: OrderedDict[tuple[object, ...], BudgetState] = OrderedDict()

    def record(self, rates: Sequence[RateState], budgets: Sequence[BudgetState], at: float) -> None:
        """Notes what Redis returned. at: when, in monotonic seconds."""
        for rate in rates:
            if rate.claim.unit == "calls":
                # They are over when their leases are.
                continue
            put_newest(self._rates, _rate_account(rate.claim), (rate, at), self._max_accounts)
        for budget in budgets:
            put_newest(self._budgets, _budget_account(budget.claim), budget, self._max_accounts)

    def subtract(self, report: Report) -> None:
        """Notes what this process took by itself of what was left of limits: in the next outage it is gone."""
        for claim, amounts in report.rates:
            if (known := self._rates.get(_rate_account(claim))) is not None:
                left = max(0, known[0].remaining - sum(amount for _, amount in amounts))
                state = replace(known[0], remaining=left)
                put_newest(self._rates, _rate_account(claim), (state, report.at), self._max_accounts)

    @property
    def rates(self) -> tuple[RateState, ...]:
        return tuple(state for state, _ in self._rates.values())

    @property
    def budgets(self) -> tuple[BudgetState, ...]:
        return tuple(self._budgets.values())

    def remaining_rate(self, claim: RateClaim, at: float) -> int | None:
        """Returns what is left of this limit by its last state, at `at` in monotonic seconds: all of it once that
        state is a window old; None where Redis never reported it."""
        known = self._rates.get(_rate_account(claim))
        if known is None:
            return None
        return claim.limit if at - known[1] >= claim.window_s else known[0].remaining


def _rate_account(claim: RateClaim) -> tuple[object, ...]:
    return (claim.policy, claim.key, claim.unit, claim.window_s, claim.limit)


def _budget_account(claim: BudgetClaim) -> tuple[object, ...]:
    return (claim.policy, claim.key, claim.limit, claim.rolling_s, _calendar(claim))


def _calendar(claim: BudgetClaim) -> str:
    """Returns which calendar the claim's windows follow, the same in every window."""
    if not claim.windows:
        return ""
    days = (claim.windows[0][1] - claim.windows[0][0]) / 86400
    return "day" if days < 2 else "week" if days < 10 else "month"


def local_ask(ask: Ask, workers: int, last_states: LastStates, allowed: Sequence[int] | None, *, at: float) -> Ask:
    """Returns the Ask with this process' share of what was left of each limit, and what it may spend of each budget;
    without budgets where they are not kept locally. allowed: nano-USD, in the order of the budgets; None: nothing.
    at: monotonic seconds."""
    rates = tuple(replace(c, limit=_rate_share(c, workers, last_states.remaining_rate(c, at))) for c in ask.rates)
    if allowed is None:
        return replace(ask, rates=rates, budgets=(), worst=())
    budgets = tuple(replace(c, limit=amount) for c, amount in zip(ask.budgets, allowed, strict=True))
    return replace(ask, rates=rates, budgets=budgets)


def _rate_share(claim: RateClaim, workers: int, left: int | None) -> int:
    # Of a limit that nobody had reported, of a whole one or of calls in progress, every worker admits at least one.
    if left is None or left >= claim.limit:
        return max(claim.limit // workers, claim.amount, 1)
    return left // workers


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
