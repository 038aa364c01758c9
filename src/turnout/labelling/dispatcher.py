"""Sends the calls of all rows within the rate, the budget and the patience; waits out outages; records each call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from turnout.labelling.budget import LabelBudget
from turnout.labelling.journal import Bought, QuestionDigests
from turnout.labelling.models import Answer, AskFailed, LabellingModels, Outage, RowFailed
from turnout.labelling.prompts import Prompt, most_tokens
from turnout.labelling.throttle import RETRY_AFTER_S, Patience, RunEnded, Throttle
from turnout.openai.messages import Message
from turnout.pricing import FREE

# How often one question may fail for the provider's sake before another row is tried: it could be the row after all.
TRIES_PER_QUESTION = 3
BUDGET_SPENT = "the budget is spent"


class Deferred(Exception):
    """The row is to be tried again after the others; the message says why."""


@dataclass(slots=True)
class RowAttempt:
    """One attempt to label one row: what it holds, spent and bought.

    held: of the budget, in USD. spent: in this attempt. rest: the most that its open questions may cost. under_way: of
    that, the call being made. tries: failures in a row of the current question. bought: answers by the digest of their
    question, those of earlier attempts included. before: how often each model had answered when it first gave this row
    no answer. last: whether the row may not be deferred any more.
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
    """Sends the calls of all rows: one throttle, one patience, one budget, one journal."""

    def __init__(
        self, *, models: LabellingModels, throttle: Throttle, patience: Patience, budget: LabelBudget, journal: RunLog
    ) -> None:
        self.models = models
        self.budget = budget
        self._throttle = throttle
        self._patience = patience
        self._journal = journal
        self._over = False
        self._waiting: set[asyncio.Task[None]] = set()
        self._stopped: set[asyncio.Task[None]] = set()

    async def ask(self, attempt: RowAttempt, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        """The answer, or the one bought before. Raises RowFailed, ModelRefused, Deferred and RunEnded."""
        digest = attempt.questions.digest(model, messages, max_tokens)
        if digest in attempt.bought:
            return attempt.bought[digest]
        attempt.tries = 0
        while True:
            await self.open(model)
            with self.waiting():
                await self._throttle.turn()
            try:
                answer = await self._call(attempt, digest, model, messages, max_tokens)
            except Outage as outage:
                await self._wait_out(attempt, model, outage)
                continue
            attempt.bought[digest] = answer
            self._patience.answered(model)
            return answer

    async def _call(
        self, attempt: RowAttempt, question: str, model: str, messages: Sequence[Message], max_tokens: int
    ) -> Answer:
        """One call, held for and recorded before it begins: broken off, it stays in the journal at its worst."""
        worst = self._worst(model, messages, max_tokens)
        # A judge that is asked once more was not foreseen.
        self._cover(attempt, max(attempt.rest, worst))
        call = self._journal.begin_call(attempt.prompt.digest, worst)
        attempt.under_way = worst
        try:
            answer = await self.models.ask(model, messages, max_tokens)
        except AskFailed as failed:
            attempt.spent, attempt.under_way = attempt.spent + failed.spent_usd, FREE
            self._journal.end_call(call, failed.spent_usd)
            raise
        attempt.spent, attempt.rest, attempt.under_way = attempt.spent + answer.spent_usd, attempt.rest - worst, FREE
        self._journal.record_answer(call, attempt.prompt.digest, question, answer)
        return answer

    async def open(self, *models: str) -> None:
        """Returns when each of these models takes calls. Raises RunEnded."""
        while any(waits := [(self.models.wait_s(model), model) for model in models]):
            seconds, model = max(waits)
            if not seconds:
                return
            with self.waiting():
                await self._patience.wait(model, seconds)

    async def _wait_out(self, attempt: RowAttempt, model: str, outage: Outage) -> None:
        """Returns when the model may be asked once more for this row: never sooner than its circuit, and the
        throttle, let others ask."""
        if outage.called:
            attempt.tries += 1
            attempt.before.setdefault(model, self._patience.answers[model])
            self._patience.failed(model, str(outage))
        # What the failure cost was held for the answer: it is held anew, or later.
        self._cover(attempt, attempt.rest)
        if attempt.tries >= TRIES_PER_QUESTION:
            if not attempt.last:
                raise Deferred(str(outage))
            if self._patience.answers[model] > attempt.before.get(model, 0):
                raise RowFailed(f"{outage}, {attempt.tries} times here, while other rows were answered")
        with self.waiting():
            await self._patience.wait(model, max(RETRY_AFTER_S, outage.wait_s))

    def _cover(self, attempt: RowAttempt, rest: Decimal) -> None:
        """Holds what is missing for the rest. Raises Deferred or RunEnded where it does not fit."""
        attempt.rest = rest
        missing = max(FREE, attempt.spent + rest - attempt.held)
        if not self.budget.top_up(missing):
            raise RunEnded("budget", BUDGET_SPENT) if attempt.last else Deferred(BUDGET_SPENT)
        attempt.held += missing

    def _worst(self, model: str, messages: Sequence[Message], max_tokens: int) -> Decimal:
        return self.models.worst(model, most_tokens(messages) or 0, max_tokens) or FREE

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The block waits and has nothing under way: it may be ended at any time. Raises Deferred where it was."""
        if self._over:
            raise Deferred("the work has ended")
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            yield
        finally:
            self._waiting.discard(task)

    def stop_waiting(self) -> None:
        """Ends whoever waits; who has a call under way ends when it would wait next, so before its next call."""
        self._over = True
        for task in self._waiting - {asyncio.current_task()}:
            self._stopped.add(task)
            task.cancel()

    def was_stopped(self) -> bool:
        """Whether it was `stop_waiting` that ended this task."""
        return asyncio.current_task() in self._stopped
