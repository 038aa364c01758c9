"""Labels prompts: both tiers asked at a controlled rate within a budget, the answers judged, each row kept at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from turnout.labelling.budget import LabelBudgetSpent
from turnout.labelling.dispatcher import BUDGET_SPENT, Deferred, Dispatcher, RowAttempt
from turnout.labelling.journal import Journal
from turnout.labelling.judges import Judge
from turnout.labelling.labelled_file import LabelledFile
from turnout.labelling.models import Answer, AskFailed, ModelRefused
from turnout.labelling.plan import Asking, unbounded
from turnout.labelling.prompts import Prompt
from turnout.labelling.throttle import RunEnded
from turnout.logs.bad_rows import NAMED
from turnout.logs.example import SIDES
from turnout.pricing import FREE

# This many rows failing one after another is a wrong check or a wrong judge, not bad luck. Rows that failed in earlier
# runs too say nothing more once a row of this run was labelled.
HOPELESS = 20


@dataclass(slots=True)
class RunResult:
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
    """One run over prompts. `result` is read at any time, also after an interruption."""

    def __init__(
        self,
        *,
        asking: Asking,
        judge: Judge,
        dispatcher: Dispatcher,
        file: LabelledFile,
        journal: Journal,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._asking = asking
        self._judge = judge
        self._dispatcher = dispatcher
        self._file = file
        self._journal = journal
        self._progress = progress
        # Deferred rows, with how often each model had answered when it first failed them.
        self._again: list[tuple[Prompt, dict[str, int]]] = []
        self.result = RunResult()

    async def run(self, prompts: Iterator[Prompt], *, concurrency: int) -> None:
        """Labels until the prompts, the budget, all patience or all hope ends. Raises LogError where a file fails."""
        await self._all((RowAttempt(prompt, {}) for prompt in prompts), concurrency)
        again, self._again = self._again, []
        await self._all((RowAttempt(prompt, {}, before=before, last=True) for prompt, before in again), concurrency)

    async def _all(self, attempts: Iterator[RowAttempt], concurrency: int) -> None:
        workers = [asyncio.ensure_future(self._work(attempts)) for _ in range(concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, attempts: Iterator[RowAttempt]) -> None:
        try:
            for attempt in attempts:
                if self.result.ended:
                    return
                await self._row(attempt)
                self._progress(self.result.labelled + self.result.failed)
                if self.result.failed_in_a_row >= HOPELESS:
                    self._end("failures", f"{HOPELESS} rows failed one after another")
        except asyncio.CancelledError:
            if not self._dispatcher.was_stopped():
                raise

    def _end(self, how: str, why: str) -> None:
        if not self.result.ended:
            self.result.ended, self.result.stopped = how, why
            self._dispatcher.stop_waiting()

    async def _row(self, attempt: RowAttempt) -> None:
        budget = self._dispatcher.budget
        if budget.limit is not None and unbounded(attempt.prompt):
            return
        try:
            await self._admit(attempt)
        except RunEnded as ended:
            self._end(ended.how, str(ended))
        except Deferred:
            return
        if self.result.ended:
            return
        await self._label(attempt)
        await budget.settle(attempt.held, attempt.spent)

    async def _admit(self, attempt: RowAttempt) -> None:
        """Returns when the row can be paid for, and nobody whom it needs is known to be out: or its first answers
        would be bought for nothing. Raises RunEnded, and Deferred where the work has ended meanwhile."""
        known = self._asking.known(attempt.prompt)
        attempt.bought = {**known, **self._journal.bought(attempt.prompt.digest)}
        missing = self._asking.missing(attempt.prompt, self._judge, attempt.bought)
        worst = self._asking.worst(attempt.prompt, self._dispatcher.models, self._judge, missing) or FREE
        await self._dispatcher.open(*missing.tiers, *(self._judge.models if missing.judge_calls else ()))
        try:
            with self._dispatcher.waiting():
                await self._dispatcher.budget.hold(worst)
        except LabelBudgetSpent:
            raise RunEnded("budget", BUDGET_SPENT) from None
        attempt.held = attempt.rest = worst

    async def _label(self, attempt: RowAttempt) -> None:
        """Labels the row, or notes why not. What it asked and bought stands in the journal already."""
        try:
            self._file.append(await self._labelled(attempt))
        except Deferred:
            self._again.append((attempt.prompt, attempt.before))
        except RunEnded as ended:
            self._end(ended.how, str(ended))
        except ModelRefused as refused:
            self._end("refused", str(refused))
        except AskFailed as failed:
            self._failed(attempt, str(failed))
        else:
            self.result.labelled += 1
            self.result.failed_in_a_row = 0
        finally:
            # Interrupted, or a file that cannot be written: it counts all the same.
            self.result.spent += attempt.spent
            self.result.uncertain += attempt.under_way

    def _failed(self, attempt: RowAttempt, why: str) -> None:
        row = attempt.prompt.digest
        self.result.fail(attempt.prompt.where, why, self._journal.failures[row])
        # A judge that said nothing readable is to be asked anew, the tiers are not.
        self._journal.record_failure(row, why, self._asking.questions(attempt.prompt))

    async def _labelled(self, attempt: RowAttempt) -> dict[str, Any]:
        prompt = attempt.prompt
        ask = partial(self._dispatcher.ask, attempt)
        cheap = await self._answer(attempt, "cheap", self._asking.cheap)
        dear = await self._answer(attempt, "expensive", self._asking.expensive)
        known = [prompt.known_quality(side) for side in SIDES]
        texts = [answer.text if grade is None else None for answer, grade in zip((cheap, dear), known, strict=True)]
        grade = await self._judge.judge(prompt, texts[0], texts[1], ask)
        self.result.cut += cheap.cut or dear.cut
        if not self._journal.bought(prompt.digest):
            # All of it stood in the log: its cost is not of this file's budget.
            self._journal.end_call(self._journal.begin_call(prompt.digest, FREE), FREE)
        content = prompt.prompt
        return {
            "id": prompt.id,
            "prompt": content if isinstance(content, str) else None,
            "messages": None if isinstance(content, str) else [dict(message) for message in content],
            "cheap_quality": grade.cheap if known[0] is None else known[0],
            "expensive_quality": grade.expensive if known[1] is None else known[1],
            "cheap_usd": _float(cheap.cost_usd),
            "expensive_usd": _float(dear.cost_usd),
            "group": prompt.group,
            "cheap_answer": cheap.text,
            # Of an answer that stood in the log nobody knows whose it is.
            "cheap_model": self._asking.cheap if cheap.text and not prompt.known_answer("cheap") else None,
            "expensive_answer": dear.text,
        }

    async def _answer(self, attempt: RowAttempt, side: str, model: str) -> Answer:
        """This side's answer. One whose quality the log says is not asked for: "" where the log does not hold it."""
        prompt = attempt.prompt
        if prompt.known_quality(side) is not None:
            return prompt.known_answer(side) or Answer(text="", cost_usd=prompt.known_usd(side))
        return await self._dispatcher.ask(attempt, model, prompt.messages, self._asking.max_tokens)


def _float(answer_usd: Decimal | None) -> float | None:
    return None if answer_usd is None else float(answer_usd)
