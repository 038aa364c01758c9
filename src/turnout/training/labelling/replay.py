"""Labels prompts: both tiers asked at a controlled rate within a budget, the answers judged, each row kept at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from turnout.ports import Clock
from turnout.pricing import FREE
from turnout.settings import Rate
from turnout.training.bad_rows import NAMED
from turnout.training.labelling.judges import Judge
from turnout.training.labelling.labelled_file import LabelledFile
from turnout.training.labelling.models import Answer, Models, RowFailed
from turnout.training.labelling.plan import Asking
from turnout.training.labelling.prompts import Prompt
from turnout.training.labelling.purse import Purse, PurseEmpty

# This many rows failing one after another is a wrong key or a wrong name, not bad luck.
HOPELESS = 20


class Pace:
    """Evenly spaced turns: no more than the rate in any of its windows, and no burst at the beginning."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._spacing = rate.window_s / rate.limit
        self._clock = clock
        self._next = clock.monotonic()

    async def turn(self) -> None:
        now = self._clock.monotonic()
        at = max(now, self._next)
        self._next = at + self._spacing
        if at > now:
            await self._clock.sleep(at - now)


@dataclass(slots=True)
class Labelled:
    """How far it has come. stopped: why it ended before the rows did; cut: answers that ran into the limit."""

    labelled: int = 0
    failed: int = 0
    cut: int = 0
    failures: list[str] = field(default_factory=list)
    stopped: str = ""
    failed_in_a_row: int = 0

    def fail(self, where: str, reason: str) -> None:
        self.failed += 1
        self.failed_in_a_row += 1
        if len(self.failures) < NAMED:
            self.failures.append(f"{where}: {reason}")


class Replay:
    """One run over prompts. `told` is read at any time, also after an interruption."""

    def __init__(
        self,
        *,
        asking: Asking,
        models: Models,
        judge: Judge,
        file: LabelledFile,
        purse: Purse,
        pace: Pace,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._asking = asking
        self._models = models
        self._judge = judge
        self._file = file
        self._purse = purse
        self._pace = pace
        self._progress = progress
        self.told = Labelled()

    async def run(self, prompts: Iterator[Prompt], *, concurrency: int) -> None:
        """Labels until the prompts, the budget or all hope ends. Raises LogError where the file fails."""
        workers = [asyncio.ensure_future(self._work(prompts)) for _ in range(concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self._file.close()

    async def _work(self, prompts: Iterator[Prompt]) -> None:
        for prompt in prompts:
            if self.told.stopped:
                return
            await self._row(prompt)
            self._progress(self.told.labelled + self.told.failed)
            if self.told.failed_in_a_row >= HOPELESS and not self.told.stopped:
                self.told.stopped = f"{HOPELESS} rows failed one after another"

    async def _row(self, prompt: Prompt) -> None:
        worst = self._asking.worst(prompt, self._models, self._judge)
        if worst is None and self._purse.limit is not None:
            self.told.fail(prompt.where, "what it may cost cannot be bounded (images); left out under a budget")
            return
        held = worst or FREE
        try:
            await self._purse.hold(held)
        except PurseEmpty:
            self.told.stopped = "the budget is used up: the next row's worst case does not fit"
            return
        bill = _Bill()
        try:
            row = await self._labelled(prompt, bill)
        except RowFailed as error:
            bill.usd += error.spent_usd
            self.told.fail(prompt.where, str(error))
        else:
            self._file.append(row)
            self.told.labelled += 1
            self.told.failed_in_a_row = 0
        # Not after an interruption: nobody knows what a call under way will cost, so its worst case stays held.
        await self._purse.settle(held, bill.usd)

    async def _labelled(self, prompt: Prompt, bill: _Bill) -> dict[str, Any]:
        cheap = await self._answer(self._asking.cheap, prompt, bill)
        dear = await self._answer(self._asking.expensive, prompt, bill)
        for _ in range(self._judge.calls):
            await self._pace.turn()
        verdict = await self._judge.judge(prompt, cheap.text, dear.text)
        bill.usd += verdict.spent_usd
        self.told.cut += cheap.cut or dear.cut
        told = prompt.prompt
        return {
            "id": prompt.id,
            "prompt": told if isinstance(told, str) else None,
            "messages": None if isinstance(told, str) else [dict(message) for message in told],
            "cheap_quality": verdict.cheap,
            "expensive_quality": verdict.expensive,
            "cheap_usd": _float(cheap.cost_usd),
            "expensive_usd": _float(dear.cost_usd),
            "group": prompt.group,
            "cheap_answer": cheap.text,
            "expensive_answer": dear.text,
        }

    async def _answer(self, model: str, prompt: Prompt, bill: _Bill) -> Answer:
        await self._pace.turn()
        answer = await self._models.ask(model, prompt.messages, self._asking.max_tokens)
        bill.usd += answer.spent_usd
        return answer


@dataclass(slots=True)
class _Bill:
    usd: Decimal = FREE


def _float(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)
