"""What this process admitted and spent by itself while Redis was unreachable, until Redis is told. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from turnout.ports.admission import Ask
from turnout.ports.limits import BudgetClaim, RateClaim
from turnout.stores.batches import batched
from turnout.stores.memory.ledger import Ledger

# Accounts whose claims are kept; beyond it the least recently used is told nothing of.
MAX_ACCOUNTS = 10_000
# Accounts and calls in one report: one script, which must not hold Redis up.
BATCH = 100

AccountKey = tuple[object, ...]
# Amounts with the milliseconds since each was added.
Amounts = tuple[tuple[int, int], ...]
Value = TypeVar("Value")


@dataclass(slots=True)
class OpenCall:
    """A call under way that the process admitted by itself: what it reserves, to be settled under a lease of Redis."""

    rates: tuple[RateClaim, ...]
    budgets: tuple[BudgetClaim, ...]
    cost: int
    tokens: int
    lease_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one script books in Redis. name: told twice it is booked once. at: when it was written, monotonic seconds.

    rates: claims and what was taken of them. budgets: claims, the calendar window (None: rolling) and what was spent.
    calls: those under way, by their lease in Redis.
    """

    name: str
    at: float
    rates: tuple[tuple[RateClaim, Amounts], ...] = ()
    budgets: tuple[tuple[BudgetClaim, tuple[int, int] | None, Amounts], ...] = ()
    calls: tuple[tuple[str, OpenCall], ...] = ()


class OutageBook:
    """Notes which accounts were used and which calls are under way; the amounts stand in the local ledger."""

    def __init__(self, max_accounts: int = MAX_ACCOUNTS) -> None:
        self._max_accounts = max_accounts
        self._rates: OrderedDict[AccountKey, RateClaim] = OrderedDict()
        self._budgets: OrderedDict[AccountKey, BudgetClaim] = OrderedDict()
        self._calls: dict[str, OpenCall] = {}

    def __bool__(self) -> bool:
        return bool(self._rates or self._budgets or self._calls)

    def record(self, ask: Ask, lease: str | None, cost: int) -> None:
        """Notes what was admitted. lease: of the call that is made, None for a hit or a follower, which take requests
        alone; cost: what it reserves, in nano-USD."""
        for rate in ask.rates:
            if rate.unit == "requests" or (rate.unit == "tokens" and lease is not None):
                put_newest(self._rates, (rate.unit, rate.key, rate.window_s), rate, self._max_accounts)
        if lease is None:
            return
        for budget in ask.budgets:
            put_newest(self._budgets, (budget.key, budget.rolling_s, budget.windows), budget, self._max_accounts)
        reserved = tuple(rate for rate in ask.rates if rate.unit != "requests")
        if reserved or ask.budgets:
            amount = max((rate.amount for rate in reserved if rate.unit == "tokens"), default=0)
            self._calls[lease] = OpenCall(reserved, ask.budgets, cost, amount, ask.lease_s)

    def top_up(self, lease: str, cost: int, tokens: int) -> None:
        if (call := self._calls.get(lease)) is not None:
            call.cost += cost
            call.tokens += tokens

    def settle(self, lease: str) -> None:
        """The call is over: what it used stands in the ledger."""
        self._calls.pop(lease, None)

    def close(self, ledger: Ledger, now: float, new_name: Callable[[], str]) -> tuple[list[Report], dict[str, str]]:
        """Returns the reports of all that was noted, and the leases in Redis of calls under way, by their local ones.
        The book is empty afterwards. new_name: makes the names of reports and leases."""
        now_ms = round(now * 1000)
        rates = [(claim, ledger.rate_amounts(claim, now_ms)) for claim in self._rates.values()]
        budgets = [
            (claim, window, amounts)
            for claim in self._budgets.values()
            for window, amounts in ledger.budget_amounts(claim, now_ms)
        ]
        leases = {local: new_name() for local in self._calls}
        calls = [(leases[local], call) for local, call in self._calls.items()]
        self._rates.clear()
        self._budgets.clear()
        self._calls = {}
        reports = [
            *(Report(name=new_name(), at=now, rates=batch) for batch in batched((r for r in rates if r[1]), BATCH)),
            *(Report(name=new_name(), at=now, budgets=batch) for batch in batched((b for b in budgets if b[2]), BATCH)),
            *(Report(name=new_name(), at=now, calls=batch) for batch in batched(calls, BATCH)),
        ]
        return reports, leases


def put_newest(items: OrderedDict[AccountKey, Value], account: AccountKey, item: Value, most: int) -> None:
    """Keeps the item as the newest; beyond `most` the oldest is forgotten."""
    items[account] = item
    items.move_to_end(account)
    if len(items) > most:
        items.popitem(last=False)
