"""What a call may cost, and what its attempts did: known usage as it is, unknown usage at the worst."""

from __future__ import annotations

from decimal import Decimal

from turnout.pricing import Price
from turnout.quota.cost_bounds import cost_bound, cost_of, default_cap, tokens_of
from turnout.quota.token_bounds import Size
from turnout.records import Attempt, Usage
from turnout.settings import Model

PRICE = Price(input=Decimal(1), output=Decimal(10))


def attempt(error: str | None = None, usage: Usage | None = None, cost: str = "0") -> Attempt:
    return Attempt(model="m", tier="cheap", duration_s=1, error=error, usage=usage, cost_usd=Decimal(cost))


def test_the_default_cap_is_sent_only_where_nobody_set_one() -> None:
    """Neither the caller nor the model's own parameters; never beyond what the model can say."""
    assert default_cap(Model(), 1024, {}) == 1024
    assert default_cap(Model(max_output_tokens=500), 1024, {}) == 500
    assert default_cap(Model(), 1024, {"max_completion_tokens": 7}) is None
    assert default_cap(Model(params={"max_tokens": 7}), 1024, {}) is None


def test_a_larger_cap_of_the_callers_is_reserved_whole() -> None:
    """Also beyond what the model is said to be able to."""
    worst = cost_bound(Model(max_output_tokens=500), PRICE, Size(100), {"max_tokens": 9000, "n": 2}, {}, 1024)
    assert (worst.prompt_tokens, worst.output_tokens) == (100, 18_000)
    assert worst.cost == 100 * 1000 + 18_000 * 10_000
    images = cost_bound(Model(max_image_tokens=300), PRICE, Size(100, images=2), {}, {}, 10)
    assert (images.prompt_tokens, images.output_tokens) == (700, 10)


def test_attempts_cost_what_they_told_and_the_worst_where_they_did_not() -> None:
    """A timeout may have been billed; a 429 was not; a 400 may have been read."""
    worst = cost_bound(Model(), PRICE, Size(100), {"max_tokens": 10}, {}, 1024)
    told = attempt(usage=Usage(prompt_tokens=5, completion_tokens=2), cost="0.000025")
    guessed = attempt(error="cancelled", usage=Usage(prompt_tokens=5, completion_tokens=2, estimated=True))
    for one, cost, tokens in [
        (told, 25_000, 7),
        (guessed, worst.cost, 110),
        (attempt("timeout"), worst.cost, 110),
        (attempt("rate_limited"), 0, 0),
        (attempt("misconfigured"), 0, 0),
        (attempt("caller_fault"), 100_000, 100),
    ]:
        assert cost_of([(one, worst)]) == cost
        assert tokens_of([(one, worst)]) == tokens
    assert cost_of([(told, worst), (attempt("timeout"), worst)]) == 25_000 + worst.cost
