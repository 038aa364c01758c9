"""How one row asks: outages are waited out, never bought twice, never beyond the budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from turnout.labelling.budget import LabelBudget
from turnout.labelling.dispatcher import Deferred, Dispatcher, RowAttempt
from turnout.labelling.journal import Journal
from turnout.labelling.judges import CheckJudge
from turnout.labelling.labelled_file import LabelledFile
from turnout.labelling.models import Answer, Outage, RowFailed
from turnout.labelling.plan import Asking
from turnout.labelling.prompts import Prompt
from turnout.labelling.replay import Replay
from turnout.labelling.throttle import Patience, RunEnded, Throttle
from turnout.openai.messages import Message
from turnout.settings import Rate
from turnout.testing import ManualClock

MESSAGES = ({"role": "user", "content": "q"},)
CENT = Decimal("0.01")


class _Models:
    """Answers, or raises, as its script says; every failure costs a cent, and asking costs at most one."""

    def __init__(self, *script: Exception | str, shut_s: float = 0.0) -> None:
        self.script = list(script)
        self.shut_s = shut_s
        self.asked = 0

    async def ask(self, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        self.asked += 1
        actual = self.script.pop(0)
        if isinstance(actual, Exception):
            raise actual
        return Answer(text=actual, spent_usd=CENT)

    def wait_s(self, model: str) -> float:
        waits, self.shut_s = self.shut_s, 0.0
        return waits

    def worst(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        return CENT

    likely = worst


class _Journal:
    """Counts what may be spent by calls that it was told to begin, and what was."""

    def __init__(self) -> None:
        self.begun: list[Decimal] = []
        self.ended: list[Decimal] = []

    def begin_call(self, row: str, worst: Decimal) -> int:
        self.begun.append(worst)
        return len(self.begun)

    def end_call(self, call: int, spent: Decimal) -> None:
        self.ended.append(spent)

    def record_answer(self, call: int, row: str, question: str, answer: Answer) -> None:
        self.ended.append(answer.spent_usd)


class _Place:
    def __init__(self, models: _Models, limit: Decimal | None = None, patience_s: float = 600) -> None:
        self.clock = ManualClock()
        self.began = self.clock.monotonic()
        self.patience = Patience(self.clock, patience_s)
        throttle = Throttle(Rate.parse("1000/second"), self.clock)
        self.journal = _Journal()
        self.dispatcher = Dispatcher(
            models=models, throttle=throttle, patience=self.patience, budget=LabelBudget(limit), journal=self.journal
        )  # fmt: skip

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        async def inside() -> Any:
            task = asyncio.ensure_future(work())
            await self.clock.run(task)
            return await task

        return asyncio.run(inside())

    def ask(self, attempt: RowAttempt) -> Any:
        return self.run(lambda: self.dispatcher.ask(attempt, "m", MESSAGES, 9))


def _attempt(*, last: bool = False, held: Decimal = CENT) -> RowAttempt:
    return RowAttempt(Prompt(where="f:1", prompt="q"), {}, held=held, rest=CENT, last=last)


def _out(wait_s: float = 0.0, *, called: bool = True) -> Outage:
    return Outage("m: 500", CENT if called else Decimal(0), called=called, wait_s=wait_s)


def test_a_model_that_is_out_is_asked_again_when_its_circuit_lets_it() -> None:
    """Neither earlier, nor counted against the row where it was not called at all."""
    models = _Models(_out(30.0), _out(30.0, called=False), _out(30.0, called=False), "yes", shut_s=20.0)
    place = _Place(models)
    attempt = _attempt()
    assert place.ask(attempt).text == "yes"
    assert place.clock.monotonic() - place.began == pytest.approx(20 + 3 * 30, abs=0.1)
    assert (attempt.tries, attempt.spent) == (1, 2 * CENT)
    assert (place.journal.begun, place.journal.ended) == ([CENT] * 4, [CENT, Decimal(0), Decimal(0), CENT])


def test_each_question_of_a_row_has_its_own_tries() -> None:
    """A provider that drops half of the calls puts no row aside: two failures, an answer, two more."""
    place = _Place(_Models(_out(), _out(), "one", _out(), _out(), "two"))
    attempt = _attempt()
    assert [place.ask(attempt).text for _ in range(2)] == ["one", "two"]


def test_what_was_bought_is_not_asked_again() -> None:
    """By its question, counted: the very same question asked twice in one go is two."""
    models = _Models("one", "two")
    place = _Place(models)
    attempt = _attempt()
    assert [place.ask(attempt).text for _ in range(2)] == ["one", "two"]
    again = RowAttempt(attempt.prompt, dict(attempt.bought))
    assert [place.ask(again).text for _ in range(2)] == ["one", "two"]
    assert (models.asked, again.spent) == (2, 0)


def test_a_row_that_fails_again_makes_room_for_others_first() -> None:
    """Then it is named as failed only if others were answered meanwhile; else it is the provider, and waited for."""
    place = _Place(_Models(_out(), _out(), _out()))
    first = _attempt()
    with pytest.raises(Deferred, match="m: 500"):
        place.ask(first)
    place.patience.answered("m")
    place.dispatcher.models = _Models(_out(), _out(), _out())
    last = RowAttempt(first.prompt, {}, before=first.before, last=True)
    with pytest.raises(RowFailed, match="3 times here, while other rows were answered"):
        place.ask(last)
    # Nobody was answered: it goes on for as long as the patience does.
    place = _Place(_Models(*[_out(30.0)] * 30))
    with pytest.raises(RunEnded, match="out for 10 minutes"):
        place.ask(_attempt(last=True))


def test_what_an_outage_costs_is_held_anew_before_it_is_asked_again() -> None:
    """Or the second try would not be covered; a row that no money is left for waits for the others to settle."""
    place = _Place(_Models(_out(), "yes"), limit=2 * CENT)
    attempt = _attempt()
    place.run(lambda: place.dispatcher.budget.hold(CENT))
    assert place.ask(attempt).text == "yes"
    assert (attempt.held, place.dispatcher.budget.held) == (2 * CENT, 2 * CENT)
    for last, ends in ((False, Deferred), (True, RunEnded)):
        models = _Models(_out(), "yes")
        place = _Place(models, limit=CENT)
        place.run(lambda: place.dispatcher.budget.hold(CENT))  # noqa: B023
        with pytest.raises(ends, match="the budget is spent"):
            place.ask(_attempt(last=last))
        assert models.asked == 1


def test_a_question_that_was_not_foreseen_is_held_before_it_is_asked() -> None:
    """As of a judge that is asked once more: where it does not fit, the row waits for others to settle."""
    models = _Models("one", "two")
    place = _Place(models, limit=CENT)
    attempt = _attempt()
    place.run(lambda: place.dispatcher.budget.hold(CENT))
    assert place.ask(attempt).text == "one"
    with pytest.raises(Deferred, match="the budget is spent"):
        place.ask(attempt)
    assert models.asked == 1


def test_who_waits_goes_home_when_the_work_ends_and_who_calls_does_not() -> None:
    """Ten minutes of patience must not be sat out by those who wait, nor a call be paid for and dropped."""
    place = _Place(_Models())
    ended: list[str] = []

    async def waits() -> None:
        try:
            with place.dispatcher.waiting():
                await place.clock.sleep(600)
        finally:
            ended.append(f"home: {place.dispatcher.was_stopped()}")

    async def calls() -> None:
        await place.clock.sleep(1)
        ended.append("called")

    async def both() -> None:
        tasks = [asyncio.ensure_future(work()) for work in (waits, calls)]
        await asyncio.sleep(0)
        place.dispatcher.stop_waiting()
        await asyncio.gather(*tasks, return_exceptions=True)

    place.run(both)
    assert ended == ["home: True", "called"]


class _Shut(_Models):
    """The expensive model's circuit is open until a time; tells when which model was asked."""

    def __init__(self, clock: ManualClock, until: float) -> None:
        super().__init__()
        self.clock = clock
        self.until = until
        self.log: list[tuple[str, float]] = []

    async def ask(self, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        self.log.append((model, self.clock.monotonic()))
        return Answer(text="yes")

    def wait_s(self, model: str) -> float:
        return max(0.0, self.until - self.clock.monotonic()) if model == "dear" else 0.0


def test_nothing_is_bought_for_a_row_while_the_other_tier_takes_no_calls(tmp_path: Path) -> None:
    """The cheap answer would have to wait, or be for nothing."""
    models = _Shut(ManualClock(), 0.0)
    place = _Place(models)
    models.clock, models.until = place.clock, place.began + 100
    journal = Journal(tmp_path / "out.jsonl")
    replay = Replay(
        asking=Asking(cheap="cheap", expensive="dear", max_tokens=9),
        judge=CheckJudge(lambda prompt, answer, row: True),
        dispatcher=place.dispatcher,
        file=LabelledFile(tmp_path / "out.jsonl", journal),
        journal=journal,
    )
    with journal:
        place.run(lambda: replay.run(iter([Prompt(where="f:1", prompt="q")]), concurrency=2))
    assert replay.result.labelled == 1
    assert [model for model, _ in models.log] == ["cheap", "dear"]
    assert models.log[0][1] >= place.began + 100
