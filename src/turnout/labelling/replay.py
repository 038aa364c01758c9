"""Labels prompts: both tiers asked at a controlled rate within a budget, the answers judged, each row kept at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from turnout.labelling.budget import LabelBudgetSpent
from turnout.labelling.dispatcher import BUDGET_SPENT, Dispatcher, PutAside, Sheet
from turnout.labelling.journal import Journal
from turnout.labelling.judges import Judge
from turnout.labelling.labelled_file import LabelledFile
from turnout.labelling.models import AskFailed, ModelRefused
from turnout.labelling.plan import Asking, unbounded
from turnout.labelling.prompts import Prompt
from turnout.labelling.throttle import Ended
from turnout.logs.bad_rows import NAMED
from turnout.pricing import FREE

# This many rows failing one after another is a wrong check or a wrong judge, not bad luck. Rows that failed in earlier
# runs too say nothing more once a row of this run was labelled.
HOPELESS = 20


@dataclass(slots=True)
class Labelled:
    """How far it has come.

    cut: answers that ran into the limit. spent: USD; uncertain: what calls that were broken off may cost besides.
    ended: why it ended before the rows did, in one word: budget, outage, refused or failures; stopped: in words.
    """

    labelled: int = 0
    failed: int = 0
    cut: int = 0
    failures: list[str] = field(default_factory=list)
    spent: Decimal = FREE
    uncertain: Decimal = FREE
    ended: str = ""
    stopped: str = ""
    failed_in_a_row: int = 0

    def fail(self, where: str, reason: str, before: int) -> None:
        """before: how often the row failed in earlier runs."""
        self.failed += 1
        self.failed_in_a_row += not (before and self.labelled)
        if len(self.failures) < NAMED:
            self.failures.append(f"{where}: {reason}")


class Replay:
    """One run over prompts. `told` is read at any time, also after an interruption."""

    def __init__(
        self,
        *,
        asking: Asking,
        judge: Judge,
        desk: Dispatcher,
        file: LabelledFile,
        journal: Journal,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._asking = asking
        self._judge = judge
        self._desk = desk
        self._file = file
        self._journal = journal
        self._progress = progress
        # Rows that were put aside, with what their sheet knew of the models.
        self._again: list[tuple[Prompt, dict[str, int]]] = []
        self.told = Labelled()

    async def run(self, prompts: Iterator[Prompt], *, concurrency: int) -> None:
        """Labels until the prompts, the budget, all patience or all hope ends. Raises LogError where a file fails."""
        await self._all((Sheet(prompt, {}) for prompt in prompts), concurrency)
        again, self._again = self._again, []
        await self._all((Sheet(prompt, {}, before=before, last=True) for prompt, before in again), concurrency)

    async def _all(self, sheets: Iterator[Sheet], concurrency: int) -> None:
        workers = [asyncio.ensure_future(self._work(sheets)) for _ in range(concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, sheets: Iterator[Sheet]) -> None:
        try:
            for sheet in sheets:
                if self.told.ended:
                    return
                await self._row(sheet)
                self._progress(self.told.labelled + self.told.failed)
                if self.told.failed_in_a_row >= HOPELESS:
                    self._end("failures", f"{HOPELESS} rows failed one after another")
        except asyncio.CancelledError:
            if not self._desk.sent_home():
                raise

    def _end(self, how: str, why: str) -> None:
        if not self.told.ended:
            self.told.ended, self.told.stopped = how, why
            self._desk.send_home()

    async def _row(self, sheet: Sheet) -> None:
        budget = self._desk.budget
        if budget.limit is not None and unbounded(sheet.prompt):
            return
        try:
            await self._let_in(sheet)
        except Ended as ended:
            self._end(ended.how, str(ended))
        except PutAside:
            return
        if self.told.ended:
            return
        await self._settled(sheet)
        await budget.settle(sheet.held, sheet.spent)

    async def _let_in(self, sheet: Sheet) -> None:
        """Returns when the row can be paid for, and nobody whom it needs is known to be out: or its first answers
        would be bought for nothing. Raises Ended, and PutAside where the work has ended meanwhile."""
        sheet.bought = self._journal.bought(sheet.prompt.digest)
        missing = self._asking.missing(sheet.prompt, self._judge, sheet.bought)
        worst = self._asking.worst(sheet.prompt, self._desk.models, self._judge, missing) or FREE
        await self._desk.open(*missing.tiers, *(self._judge.models if missing.verdicts else ()))
        try:
            with self._desk.idle():
                await self._desk.budget.hold(worst)
        except LabelBudgetSpent:
            raise Ended("budget", BUDGET_SPENT) from None
        sheet.held = sheet.rest = worst

    async def _settled(self, sheet: Sheet) -> None:
        """Labels the row, or notes why not. What it asked and bought stands in the journal already."""
        try:
            self._file.append(await self._labelled(sheet))
        except PutAside:
            self._again.append((sheet.prompt, sheet.before))
        except Ended as ended:
            self._end(ended.how, str(ended))
        except ModelRefused as refused:
            self._end("refused", str(refused))
        except AskFailed as failed:
            self._failed(sheet, str(failed))
        else:
            self.told.labelled += 1
            self.told.failed_in_a_row = 0
        finally:
            # Interrupted, or a file that cannot be written: it counts all the same.
            self.told.spent += sheet.spent
            self.told.uncertain += sheet.under_way

    def _failed(self, sheet: Sheet, why: str) -> None:
        row = sheet.prompt.digest
        self.told.fail(sheet.prompt.where, why, self._journal.failures[row])
        # A judge that said nothing readable is to be asked anew, the tiers are not.
        self._journal.record_failure(row, why, self._asking.questions(sheet.prompt))

    async def _labelled(self, sheet: Sheet) -> dict[str, Any]:
        prompt, most = sheet.prompt, self._asking.max_tokens
        ask = partial(self._desk.ask, sheet)
        cheap = await ask(self._asking.cheap, prompt.messages, most)
        dear = await ask(self._asking.expensive, prompt.messages, most)
        verdict = await self._judge.judge(prompt, cheap.text, dear.text, ask)
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


def _float(answer_usd: Decimal | None) -> float | None:
    return None if answer_usd is None else float(answer_usd)
