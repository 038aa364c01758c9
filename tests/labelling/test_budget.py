"""The purse: held and spent together never pass the limit, whatever the order."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import pytest

from turnout.labelling.budget import LabelBudget, LabelBudgetSpent, billed, most_tokens
from turnout.pricing import FREE, Price
from turnout.records import Attempt, Usage


@pytest.mark.parametrize("seed", range(20))
def test_the_limit_holds_under_any_order(seed: int) -> None:
    """Forty calls at once of random worst cases and costs: all who can wait, none slips through."""
    rng = random.Random(seed)
    budget = LabelBudget(Decimal(10))
    most, ended = [FREE], []

    async def call() -> None:
        worst = Decimal(rng.randint(1, 300)) / 100
        try:
            await budget.hold(worst)
        except LabelBudgetSpent:
            ended.append(worst)
            return
        most.append(budget.spent + budget.held)
        for _ in range(rng.randint(0, 5)):
            await asyncio.sleep(0)
        await budget.settle(worst, worst * rng.choice((0, Decimal("0.5"), 1)))

    async def all_of_them() -> None:
        await asyncio.gather(*(call() for _ in range(40)))

    # Bounded: who waits for ever for others to settle is a failure, not a test that hangs.
    asyncio.run(asyncio.wait_for(all_of_them(), 10))
    assert max(most) <= 10
    assert budget.held == 0
    # Who was turned away did not fit, even when everybody else had settled.
    assert all(budget.spent + worst > 10 for worst in ended)


def test_an_attempt_that_told_no_usage_counts_at_its_worst_unless_it_was_refused() -> None:
    """A time-out may have been billed; an error status is not."""
    price = Price(input=Decimal(1), output=Decimal(2))

    def attempt(error: str | None, usage: Usage | None = None) -> Attempt:
        cost = price.cost(usage) if usage else FREE
        return Attempt(model="m", tier="cheap", duration_s=1, error=error, usage=usage, cost_usd=cost)

    worst = price.worst_case(100, 50)
    assert billed([attempt("timeout")], price, 100, 50) == worst
    assert billed([attempt("rate_limited"), attempt("provider_error")], price, 100, 50) == 0
    told = Usage(prompt_tokens=10, completion_tokens=5)
    assert billed([attempt("cancelled"), attempt(None, told)], price, 100, 50) == worst + price.cost(told)
    assert billed([attempt("timeout")], None, 100, 50) == 0


def test_no_tokenizer_makes_more_tokens_than_we_hold_for() -> None:
    """At least a token a byte and some a message; nobody can say for images."""
    assert (most_tokens([{"role": "user", "content": "é" * 100}]) or 0) >= 200
    image = {"type": "image_url", "image_url": {"url": "data:..."}}
    assert most_tokens([{"role": "user", "content": [image]}]) is None
