"""`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) of the limits that apply. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from turnout.ports.limits import RateClaim, RateRefused, RateState

HeaderPairs = tuple[tuple[str, str], ...]

# Tokens are no registered quota unit, so the unit carries our name.
TOKENS_UNIT = "turnout-tokens"


def rate_headers(states: Sequence[RateState], refused: RateRefused | None = None) -> HeaderPairs:
    """Both headers; none where no limit applies. The limit that refused tells the time that Retry-After does. Calls in
    progress have no window, and do not stand in them."""
    states = [state for state in states if state.claim.unit != "calls"]
    if not states:
        return ()
    names = policy_names(state.claim for state in states)
    policies = (_policy(name, state.claim) for name, state in zip(names, states, strict=True))
    limits = (_limit(name, state, refused) for name, state in zip(names, states, strict=True))
    return (("ratelimit-policy", ", ".join(policies)), ("ratelimit", ", ".join(limits)))


def policy_names(claims: Iterable[RateClaim]) -> list[str]:
    """`user`, `endpoint`, `user-endpoint`; a second limit of the same policy adds its unit and window."""
    names: list[str] = []
    for claim in claims:
        name = claim.policy
        if name in names:
            name = f"{name}-{claim.unit}-{claim.window_s}s"
        names.append(name)
    return names


def _policy(name: str, claim: RateClaim) -> str:
    unit = f';qu="{TOKENS_UNIT}"' if claim.unit == "tokens" else ""
    return f'"{name}";q={claim.limit};w={claim.window_s}{unit}'


def _limit(name: str, state: RateState, refused: RateRefused | None) -> str:
    if refused is not None and state.claim == refused.claim:
        return f'"{name}";r={state.remaining};t={max(1, math.ceil(refused.retry_after_s))}'
    return f'"{name}";r={state.remaining};t={math.ceil(state.reset_s)}'
