"""What attempts are billed: reported usage as it is, any other attempt by what the provider may have produced."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from turnout.pricing import FREE, Price
from turnout.quota.billing import billed, cost_of, tokens_of
from turnout.quota.cost_bounds import CostBound
from turnout.records import Attempt, Usage

PRICE = Price(input=Decimal(1), output=Decimal(10))
BOUND = CostBound.of(PRICE, 100, 10)
PROMPT, WORST, NOTHING = (100_000, 100), (200_000, 110), (0, 0)


def attempt(error: str | None = None, usage: Usage | None = None) -> Attempt:
    cost = PRICE.cost(usage) if usage else FREE
    return Attempt(model="m", tier="cheap", duration_s=1, error=error, usage=usage, cost_usd=cost)


@pytest.mark.parametrize("error", [None, "cancelled", "provider_error"])
def test_reported_usage_is_billed_as_it_is(error: str | None) -> None:
    """Whether or not the attempt failed in the end."""
    assert billed(attempt(error, Usage(prompt_tokens=5, completion_tokens=2)), BOUND) == (25_000, 7)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, WORST),
        ("timeout", WORST),
        ("connection", WORST),
        ("provider_error", WORST),
        ("malformed_reply", WORST),
        ("cancelled", WORST),
        ("internal_error", WORST),
        ("caller_fault", PROMPT),
        ("rate_limited", NOTHING),
        ("misconfigured", NOTHING),
        ("not_connected", NOTHING),
    ],
)
@pytest.mark.parametrize("usage", [None, Usage(prompt_tokens=5, completion_tokens=2, estimated=True)])
def test_without_reported_usage_an_attempt_is_billed_what_the_provider_may_have_done(
    error: str | None, expected: tuple[int, int], usage: Usage | None
) -> None:
    """Its worst case, its prompt where it was refused for its content, nothing where no model saw it."""
    assert billed(attempt(error, usage), BOUND) == expected


def test_who_leaves_a_stream_is_billed_what_can_have_been_written() -> None:
    """The share of the worst case that is the answer's, and never more than all of it."""
    left = replace(attempt("cancelled"), written=4)
    assert billed(left, BOUND) == (100_000 + 40_000, 104)
    assert billed(replace(left, written=10), BOUND) == WORST
    assert billed(replace(left, written=10**9), BOUND) == WORST
    assert billed(replace(left, sent=False), BOUND) == NOTHING


def test_attempts_add_up_each_within_its_own_bound() -> None:
    """In nano-USD and in tokens."""
    attempts = [(attempt("timeout"), BOUND), (attempt("timeout"), CostBound.of(PRICE, 1, 1))]
    assert cost_of(attempts) == 200_000 + 11_000
    assert tokens_of(attempts) == 112
