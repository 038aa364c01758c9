"""What a call may cost at the most, by whoever's cap applies."""

from __future__ import annotations

from decimal import Decimal

from turnout.pricing import Price
from turnout.quota.cost_bounds import cost_bound, sent_caps
from turnout.quota.token_bounds import Size
from turnout.settings import Model

PRICE = Price(input=Decimal(1), output=Decimal(10))


def test_the_default_cap_is_sent_only_where_nobody_set_one() -> None:
    """Neither the caller nor the model's own parameters; never beyond what the model can say."""
    assert sent_caps(Model(), None, 1024, {}) == {"max_tokens": 1024}
    assert sent_caps(Model(), 500, 1024, {}) == {"max_tokens": 500}
    assert sent_caps(Model(), 500, 1024, {"max_completion_tokens": 7}) == {}
    assert sent_caps(Model(params={"max_tokens": 7}), None, 1024, {}) == {}


def test_the_service_tier_that_is_asked_for_counts_at_its_own_price() -> None:
    """The model's own parameter too; and no less than the usual price, at which it may be served all the same."""
    price = Price(
        input=Decimal(1), output=Decimal(1), service_tiers=(("priority", Price(input=Decimal(2), output=Decimal(3))),)
    )
    for tier, cost in (("priority", 100 * 2000 + 10 * 3000), ("flex", 110 * 1000)):
        model = Model(params={"service_tier": tier})
        assert cost_bound(model, price, Size(100), {"max_tokens": 10}, {}, 1024).cost == cost


def test_a_cap_above_what_the_model_can_write_is_lowered_and_reserved_as_lowered() -> None:
    """Of two caps each; where the model's own largest output is unknown, the caller's counts as it is."""
    both = {"max_tokens": 9000, "max_completion_tokens": 600}
    assert sent_caps(Model(), 500, 1024, both) == {"max_tokens": 500, "max_completion_tokens": 500}
    assert cost_bound(Model(), PRICE, Size(100), both, {}, 1024, 500).output_tokens == 500
    worst = cost_bound(Model(), PRICE, Size(100), {"max_tokens": 9000, "n": 2}, {}, 1024)
    assert (worst.prompt_tokens, worst.output_tokens) == (100, 18_000)
    assert worst.cost == 100 * 1000 + 18_000 * 10_000
    images = cost_bound(Model(max_image_tokens=300), PRICE, Size(100, images=2), {}, {}, 10)
    assert (images.prompt_tokens, images.output_tokens) == (700, 10)


def test_what_raises_a_calls_price_is_reserved_at_that_price() -> None:
    """An hour's prompt cache, sound and images where the prompt holds them; the answers that a provider's own parameter
    asks for."""
    price = Price(input=Decimal(1), output=Decimal(10), long_written=Decimal(3), audio=Decimal(5))
    capped = {"max_tokens": 10}
    for size, rate in (
        (Size(100), 1),
        (Size(100, long_written=True), 3),
        (Size(100, sound=True), 5),
        (Size(0, images=1), 5),
    ):
        bound = cost_bound(Model(max_image_tokens=100), price, size, capped, {}, 1024)
        assert (bound.prompt_cost, bound.cost) == (100 * rate * 1000, 100 * rate * 1000 + 10 * 10_000)
    assert cost_bound(Model(), price, Size(100), capped, {"best_of": 3}, 1024).output_tokens == 30
