"""The run: the rate held, the budget never passed, and when it stops."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from turnout.errors import BudgetExceeded, ServedError, StoreUnavailable, UpstreamUnavailable
from turnout.labelling.budget import LabelBudget
from turnout.labelling.throttle import Throttle
from turnout.openai.requests import from_call
from turnout.pricing import FREE
from turnout.settings import Rate
from turnout.testing import ManualClock
from turnout.warming.journal import WarmJournal
from turnout.warming.prompts import WarmPrompt
from turnout.warming.run import Planned, PromptAccount, WarmResult, WarmRun

CENT = Decimal("0.01")


class Target:
    """Answers after two seconds, for half a cent; `fails` says which prompts end in which error. `retries`: calls made
    for each prompt, every one of which may cost the worst case."""

    def __init__(self, clock: ManualClock, fails: Callable[[int], ServedError | None], retries: int = 1) -> None:
        self.clock = clock
        self.fails = fails
        self.retries = retries
        self.at: list[float] = []
        self.most = FREE
        self.budget: LabelBudget | None = None

    async def ask(self, prompt: WarmPrompt, account: PromptAccount) -> object:
        from turnout.warming.run import Warmed

        self.at.append(self.clock.monotonic())
        number = len(self.at)
        await self.clock.sleep(2.0)
        covered = account.cover(CENT * self.retries)
        assert self.budget is not None
        self.most = max(self.most, self.budget.spent + self.budget.held)
        error = self.fails(number)
        if isinstance(error, StoreUnavailable):
            raise error
        return Warmed(usd=CENT / 2, stored=error is None and covered, error=error)


def _run(
    tmp_path: Path,
    prompts: int,
    *,
    rate: str = "20/second",
    budget: Decimal | None = None,
    fails: Callable[[int], ServedError | None] = lambda number: None,
    retries: int = 1,
) -> tuple[WarmResult, Target]:
    clock = ManualClock()
    target = Target(clock, fails, retries)
    request = from_call("q", stream=False, params={})
    plan = [
        Planned(prompt=WarmPrompt(where=f"p:{n}", request=request, user="u", endpoint="/"), key=str(n), worst=CENT)
        for n in range(prompts)
    ]

    async def all_of_it() -> WarmResult:
        target.budget = LabelBudget(budget)
        journal = WarmJournal(tmp_path / "p.warm")
        run = WarmRun(
            target=target,  # type: ignore[arg-type]
            throttle=Throttle(Rate.parse(rate), clock),
            budget=target.budget,
            journal=journal,
            clock=clock,
            concurrency=64,
        )
        running = asyncio.ensure_future(run.run(plan))
        await clock.run(running)
        journal.close(done=True)
        return await running

    return asyncio.run(all_of_it()), target


def test_a_thousand_prompts_at_twenty_a_second_take_fifty_seconds(tmp_path: Path) -> None:
    """Evenly spaced, no burst, though each answer takes two seconds."""
    result, target = _run(tmp_path, 1000)
    assert (result.warmed, result.ended) == (1000, "")
    assert [b - a for a, b in itertools.pairwise(target.at)] == pytest.approx([0.05] * 999)
    assert result.seconds == pytest.approx(999 * 0.05 + 2.0)


def test_the_budget_is_held_first_and_never_passed(tmp_path: Path) -> None:
    """Of 30 prompts at a cent at worst and half a cent in truth, a budget of ten cents makes nineteen."""
    result, target = _run(tmp_path, 30, budget=10 * CENT)
    assert (result.warmed, result.ended) == (19, "budget")
    assert result.usd == 19 * CENT / 2
    assert target.most <= 10 * CENT


def test_what_is_tried_again_is_held_too(tmp_path: Path) -> None:
    """Three tries of a cent each do not fit two cents: none is made beyond them."""
    result, target = _run(tmp_path, 5, budget=2 * CENT, retries=3)
    assert result.warmed == 0
    assert target.most <= 2 * CENT


def test_twenty_failures_in_a_row_end_it(tmp_path: Path) -> None:
    """Those under way are counted too; single failures among answers do not end it."""
    out = UpstreamUnavailable("out")
    result, _ = _run(tmp_path, 1000, rate="1/second", fails=lambda number: out if number > 10 else None)
    assert (result.warmed, result.ended) == (10, "failures")
    assert 20 <= result.failed <= 23
    result, _ = _run(tmp_path, 100, rate="1/second", fails=lambda number: out if number % 3 else None)
    assert (result.warmed, result.failed, result.ended) == (33, 67, "")
    assert len(result.failures) == 20


def test_the_app_s_own_budget_ends_it(tmp_path: Path) -> None:
    """Nobody asks on where the app has no money left."""
    result, _ = _run(tmp_path, 100, rate="1/second", fails=lambda number: BudgetExceeded("no"))
    assert (result.ended, result.failed <= 4) == ("app_budget", True)


def test_a_store_that_is_lost_ends_it_with_its_error(tmp_path: Path) -> None:
    """What cannot be stored is not asked for."""
    with pytest.raises(StoreUnavailable):
        _run(tmp_path, 100, rate="1/second", fails=lambda number: StoreUnavailable("Redis is gone"))
