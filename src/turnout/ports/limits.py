"""Rate limits and budgets as a store sees them: what a request claims of each, its state, and a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class RateClaim:
    """What a request takes of one rate limit that applies to it: at most `limit` in any `window_s` seconds.

    policy: its name in headers (`user`, `endpoint`, `user-endpoint`). key: whose counter it is, never a raw
    credential; key, unit and window identify the counter. amount: 1 for requests; for tokens the most that this
    request can use, corrected when it has ended. Of unit `calls` the limit is of calls in progress: each takes one
    until it is settled, and `window_s` is 0.
    """

    policy: str
    key: str
    limit: int
    window_s: int
    unit: Literal["requests", "tokens", "calls"] = "requests"
    amount: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetClaim:
    """One budget that applies to a request. Money in nano-USD, whole numbers: exact in every store.

    policy: `user`, `endpoint` or `total`. key: whose budget. windows: of a calendar budget, the windows around
    now as (start, end), seconds since 1970, ascending: the store takes the one that contains its own time.
    rolling_s: of a rolling budget. Exactly one of the two is given.
    """

    policy: str
    key: str
    limit: int
    windows: tuple[tuple[int, int], ...] = ()
    rolling_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRefused:
    """A rate limit is used up; nothing was taken. retry_after_s: until the request would fit."""

    claim: RateClaim
    retry_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRefused:
    """No worst case fits this budget; nothing was taken, the rates were given back.

    retry_after_s: short while others' reservations may still be given back, else until the window ends.
    """

    claim: BudgetClaim
    retry_after_s: float


Refusal = RateRefused | BudgetRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """A rate limit after this request. reset_s: until `remaining` next grows."""

    claim: RateClaim
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget after this request, in nano-USD. start, end: its window, seconds since 1970; of a rolling
    budget the last `rolling_s` seconds, `end` is now. Both 0: no window contains the store's own time."""

    claim: BudgetClaim
    spent: int
    reserved: int
    start: float
    end: float
