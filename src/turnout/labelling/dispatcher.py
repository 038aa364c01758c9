"""One row under way: what it bought and spent, and how it asks, waiting out whatever is not the row's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from turnout.labelling.budget import LabelBudget
from turnout.labelling.journal import Bought, QuestionDigests
from turnout.labelling.models import Answer, AskFailed, Models, Outage, RowFailed
from turnout.labelling.prompts import Prompt, most_tokens
from turnout.labelling.throttle import AGAIN_S, Ended, Pace, Patience
from turnout.openai.messages import Message
from turnout.pricing import FREE

# How often one question may fail for the provider's sake before another row is tried: it could be the row after all.
TRIES = 3
BUDGET_SPENT = "the budget is spent"


class PutAside(Exception):
    """The row is to be tried again after the others; the message says why."""


@dataclass(slots=True)
class Sheet:
    """One go at one row.

    held: of the budget. spent: in this go. rest: what all that is not answered yet may cost at most. under_way: of
    that, the call that is being made. tries: failures in a row of the question that is being asked.
    bought: answers by the digest of what was asked, those of earlier goes included. before: how often each model had
    answered when it first gave this row none. last: whether the row is not to be put aside any more.
    """

    prompt: Prompt
    bought: Bought
    held: Decimal = FREE
    spent: Decimal = FREE
    rest: Decimal = FREE
    under_way: Decimal = FREE
    tries: int = 0
    before: dict[str, int] = field(default_factory=dict)
    last: bool = False
    questions: QuestionDigests = field(default_factory=QuestionDigests)


class RunLog(Protocol):
    """Records each call of a row, by the row's digest, before it begins and when it has ended. USD."""

    def begin_call(self, row: str, worst: Decimal) -> int:
        """Returns the call's number."""
        ...

    def end_call(self, call: int, spent: Decimal) -> None:
        """The call ended without an answer."""
        ...

    def record_answer(self, call: int, row: str, question: str, answer: Answer) -> None: ...


class Dispatcher:
    """Where all rows ask: one pace, one patience, one budget, one journal of all calls."""

    def __init__(self, *, models: Models, pace: Pace, patience: Patience, budget: LabelBudget, journal: RunLog) -> None:
        self.models = models
        self.budget = budget
        self._pace = pace
        self._patience = patience
        self._journal = journal
        self._over = False
        self._idle: set[asyncio.Task[None]] = set()
        self._sent_home: set[asyncio.Task[None]] = set()

    async def ask(self, sheet: Sheet, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        """The answer, or the one bought before. Raises RowFailed, Refused, PutAside and Ended."""
        digest = sheet.questions.digest(model, messages, max_tokens)
        if digest in sheet.bought:
            return sheet.bought[digest]
        sheet.tries = 0
        while True:
            await self.open(model)
            with self.idle():
                await self._pace.turn()
            try:
                answer = await self._call(sheet, digest, model, messages, max_tokens)
            except Outage as outage:
                await self._sat_out(sheet, model, outage)
                continue
            sheet.bought[digest] = answer
            self._patience.answered(model)
            return answer

    async def _call(
        self, sheet: Sheet, question: str, model: str, messages: Sequence[Message], max_tokens: int
    ) -> Answer:
        """One call, held for and recorded before it begins: broken off, it stays in the journal at its worst."""
        worst = self._worst(model, messages, max_tokens)
        # A judge that is asked once more was not foreseen.
        self._cover(sheet, max(sheet.rest, worst))
        call = self._journal.begin_call(sheet.prompt.digest, worst)
        sheet.under_way = worst
        try:
            answer = await self.models.ask(model, messages, max_tokens)
        except AskFailed as failed:
            sheet.spent, sheet.under_way = sheet.spent + failed.spent_usd, FREE
            self._journal.end_call(call, failed.spent_usd)
            raise
        sheet.spent, sheet.rest, sheet.under_way = sheet.spent + answer.spent_usd, sheet.rest - worst, FREE
        self._journal.record_answer(call, sheet.prompt.digest, question, answer)
        return answer

    async def open(self, *models: str) -> None:
        """Returns when each of these models takes calls. Raises Ended."""
        while any(waits := [(self.models.wait_s(model), model) for model in models]):
            seconds, model = max(waits)
            if not seconds:
                return
            with self.idle():
                await self._patience.wait(model, seconds)

    async def _sat_out(self, sheet: Sheet, model: str, outage: Outage) -> None:
        """Returns when the model may be asked once more for this row: never sooner than its circuit, and the pace,
        let others ask."""
        if outage.asked:
            sheet.tries += 1
            sheet.before.setdefault(model, self._patience.answers[model])
            self._patience.failed(model, str(outage))
        # What the failure cost was held for the answer: it is held anew, or later.
        self._cover(sheet, sheet.rest)
        if sheet.tries >= TRIES:
            if not sheet.last:
                raise PutAside(str(outage))
            if self._patience.answers[model] > sheet.before.get(model, 0):
                raise RowFailed(f"{outage}, {sheet.tries} times here, while other rows were answered")
        with self.idle():
            await self._patience.wait(model, max(AGAIN_S, outage.wait_s))

    def _cover(self, sheet: Sheet, rest: Decimal) -> None:
        """Holds what is missing for the rest. Raises PutAside or Ended where it does not fit."""
        sheet.rest = rest
        missing = max(FREE, sheet.spent + rest - sheet.held)
        if not self.budget.top_up(missing):
            raise Ended("budget", BUDGET_SPENT) if sheet.last else PutAside(BUDGET_SPENT)
        sheet.held += missing

    def _worst(self, model: str, messages: Sequence[Message], max_tokens: int) -> Decimal:
        return self.models.worst(model, most_tokens(messages) or 0, max_tokens) or FREE

    @contextmanager
    def idle(self) -> Iterator[None]:
        """The block waits and has nothing under way: it may be ended at any time. Raises PutAside where it was."""
        if self._over:
            raise PutAside("the work has ended")
        task = asyncio.current_task()
        assert task is not None
        self._idle.add(task)
        try:
            yield
        finally:
            self._idle.discard(task)

    def send_home(self) -> None:
        """Ends whoever waits; who has a call under way ends when it would wait next, so before its next call."""
        self._over = True
        for task in self._idle - {asyncio.current_task()}:
            self._sent_home.add(task)
            task.cancel()

    def sent_home(self) -> bool:
        """Whether it was `send_home` that ended this task."""
        return asyncio.current_task() in self._sent_home
