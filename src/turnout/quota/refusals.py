"""The errors that a caller gets whom a limit or a budget refuses. Pure. They say whose budget it is and when to come
back; the amounts of a budget stay with the app."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.errors import BudgetExceeded, RateLimitExceeded, ServedError
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateRefused

# While reservations are out that may be given back.
RESERVED_RETRY_S = 1.0
_WHOSE = {"user": "of this user", "endpoint": "of this endpoint", "total": "of this app"}


def refusal_error(verdict: RateRefused | BudgetRefused) -> ServedError:
    """The error that a caller gets for this verdict: a 429."""
    return rate_exceeded(verdict) if isinstance(verdict, RateRefused) else budget_exceeded(verdict)


def rate_exceeded(refused: RateRefused) -> RateLimitExceeded:
    claim = refused.claim
    per = f"{claim.limit} {claim.unit} in {claim.window_s} s per {claim.policy}"
    if claim.unit == "calls":
        text = f"{claim.limit} calls of this user are in progress, and no more may be at once"
    elif claim.amount > claim.limit:
        text = f"this request may use {claim.amount} tokens, and the limit is {per}: lower max_tokens or send less"
    elif claim.unit == "tokens":
        text = f"this request may use {claim.amount} tokens, and so many are not left of {per}"
    else:
        text = f"too many requests: at most {per}"
    return RateLimitExceeded(text, retry_after_s=refused.retry_after_s)


def budget_exceeded(refused: BudgetRefused) -> BudgetExceeded:
    whose = _WHOSE.get(refused.claim.policy, refused.claim.policy)
    return BudgetExceeded(
        f"the budget {whose} has no room for what this request may cost; come back later, or lower max_tokens",
        retry_after_s=refused.retry_after_s,
    )


def no_room(states: Sequence[BudgetState], worst: int, reserved: int, now: float) -> BudgetRefused:
    """That this worst case does not fit where `reserved` of ours is held already: the budget with least room."""
    state = min(states, key=lambda one: one.claim.limit - one.spent - one.reserved)
    others = state.reserved - reserved
    if others > 0 and state.spent + worst <= state.claim.limit:
        return BudgetRefused(claim=state.claim, retry_after_s=RESERVED_RETRY_S)
    return BudgetRefused(claim=state.claim, retry_after_s=max(RESERVED_RETRY_S, _turn(state.claim, state.end) - now))


def _turn(claim: BudgetClaim, end: float) -> float:
    return end + (claim.rolling_s or 0)
