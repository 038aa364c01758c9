"""What a call may cost at the most, by whoever's cap applies."""

from __future__ import annotations

from decimal import Decimal

from turnout.pricing import Price
from turnout.quota.cost_bounds import cost_bound, default_cap
from turnout.quota.token_bounds import Size
from turnout.settings import Model

PRICE = Price(input=Decimal(1), output=Decimal(10))


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
