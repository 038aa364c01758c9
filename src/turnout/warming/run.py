"""The run: prompt after prompt, evenly spaced, each one's worst case held before it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from turnout.errors import BudgetExceeded, BudgetUnavailable, ServedError, StoreUnavailable
from turnout.labelling.budget import LabelBudget, LabelBudgetSpent
from turnout.labelling.throttle import Throttle
from turnout.ports.runtime import Clock
from turnout.pricing import FREE
from turnout.warming.journal import WarmJournal
from turnout.warming.prompts import WarmPrompt

# Failures one after another, without an answer between them, after which nobody need ask on.
FAILURES_IN_A_ROW = 20
# Failures that are named; the rest is counted.
NAMED_FAILURES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A prompt whose answer is to be made. key: what it is stored by. worst: what its first call may cost in USD; None
    where nobody can say."""

    prompt: WarmPrompt
    key: str
    worst: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """What came of asking. usd: what it cost. stored: whether the answer will be found by the next who asks. fresh:
    whether it was there already. error: what it failed with."""

    usd: Decimal
    stored: bool = False
    fresh: bool = False
    error: ServedError | None = None


class PromptAccount:
    """What is held of the budget for one prompt. begun: what the calls that were made for it may cost in all."""

    def __init__(self, budget: LabelBudget, journal: WarmJournal, planned: Planned) -> None:
        self._budget = budget
        self._journal = journal
        self.held = planned.worst or FREE
        self._call = journal.begin(planned.key, self.held)
        self.begun = FREE
        self.refused = False

    def cover(self, worst: Decimal) -> bool:
        """Whether so many USD in all are held for this prompt; what is missing is held now, if the budget has room."""
        more = worst - self.held
        if more > 0 and self._budget.top_up(more):
            self.held = worst
            self._journal.raise_worst(self._call, worst)
        self.refused = self.refused or worst > self.held
        return worst <= self.held

    async def settle(self, usd: Decimal, unstored_at: float | None) -> None:
        self._journal.end(self._call, usd, unstored_at)
        await self._budget.settle(self.held, usd)


class WarmTarget(Protocol):
    """Whom the prompts are asked of."""

    async def ask(self, prompt: WarmPrompt, account: PromptAccount) -> Warmed:
        """Asks, and says what came of it. Raises StoreUnavailable where no answer can be stored any more."""
        ...


@dataclass(slots=True)
class WarmResult:
    """What came of a run. unstored: answers too long or broken off, paid for and not stored. ended: why it ended before
    all was asked, "" where it did not."""

    warmed: int = 0
    fresh: int = 0
    failed: int = 0
    unstored: int = 0
    usd: Decimal = FREE
    seconds: float = 0.0
    ended: str = ""
    failures: list[str] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return self.warmed + self.fresh + self.failed + self.unstored


class WarmRun:
    """Asks for all prompts of a plan. concurrency: how many at once. stopping: whether to hand out no more."""

    def __init__(
        self,
        *,
        target: WarmTarget,
        throttle: Throttle,
        budget: LabelBudget,
        journal: WarmJournal,
        clock: Clock,
        concurrency: int,
        progress: Callable[[int, int], None] = lambda done, total: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._target = target
        self._throttle = throttle
        self._budget = budget
        self._journal = journal
        self._clock = clock
        self._room = asyncio.Semaphore(concurrency)
        self._progress = progress
        self._stopping = stopping
        self._in_a_row = 0
        self._total = 0
        self.result = WarmResult()

    async def run(self, plan: Sequence[Planned]) -> WarmResult:
        """Returns when all were asked, or no more are to be and those under way are over. Raises StoreUnavailable."""
        began, self._total = self._clock.monotonic(), len(plan)
        tasks: set[asyncio.Task[None]] = set()
        try:
            for planned in plan:
                if not await self._may_ask(planned):
                    break
                task = asyncio.create_task(self._ask(planned, PromptAccount(self._budget, self._journal, planned)))
                tasks.add(task)
                task.add_done_callback(self._freed)
        finally:
            await asyncio.gather(*tasks, return_exceptions=True)
            self.result.seconds = self._clock.monotonic() - began
        for task in tasks:
            task.result()
        return self.result

    def _freed(self, task: asyncio.Task[None]) -> None:
        self._room.release()

    async def _may_ask(self, planned: Planned) -> bool:
        """Returns when it is this prompt's turn, its worst case held; or False: none is asked any more."""
        await self._room.acquire()
        try:
            await self._budget.hold(planned.worst or FREE)
        except LabelBudgetSpent:
            self.result.ended = self.result.ended or "budget"
            return False
        await self._throttle.turn()
        if self._stopping():
            self.result.ended = self.result.ended or "interrupted"
        if self.result.ended:
            await self._budget.settle(planned.worst or FREE, FREE)
        return not self.result.ended

    async def _ask(self, planned: Planned, account: PromptAccount) -> None:
        try:
            warmed = await self._target.ask(planned.prompt, account)
        except StoreUnavailable:
            self.result.ended = "store"
            raise
        unstored = warmed.error is None and not warmed.stored
        await account.settle(warmed.usd, self._clock.time() if unstored else None)
        self._count(planned, warmed, account)
        self._progress(self.result.asked, self._total)

    def _count(self, planned: Planned, warmed: Warmed, account: PromptAccount) -> None:
        result = self.result
        result.usd += warmed.usd
        if warmed.error is None:
            self._in_a_row = 0
            result.fresh += warmed.fresh
            result.unstored += not warmed.stored
            result.warmed += warmed.stored and not warmed.fresh
            return
        result.failed += 1
        self._in_a_row += 1
        if len(result.failures) < NAMED_FAILURES:
            result.failures.append(f"{planned.prompt.where}: {warmed.error}")
        if account.refused:
            result.ended = result.ended or "budget"
        elif isinstance(warmed.error, BudgetExceeded | BudgetUnavailable):
            result.ended = "app_budget"
        elif self._in_a_row >= FAILURES_IN_A_ROW:
            result.ended = "failures"
