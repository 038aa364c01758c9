"""The run of `turnout label`: everything put together, ended by a signal without losing a row, and what came of it."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from turnout.cli import log_input, progress

if TYPE_CHECKING:
    from decimal import Decimal

    from turnout.cli.label_models import TurnoutModels
    from turnout.labelling.journal import Journal
    from turnout.labelling.judges import Judge
    from turnout.labelling.labelled_file import LabelledFile
    from turnout.labelling.plan import Asking, Plan
    from turnout.labelling.prompts import Intake, Prompt
    from turnout.labelling.replay import Replay, RunResult


@dataclass(frozen=True, slots=True)
class Work:
    """All that a run needs. spent: USD of all earlier runs on the file."""

    asking: Asking
    models: TurnoutModels
    judge: Judge
    file: LabelledFile
    journal: Journal
    spent: Decimal


def prompts_of(args: argparse.Namespace, work: Work, intake: Intake) -> Iterator[Prompt]:
    """Those to label in this run, in their turn."""
    from turnout.labelling.prompts import in_turn
    from turnout.logs.reader import LogReader

    tiers = (work.asking.cheap, work.asking.expensive)
    logs = LogReader(args.logs, log_input.columns_of(args), log_input.price_of, tiers)
    return islice(in_turn(logs, work.file.done, work.journal.failures, intake), args.limit)


def replayed(args: argparse.Namespace, work: Work, plan: Plan) -> tuple[RunResult, bool]:
    """What came of it, and whether it was interrupted: by Ctrl-C or SIGTERM."""
    from turnout.labelling.prompts import Intake

    with progress.progress_bar("labelling") as bar:
        replay = _replay(args, work, lambda done: bar(done, plan.rows))
        prompts = prompts_of(args, work, Intake())

        async def all_of_it() -> None:
            with _terminable():
                async with work.models.turnout:
                    await replay.run(prompts, concurrency=args.concurrency)

        try:
            asyncio.run(all_of_it())
        except (KeyboardInterrupt, asyncio.CancelledError):
            return replay.result, True
    return replay.result, False


def _replay(args: argparse.Namespace, work: Work, done: Callable[[int], None]) -> Replay:
    from turnout.labelling.budget import LabelBudget
    from turnout.labelling.dispatcher import Dispatcher
    from turnout.labelling.replay import Replay
    from turnout.labelling.throttle import Patience, Throttle

    clock = work.models.turnout.clock
    dispatcher = Dispatcher(
        models=work.models,
        throttle=Throttle(args.rate, clock),
        patience=Patience(clock, args.patience, lambda text: print(f"turnout: {text}", file=sys.stderr, flush=True)),
        budget=LabelBudget(args.budget, work.spent),
        journal=work.journal,
    )
    return Replay(
        asking=work.asking, judge=work.judge, dispatcher=dispatcher, file=work.file, journal=work.journal, progress=done
    )  # fmt: skip


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, a second one at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def end() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        task.cancel()

    # Where the system has no such signals, or this is no main thread, it ends as it would anyway.
    with suppress(NotImplementedError, ValueError, RuntimeError):
        loop.add_signal_handler(signal.SIGTERM, end)
    try:
        yield
    finally:
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.remove_signal_handler(signal.SIGTERM)
