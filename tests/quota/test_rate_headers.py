"""The headers of the rate limits, as the IETF's draft writes them."""

from __future__ import annotations

from turnout.ports.limits import RateClaim, RateRefused, RateState
from turnout.quota.rate_headers import rate_headers

USER = RateClaim(policy="user", key="u", limit=60, window_s=60)
TOKENS = RateClaim(policy="user", key="u", limit=1000, window_s=3600, unit="tokens", amount=50)


def test_all_that_apply_are_told() -> None:
    """Limits, remainders and times; tokens by a unit of our own; names apart."""
    states = [RateState(claim=USER, remaining=59, reset_s=59.2), RateState(claim=TOKENS, remaining=950, reset_s=0)]
    assert dict(rate_headers(states)) == {
        "ratelimit-policy": '"user";q=60;w=60, "user-tokens-3600s";q=1000;w=3600;qu="turnout-tokens"',
        "ratelimit": '"user";r=59;t=60, "user-tokens-3600s";r=950;t=0',
    }
    assert rate_headers([]) == ()


def test_a_refusal_tells_the_time_of_retry_after() -> None:
    """Both headers agree on when to come back."""
    states = [RateState(claim=USER, remaining=0, reset_s=3.0)]
    refused = RateRefused(claim=USER, retry_after_s=12.3)
    assert dict(rate_headers(states, refused))["ratelimit"] == '"user";r=0;t=13'
