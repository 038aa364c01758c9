"""When the state of a budget calls for an alert. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from turnout.ports.limits import BudgetClaim, BudgetState

# Before so much of the window is over, or of the budget spent, a forecast is a guess.
LEAST_ELAPSED_SHARE = 0.05
LEAST_SPENT_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """share: of the budget that was reached; of a forecast 1. at: when it is, or will be, seconds since 1970.
    exhausted: what is left has no room for a call, and nothing is reserved that may be given back."""

    kind: Literal["spent", "forecast", "exhausted"]
    state: BudgetState
    share: float
    at: float

    @property
    def name(self) -> str:
        """What it is claimed by, once for all workers: once a window."""
        claim = self.state.claim
        window = f"r{claim.rolling_s}" if claim.rolling_s is not None else f"{self.state.start:.0f}"
        return f"alert:{claim.key}:{claim.limit}:{window}:{self.kind}:{self.share:g}"

    def lasts_s(self, now: float) -> float:
        """How many seconds pass before this alert may be sent again: until the budget's window ends."""
        rolling = self.state.claim.rolling_s
        return float(rolling) if rolling is not None else max(1.0, self.state.end - now)


def exhausted(states: Iterable[BudgetState], refusing: BudgetClaim, now: float) -> Iterator[BudgetAlert]:
    """What a refusal by this budget calls for: worst cases are held, so one that is used up stops short of 100 %."""
    for state in states:
        if state.claim == refusing and not state.reserved:
            yield BudgetAlert(kind="exhausted", state=state, share=1.0, at=now)


def due(states: Iterable[BudgetState], shares: Sequence[float], now: float) -> Iterator[BudgetAlert]:
    """The alerts that these states call for, sent before or not. Of several shares reached at once, the highest."""
    for state in states:
        used = state.spent / state.claim.limit
        reached = [share for share in shares if used >= share]
        if reached:
            yield BudgetAlert(kind="spent", state=state, share=max(reached), at=now)
        when = _exhausted(state, used, now)
        if when is not None:
            yield BudgetAlert(kind="forecast", state=state, share=1.0, at=when)


def _exhausted(state: BudgetState, used: float, now: float) -> float | None:
    """When the budget will be used up, going on as so far; None: not before its window ends, or not known."""
    length, passed = state.end - state.start, now - state.start
    if (
        state.claim.rolling_s is not None
        or length <= 0
        or passed < LEAST_ELAPSED_SHARE * length
        or not LEAST_SPENT_SHARE <= used < 1.0
    ):
        return None
    when = state.start + passed / used
    return when if when < state.end else None
