"""A whole run by a clock of our own: the rate, the budget, all hope, and going home when the work ends."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from turnout.labelling.budget import LabelBudget
from turnout.labelling.dispatcher import Dispatcher
from turnout.labelling.journal import Journal
from turnout.labelling.judges import CheckJudge, RowCheck
from turnout.labelling.labelled_file import LabelledFile
from turnout.labelling.models import Answer, AskFailed, ModelRefused, Outage
from turnout.labelling.plan import Asking
from turnout.labelling.prompts import Prompt
from turnout.labelling.replay import HOPELESS, Replay, RunResult
from turnout.labelling.throttle import Patience, Throttle
from turnout.openai.messages import Message
from turnout.settings import Rate
from turnout.testing import ManualClock

CENT = Decimal("0.01")
ASKING = Asking(cheap="cheap", expensive="dear", max_tokens=9)
# From a model and a prompt's text: how many seconds the answer takes, or what comes instead of it after one.
Says = Callable[[str, str], float | AskFailed]


class _Models:
    """Each call takes as long as `says` tells, may cost a dime and costs a cent; tells when which was made."""

    def __init__(self, clock: ManualClock, says: Says) -> None:
        self._clock = clock
        self._says = says
        self.calls: list[tuple[float, str, str]] = []

    async def ask(self, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        text = str(messages[0]["content"])
        self.calls.append((self._clock.monotonic(), model, text))
        actual = self._says(model, text)
        await self._clock.sleep(1.0 if isinstance(actual, AskFailed) else actual)
        if isinstance(actual, AskFailed):
            raise actual
        return Answer(text="yes", spent_usd=CENT)

    def wait_s(self, model: str) -> float:
        return 0.0

    def worst(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        return 10 * CENT

    likely = worst


class _Run:
    """One run over so many prompts, "0" and on; began, seconds: when it began and how long it took."""

    def __init__(
        self,
        folder: Path,
        says: Says = lambda model, text: 0.0,
        *,
        rate: str = "1000/second",
        limit: Decimal | None = None,
        check: RowCheck = lambda prompt, answer, row: True,
    ) -> None:

        async def checked(prompt: object, answer: str, row: object) -> object:
            return check(prompt, answer, row)

        self.clock = ManualClock()
        self.models = _Models(self.clock, says)
        self.journal = Journal(folder / "out.jsonl")
        self.file = LabelledFile(folder / "out.jsonl", self.journal)
        self.dispatcher = Dispatcher(
            models=self.models,
            throttle=Throttle(Rate.parse(rate), self.clock),
            patience=Patience(self.clock),
            budget=LabelBudget(limit, self.journal.spent(self.file.done)),
            journal=self.journal,
        )
        self.replay = Replay(
            asking=ASKING, judge=CheckJudge(checked), dispatcher=self.dispatcher, file=self.file, journal=self.journal
        )  # fmt: skip

    def over(self, rows: int, *, concurrency: int) -> RunResult:
        prompts = iter([Prompt(where=f"f:{n + 1}", prompt=str(n)) for n in range(rows)])
        self.began = self.clock.monotonic()

        async def inside() -> None:
            running = asyncio.ensure_future(self.replay.run(prompts, concurrency=concurrency))
            for _ in range(1000):
                await self.clock.advance(max(0.0, (self.clock.next_at or 0.0) - self.clock.monotonic()))
                if running.done():
                    break
            else:
                raise AssertionError("somebody waits for ever")
            await running

        with self.journal:
            asyncio.run(inside())
        self.seconds = self.clock.monotonic() - self.began
        return self.replay.result


def test_every_call_takes_its_turn_of_the_rate_those_that_failed_too(tmp_path: Path) -> None:
    """Every other call fails: never are two closer than the rate allows, and every row is labelled."""
    turns = itertools.count()

    def says(model: str, text: str) -> float | AskFailed:
        return Outage(f"{model}: 500") if next(turns) % 2 else 0.0

    run = _Run(tmp_path, says, rate="2/second")
    assert (run.over(6, concurrency=6).labelled, run.replay.result.failed) == (6, 0)
    times = [time for time, _, _ in run.models.calls]
    assert len(times) > 20
    assert min(after - before for before, after in itertools.pairwise(times)) >= 0.499


def test_a_row_whose_call_fails_is_asked_again_so_often_and_no_more(tmp_path: Path) -> None:
    """Three times, and three times after the others; each of its questions anew."""

    def says(model: str, text: str) -> float | AskFailed:
        return Outage(f"{model}: 500") if (model, text) == ("dear", "1") else 0.0

    run = _Run(tmp_path, says)
    actual = run.over(4, concurrency=1)
    assert (actual.labelled, actual.failed) == (3, 1)
    assert [text for _, model, text in run.models.calls if model == "dear"].count("1") == 6
    assert [text for _, model, text in run.models.calls if model == "cheap"].count("1") == 1


def test_who_waits_is_sent_home_when_the_work_ends(tmp_path: Path) -> None:
    """A key is refused after a second; whoever waits for a turn in a minute does not wait for it."""
    run = _Run(tmp_path, lambda model, text: ModelRefused(f"{model} refuses us"), rate="1/minute")
    actual = run.over(4, concurrency=3)
    assert (actual.ended, actual.labelled, actual.failed) == ("refused", 0, 0)
    assert (len(run.models.calls), run.seconds) == (1, 1.0)


def test_who_has_a_call_under_way_ends_after_it_and_keeps_its_answer(tmp_path: Path) -> None:
    """It is paid for; the row's next call would only make the end later, or wait for ten minutes in an outage."""
    run = _Run(tmp_path, lambda model, text: 10.0 if text == "1" else ModelRefused(f"{model} refuses us"))
    actual = run.over(3, concurrency=2)
    assert (actual.ended, actual.labelled, actual.spent) == ("refused", 0, CENT)
    assert [(model, text) for _, model, text in run.models.calls] == [("cheap", "0"), ("cheap", "1")]
    assert run.seconds == pytest.approx(10.0, abs=0.1)
    row = Prompt(where="f:2", prompt="1").digest
    with Journal(tmp_path / "out.jsonl") as journal:
        assert len(journal.bought(row)) == 1


@pytest.mark.parametrize("good", [None, 19])
def test_twenty_rows_that_fail_one_after_another_end_all_hope(tmp_path: Path, good: int | None) -> None:
    """And no fewer: one that is labelled among them begins the count anew."""
    run = _Run(tmp_path, check=lambda prompt, answer, row: True if prompt == str(good) else None)
    actual = run.over(60, concurrency=1)
    assert (actual.ended, actual.stopped) == ("failures", "20 rows failed one after another")
    assert actual.failed == HOPELESS + (0 if good is None else good)


def test_rows_that_wait_for_the_budget_go_on_when_others_settle(tmp_path: Path) -> None:
    """Room for one row at its worst, and for all that they really cost."""
    run = _Run(tmp_path, lambda model, text: 1.0, limit=26 * CENT)
    actual = run.over(4, concurrency=4)
    assert (actual.labelled, actual.ended, actual.spent) == (4, "", 8 * CENT)
    assert run.dispatcher.budget.held == 0


def test_what_is_bought_is_not_held_again(tmp_path: Path) -> None:
    """A budget for the one answer that is missing is enough."""
    row = Prompt(where="f:1", prompt="0")
    with Journal(tmp_path / "out.jsonl") as journal:
        call, question = journal.begin_call(row.digest, CENT), ASKING.questions(row)[0]
        journal.record_answer(call, row.digest, question, Answer(text="yes", spent_usd=CENT))
    run = _Run(tmp_path, limit=11 * CENT)
    assert run.over(1, concurrency=1).labelled == 1
    assert [model for _, model, _ in run.models.calls] == ["dear"]
    with Journal(tmp_path / "out.jsonl") as journal:
        assert journal.spent({}) == 2 * CENT
