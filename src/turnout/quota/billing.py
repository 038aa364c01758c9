"""What attempts are billed: one rule for the app's budgets, its token limits and the labelling budget. Pure.

An attempt whose usage the provider reported costs that usage. One that no model saw costs nothing. One that was refused
for its content costs its prompt. One whose caller left a stream costs what can have been written of it, where that is
known. Any other may have produced an answer that never arrived, and costs its worst case.
"""

from __future__ import annotations

from collections.abc import Iterable

from turnout.pricing import nano
from turnout.quota.cost_bounds import CostBound
from turnout.records import Attempt

# Kinds of errors before any model saw the request: our key or name was wrong, no room, or no connection.
_NEVER_SEEN = frozenset({"rate_limited", "misconfigured", "not_connected"})
# Refused for its content: some providers bill the reading of it (Azure does), none an answer.
_READ_ONLY = frozenset({"caller_fault"})


def billed(attempt: Attempt, bound: CostBound) -> tuple[int, int]:
    """What one attempt is billed, as (nano-USD, tokens). Usage that we estimated is no reported usage."""
    if attempt.usage is not None and not attempt.usage.estimated:
        return nano(attempt.cost_usd), attempt.usage.total_tokens
    if not attempt.sent or attempt.error in _NEVER_SEEN:
        return 0, 0
    if attempt.error in _READ_ONLY:
        return bound.prompt_cost, bound.prompt_tokens
    if attempt.written is not None and attempt.written < bound.output_tokens:
        output_cost = -(-(bound.cost - bound.prompt_cost) * attempt.written // bound.output_tokens)
        return bound.prompt_cost + output_cost, bound.prompt_tokens + attempt.written
    return bound.cost, bound.tokens


def above_bound(attempt: Attempt, bound: CostBound) -> bool:
    """Whether an attempt is billed more than its bound: its provider counts what no bound foresees."""
    cost, tokens = billed(attempt, bound)
    return cost > bound.cost or tokens > bound.tokens


def cost_of(attempts: Iterable[tuple[Attempt, CostBound]]) -> int:
    """What attempts are billed together, in nano-USD, each within its own bound."""
    return sum(billed(attempt, bound)[0] for attempt, bound in attempts)


def tokens_of(attempts: Iterable[tuple[Attempt, CostBound]]) -> int:
    """How many tokens attempts are billed together, by the same rule."""
    return sum(billed(attempt, bound)[1] for attempt, bound in attempts)
