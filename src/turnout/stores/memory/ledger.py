"""The ledger in memory: rate limits and budgets, exact within the process. In Redis: lua/functions/.

Times: `now` in milliseconds of the monotonic clock, which decides what has left a window and which lease is
over; `wall` in seconds since 1970, which decides the calendar window alone. So a wall clock that jumps changes
no rate limit; it opens another day's account, and finds today's unchanged when it comes back.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from turnout.ports.admission import Ask, Settlement
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim, RateRefused, RateState
from turnout.stores.memory.accounts import Account, Lease, LeasePart
from turnout.stores.memory.sliding_window import SlidingWindow, slot_ms

# How long a refused budget asks to wait while reservations are open that may be given back.
SHORT_WAIT_MS = 1000
# How many accounts each request checks for whether they can be forgotten.
SWEPT_ACCOUNTS = 2
# In how many parts what is in a sliding window is reported.
REPORTED_PARTS = 60


class Ledger:
    """All accounts and leases of one process. Nothing here awaits: each method is one atomic step."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[tuple[str | int, ...], Account] = OrderedDict()
        self._leases: dict[str, Lease] = {}
        self._ends: list[tuple[int, str]] = []

    def sweep(self, now: int) -> None:
        """Expires leases that were never given back, and forgets obsolete accounts."""
        while self._ends and self._ends[0][0] <= now:
            self._expire(heapq.heappop(self._ends)[1])
        for _ in range(min(SWEPT_ACCOUNTS, len(self._accounts))):
            key, account = self._accounts.popitem(last=False)
            if not account.is_obsolete(now):
                self._accounts[key] = account

    def _expire(self, name: str) -> None:
        lease = self._leases.get(name)
        if lease is None:
            return
        if lease.expired:
            del self._leases[name]
            return
        lease.expire()
        # Kept for as long again: a late settlement still corrects it.
        heapq.heappush(self._ends, (lease.ends + lease.length, name))

    def check_rates(self, claims: Iterable[RateClaim], now: int) -> RateRefused | None:
        """Returns the refusal with the longest wait, or None where every claim fits. Takes nothing."""
        refused: RateRefused | None = None
        for claim in claims:
            account = self._rate(claim, now)
            excess = account.used + claim.amount - claim.limit
            if excess > 0:
                wait = self._rate_wait(claim, account, now, excess) / 1000
                if refused is None or wait > refused.retry_after_s:
                    refused = RateRefused(claim=claim, retry_after_s=wait)
        return refused

    def _rate_wait(self, claim: RateClaim, account: Account, now: int, excess: int) -> int:
        if account.sliding is None:
            return SHORT_WAIT_MS
        if claim.amount > claim.limit:
            return claim.window_s * 1000
        if excess <= account.reserved:
            return SHORT_WAIT_MS
        return account.sliding.wait_ms(now, excess - account.reserved)

    def take_requests(self, claims: Iterable[RateClaim], now: int) -> list[LeasePart]:
        """Takes the requests that the claims name, and returns them as parts of a lease."""
        parts = []
        for claim in claims:
            if claim.unit == "requests":
                account, slot = self._rate(claim, now, keep=True), slot_ms(claim.limit, claim.window_s * 1000)
                stamp = account.spend(now, claim.amount, slot)
                parts.append(LeasePart("requests", account, claim.limit, claim.amount, slot, stamp))
        return parts

    def fit(self, claims: Sequence[BudgetClaim], worst: Sequence[int], now: int, wall: float) -> int | BudgetRefused:
        """Returns the index of the first of `worst`, dearest first, that fits every budget. Takes nothing."""
        if not claims:
            return 0
        accounts = [(claim, self._budget(claim, now, wall)) for claim in claims]
        for index, amount in enumerate(worst):
            if all(account is not None and account.used + amount <= claim.limit for claim, account in accounts):
                return index
        least = worst[-1]
        waits = [
            (_budget_wait(claim, account, least, now, wall), claim)
            for claim, account in accounts
            if account is None or account.used + least > claim.limit
        ]
        wait, claim = max(waits, key=lambda pair: pair[0])
        return BudgetRefused(claim=claim, retry_after_s=wait / 1000)

    def open_lease(self, name: str, ask: Ask, worst: int, now: int, wall: float) -> None:
        """Takes the requests of one call, and reserves its place, its tokens and its worst case."""
        if not ask.rates and not ask.budgets:
            return
        parts = self.take_requests(ask.rates, now)
        for claim in ask.rates:
            if claim.unit != "requests":
                slot = slot_ms(claim.limit, claim.window_s * 1000)
                account = self._rate(claim, now, keep=True)
                parts.append(LeasePart(claim.unit, account, claim.limit, claim.amount, slot))
        for budget in ask.budgets:
            spent_from = self._budget(budget, now, wall, keep=True)
            assert spent_from is not None
            slot = slot_ms(budget.limit, (budget.rolling_s or 0) * 1000)
            parts.append(LeasePart("usd", spent_from, budget.limit, worst, slot))
        for part in parts:
            if part.unit != "requests":
                part.account.reserved += part.amount
        length = round(ask.lease_s * 1000)
        self._leases[name] = Lease(now + length, length, parts)
        heapq.heappush(self._ends, (now + length, name))

    def settle(self, settlement: Settlement, now: int) -> None:
        lease = self._leases.pop(settlement.lease, None)
        if lease is not None:
            for part in lease.parts:
                part.account.touch(now)
            lease.settle(now, settlement.cost, settlement.tokens, refused=settlement.refused)

    def top_up(self, name: str, amount: int, tokens: int, now: int) -> bool:
        lease = self._leases.get(name)
        if lease is None:
            return False
        for part in lease.parts:
            part.account.touch(now)
        return lease.top_up(amount, tokens)

    def rate_states(self, claims: Iterable[RateClaim], now: int) -> tuple[RateState, ...]:
        states = []
        for claim in claims:
            account = self._rate(claim, now)
            states.append(
                RateState(
                    claim=claim,
                    remaining=max(0, claim.limit - account.used),
                    reset_s=account.sliding.next_ms(now) / 1000 if account.sliding is not None else 0,
                )
            )
        return tuple(states)

    def budget_states(self, claims: Iterable[BudgetClaim], now: int, wall: float) -> tuple[BudgetState, ...]:
        states = []
        for claim in claims:
            account = self._budget(claim, now, wall)
            start, end = budget_window(claim, wall) or (0, 0)
            spent, reserved = (account.spent, account.reserved) if account is not None else (0, 0)
            states.append(BudgetState(claim=claim, spent=spent, reserved=reserved, start=start, end=end))
        return tuple(states)

    def rate_amounts(self, claim: RateClaim, now: int) -> tuple[tuple[int, int], ...]:
        """Returns what was taken of this limit and is in its window, as (milliseconds ago, amount)."""
        sliding = self._rate(claim, now).sliding
        assert sliding is not None
        return sliding.amounts(now, REPORTED_PARTS)

    def budget_amounts(
        self, claim: BudgetClaim, now: int
    ) -> Iterable[tuple[tuple[int, int] | None, tuple[tuple[int, int], ...]]]:
        """Yields what was spent of this budget, by calendar window (None: rolling), as (milliseconds ago, amount)."""
        if claim.rolling_s is not None:
            account = self._accounts.get(("usd", claim.key, claim.rolling_s))
            if account is not None and account.sliding is not None:
                account.touch(now)
                yield None, account.sliding.amounts(now, REPORTED_PARTS)
        for window in claim.windows:
            account = self._accounts.get(("usd", claim.key, *window))
            if account is not None and account.spent:
                yield window, ((0, account.spent),)

    def _rate(self, claim: RateClaim, now: int, *, keep: bool = False) -> Account:
        window = claim.window_s * 1000
        key = (claim.unit, claim.key, claim.window_s)

        def make() -> Account:
            return Account(sliding=SlidingWindow(window) if window else None, keep_ms=2 * window)

        return self._account(key, now, make, keep)

    def _budget(self, claim: BudgetClaim, now: int, wall: float, *, keep: bool = False) -> Account | None:
        """Returns None where no window of the claim contains `wall`."""
        window = budget_window(claim, wall)
        if window is None:
            return None
        if claim.rolling_s is not None:
            length = claim.rolling_s * 1000
            key: tuple[str | int, ...] = ("usd", claim.key, claim.rolling_s)
            return self._account(key, now, lambda: Account(sliding=SlidingWindow(length), keep_ms=2 * length), keep)
        start, end = round(window[0]), round(window[1])
        return self._account(
            ("usd", claim.key, start, end), now, lambda: Account(sliding=None, keep_ms=(end - start) * 1000), keep
        )

    def _account(self, key: tuple[str | int, ...], now: int, make: Callable[[], Account], keep: bool) -> Account:
        """Returns the account. A new one is only kept where something is taken from it: whom a refused request names
        leaves nothing behind."""
        account = self._accounts.get(key)
        if account is None:
            account = make()
            if keep:
                self._accounts[key] = account
        account.touch(now)
        return account


def budget_window(claim: BudgetClaim, wall: float) -> tuple[float, float] | None:
    """Returns the claim's window that contains this time, or None."""
    if claim.rolling_s is not None:
        return wall - claim.rolling_s, wall
    return next(((start, end) for start, end in claim.windows if start <= wall < end), None)


def _budget_wait(claim: BudgetClaim, account: Account | None, amount: int, now: int, wall: float) -> float:
    """Returns in how many milliseconds this amount may fit."""
    window = budget_window(claim, wall)
    if account is None or window is None:
        return SHORT_WAIT_MS
    excess = account.used + amount - claim.limit
    if excess <= account.reserved and amount <= claim.limit:
        return SHORT_WAIT_MS
    if account.sliding is not None:
        return account.sliding.wait_ms(now, excess - account.reserved)
    return (window[1] - wall) * 1000
