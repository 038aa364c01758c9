"""What this worker may spend of each budget by itself while Redis cannot be asked: set aside for it there. Pure.

It is never more than what Redis holds set aside (redis/lua/functions/allowances.lua), so that those of all workers,
with what is spent and reserved, never exceed a budget: only a reply of Redis raises it, and it is lowered here first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from turnout.ports.limits import BudgetClaim, BudgetState
from turnout.stores.outage_book import Report

# Accounts whose allowance is kept; of more, the least recently told are given back. One that Redis does not take back
# is kept until there are twice as many.
MAX_ACCOUNTS = 10_000


@dataclass(slots=True)
class _Allowance:
    """amount: nano-USD. version: of the grant that it is part of. until: monotonic seconds."""

    amount: int
    version: int
    until: float


class Allowances:
    """By the name of the account. frozen: this worker spent something that Redis was not told of, so nothing that Redis
    replies raises them, and none is given back."""

    def __init__(self, max_accounts: int = MAX_ACCOUNTS) -> None:
        self.frozen = False
        self._max_accounts = max_accounts
        self._held: OrderedDict[str, _Allowance] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def record(self, states: Sequence[BudgetState], granted: Sequence[Sequence[str]], sent_at: float) -> None:
        """Notes what Redis set aside of each of these budgets: (nano-USD, version, milliseconds for which it may be
        used). sent_at: when it was asked, monotonic seconds. An older grant than the one known raises nothing."""
        if self.frozen:
            return
        for state, (amount, version, left_ms) in zip(states, granted, strict=False):
            name, until = _name_of_state(state), sent_at + int(left_ms) / 1000
            known = self._held.get(name)
            if known is None or int(version) > known.version:
                self._held[name] = _Allowance(int(amount), int(version), until)
            elif int(version) == known.version:
                known.until = max(known.until, until)
            self._held.move_to_end(name)
            if len(self._held) > 2 * self._max_accounts:
                self._held.popitem(last=False)

    @property
    def excess(self) -> list[str]:
        """The names of those that are to be given back, because too many accounts are kept."""
        return list(islice(self._held, max(0, len(self._held) - self._max_accounts)))

    def amount(self, claim: BudgetClaim, now: float, at: float) -> int:
        """Returns what may be spent of this budget, in nano-USD. now: seconds since 1970; at: monotonic seconds."""
        for window in _windows(claim):
            if window is None or window[0] <= now < window[1]:
                held = self._held.get(account_name(claim, window))
                return held.amount if held is not None and at < held.until else 0
        return 0

    def subtract(self, report: Report) -> None:
        """Lowers them by what is about to be booked in Redis."""
        for claim, window, amounts in report.budgets:
            self._lower(account_name(claim, window), sum(amount for _, amount in amounts))
        for _, call in report.calls:
            for claim in call.budgets:
                # In whichever window Redis will reserve it.
                for window in _windows(claim):
                    self._lower(account_name(claim, window), call.cost)

    def _lower(self, name: str, amount: int) -> None:
        if (held := self._held.get(name)) is not None:
            held.amount = max(0, held.amount - amount)

    def give_up(self, names: Iterable[str] | None = None) -> list[tuple[str, int]]:
        """Uses these no longer (None: all), and returns their names and versions for Redis."""
        if self.frozen:
            return []
        given = []
        for name in list(self._held) if names is None else names:
            if (held := self._held.get(name)) is not None:
                held.amount = 0
                given.append((name, held.version))
        return given

    def forget(self, given: Iterable[tuple[str, int]]) -> None:
        """Redis took these back; not before: it may have granted them again meanwhile, and is asked for them."""
        for name, version in given:
            if (held := self._held.get(name)) is not None and held.version == version:
                del self._held[name]

    def clear(self) -> None:
        """Redis lost what it had set aside."""
        self._held.clear()


def account_name(claim: BudgetClaim, window: tuple[int, int] | None) -> str:
    """Returns the name of the claim's account in Redis, after the root. window: None of a rolling budget."""
    if window is None:
        return f"b:r{claim.rolling_s}:{claim.key}"
    return f"b:{window[0]}-{window[1]}:{claim.key}"


def _name_of_state(state: BudgetState) -> str:
    window = None if state.claim.rolling_s is not None else (round(state.start), round(state.end))
    return account_name(state.claim, window)


def _windows(claim: BudgetClaim) -> tuple[tuple[int, int] | None, ...]:
    return (None,) if claim.rolling_s is not None else claim.windows
