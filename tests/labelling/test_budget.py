"""The budget: held and spent together never pass the limit, whatever the order."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import pytest

from turnout.labelling.budget import LabelBudget, LabelBudgetSpent
from turnout.pricing import FREE


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
