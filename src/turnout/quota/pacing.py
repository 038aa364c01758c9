"""Pacing: the bar for the expensive tier rises as spend runs ahead of time, so that a budget lasts. Pure.

The pacing factor is the part of the routing target that still holds for the expensive tier: 1 all of it, 0 none. It
makes a share s the share factor * s, and a threshold t, as a score is a rank, the threshold 1 - factor * (1 - t), which
is never below t (routing/router.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from turnout.ports.limits import BudgetState

# The pacing factor falls from 1 to 0 while what is left of the budget falls from as much as time allows to this
# much of it. What remains then is for the cheap tier.
FLOOR = 0.5
# Of a rolling budget, which has no end to last until: the part of it from which on the bar rises.
ROLLING = 0.75


def pacing_factor(states: Iterable[BudgetState], now: float) -> float:
    """In [0, 1], the least of any budget. now: seconds since 1970."""
    return min((_factor(state, now) for state in states), default=1.0)


def _factor(state: BudgetState, now: float) -> float:
    left = 1.0 - state.spent / state.claim.limit
    pace = left / (1.0 - _elapsed(state, now))
    return max(0.0, min(1.0, (pace - FLOOR) / (1.0 - FLOOR)))


def _elapsed(state: BudgetState, now: float) -> float:
    """The part of the window that is over, below 1."""
    if state.claim.rolling_s is not None:
        return ROLLING
    length = state.end - state.start
    return max(0.0, min(0.999999, (now - state.start) / length)) if length > 0 else 0.0
