"""`turnout label LOG -o FILE`: plain logs replayed on both tiers, the answers judged, labelled logs written."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.cli import label_telling, progress
from turnout.cli.hushed import hushed
from turnout.cli.label_arguments import count, function, minutes, rate, usd
from turnout.errors import UsageError

if TYPE_CHECKING:
    from turnout.cli.models import TurnoutModels
    from turnout.training.labelling.account import Account
    from turnout.training.labelling.judges import Judge
    from turnout.training.labelling.labelled_file import LabelledFile
    from turnout.training.labelling.plan import Asking, Plan
    from turnout.training.labelling.replay import Labelled

EXITS = """\
exit code: 0, the rows are labelled, as far as the budget goes; 1, it had to stop (a provider that is out, a refused \
key, twenty failures in a row) or no row could be labelled; 2, wrong use. Rows that the budget left, and single rows \
that failed, are told and counted; the same command takes them up again. FILE.account, beside FILE, holds what all \
runs spent, and the answers that were bought for rows which are not done."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXITS
    parser.add_argument("log", metavar="LOG", help="the request log, or any .csv, .jsonl or .parquet with prompts")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="labelled logs: .jsonl or .csv, added to")
    parser.add_argument("--config", default="turnout.toml", metavar="FILE", help="the settings (default: turnout.toml)")
    judge = parser.add_mutually_exclusive_group(required=True)
    judge.add_argument("--check", metavar="MODULE:FUNCTION", help="function(prompt, answer, row) -> 0..1 or a bool")
    judge.add_argument("--judge", metavar="MODEL", help="a model that grades both answers, in both orders")
    parser.add_argument(
        "--budget",
        type=usd,
        metavar="USD",
        help="all runs on FILE together never spend more: judging, retries, failures and interruptions count, and the "
        "worst case of each row is held before it is asked",
    )
    parser.add_argument("--rate", type=rate, default="60/minute", metavar="RATE", help="calls (default: 60/minute)")
    parser.add_argument("--max-tokens", type=count, default=1024, metavar="N", help="of an answer (default: 1024)")
    parser.add_argument("--limit", type=count, metavar="N", help="label at most N rows in this run")
    parser.add_argument("--concurrency", type=count, default=8, metavar="N", help="rows at once (default: 8)")
    parser.add_argument(
        "--patience",
        type=minutes,
        default="10",
        metavar="MINUTES",
        help="how long a model may be out, without a break, before it stops (default: 10)",
    )
    parser.add_argument("--dry-run", action="store_true", help="tell the cost and ask nothing")
    parser.add_argument("--yes", action="store_true", help="go on without asking")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


@hushed()
def run(args: argparse.Namespace) -> int:
    """Exit code 0: the rows are labelled, as far as the budget goes; 1: every row failed, or it had to stop."""
    from turnout.training.labelling.account import alone

    _not_the_log(args)
    # A dry run too: it may find half a row, which is another run's that is being written.
    with alone(Path(args.output)):
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    from turnout.cli.models import TurnoutModels, replaying
    from turnout.settings import Settings
    from turnout.training.labelling.account import Account
    from turnout.training.labelling.labelled_file import LabelledFile
    from turnout.training.labelling.plan import Asking, planned
    from turnout.training.labelling.prompts import Intake, read

    check = function(args.check) if args.check else None
    settings = replaying(Settings.from_toml(args.config, also=(args.judge,) if args.judge else ()))
    file = LabelledFile(Path(args.output))
    file.check()
    account = Account(Path(args.output), file.done)
    models = TurnoutModels(settings)
    judge = _judge(models, check, args.judge)
    tiers = settings.tiers
    asking = Asking(cheap=tiers.cheap.models[0], expensive=tiers.expensive.models[0], max_tokens=args.max_tokens)
    intake = Intake()
    prompts = islice(read(Path(args.log), file.done, intake), args.limit)
    plan = planned(prompts, asking, models, judge, budgeted=args.budget is not None)
    told = label_telling.summary(args.output, intake, plan, account)
    say = _speaker(args.json)
    for line in [*intake.bad, *([f"{args.output}: cut off a half-written last row"] if file.healed else [])]:
        print(line, file=sys.stderr)
    say(label_telling.plan_in_words(args, asking, plan, told))
    _refuse(args, plan, models, asking)
    if args.dry_run or not plan.rows:
        return _end(args, told, 0)
    if not args.yes and not _confirmed():
        print("turnout: nothing asked; add --yes to go on", file=sys.stderr)
        return 2
    return _replayed(args, Work(asking, models, judge, file, account, plan), told, say)


@dataclass(frozen=True, slots=True)
class Work:
    """All that a run needs."""

    asking: Asking
    models: TurnoutModels
    judge: Judge
    file: LabelledFile
    account: Account
    plan: Plan


def _replayed(args: argparse.Namespace, work: Work, told: Mapping[str, Any], say: Callable[[str], None]) -> int:
    from turnout.training.labelling.pace import Pace, Patience
    from turnout.training.labelling.prompts import Intake, read
    from turnout.training.labelling.purse import Purse
    from turnout.training.labelling.replay import Replay
    from turnout.training.labelling.sheet import Desk

    clock = work.models.turnout.clock
    purse = Purse(args.budget, work.account.spent)
    interrupted = False
    with progress.shown("labelling") as bar:
        patience = Patience(clock, args.patience, lambda text: print(f"turnout: {text}", file=sys.stderr, flush=True))
        desk = Desk(models=work.models, pace=Pace(args.rate, clock), patience=patience, purse=purse)
        replay = Replay(
            asking=work.asking, judge=work.judge, desk=desk, file=work.file, account=work.account,
            progress=lambda done: bar(done, work.plan.rows),
        )  # fmt: skip
        prompts = islice(read(Path(args.log), work.file.done, Intake()), args.limit)

        async def all_of_it() -> None:
            async with work.models.turnout:
                await replay.run(prompts, concurrency=args.concurrency)

        try:
            asyncio.run(all_of_it())
        except KeyboardInterrupt:
            interrupted = True
    for line in replay.told.failures:
        print(f"failed {line}", file=sys.stderr)
    told = {**told, **label_telling.outcome(replay.told, work.plan)}
    say(label_telling.outcome_in_words(told, interrupted))
    return _end(args, told, 130 if interrupted else _code(replay.told))


def _code(told: Labelled) -> int:
    """A budget that ends is the end that was asked for; what else stops the work is a failure."""
    return int(told.ended not in ("", "budget") or bool(told.failed and not told.labelled))


def _speaker(as_json: bool) -> Callable[[str], None]:
    # With --json standard output holds only the JSON.
    return lambda text: print(text, file=sys.stderr if as_json else sys.stdout, flush=True)


def _end(args: argparse.Namespace, told: Mapping[str, Any], code: int) -> int:
    if args.json:
        print(json.dumps(told))
    return code


# ------------------------------------------------------------------------------------ before anything is asked


def _not_the_log(args: argparse.Namespace) -> None:
    log, output = Path(args.log), Path(args.output)
    if output.exists() and log.exists() and output.samefile(log):
        raise UsageError(f"-o {args.output} is the log itself, which is only read; name another file")


def _refuse(args: argparse.Namespace, plan: Plan, models: TurnoutModels, asking: Asking) -> None:
    """Raises UsageError for a budget that cannot be kept, or that is too small for one row."""
    if args.budget is None or not plan.rows:
        return
    for model in (asking.cheap, asking.expensive, args.judge):
        if model and models.likely(model, 1, 1) is None:
            raise UsageError(
                f"{model} has no price, so --budget cannot be kept; set input_usd_per_million and "
                f'output_usd_per_million in [models."{model}"] (where no tier names it, of a file for --config alone: '
                f"the app refuses settings of a model that it never asks)"
            )
    if plan.dearest_usd > args.budget and not args.dry_run:
        raise UsageError(
            f"one row may cost up to ${plan.dearest_usd:.4f} (every retry billed, every answer {args.max_tokens} "
            f"tokens long), which is more than --budget; raise it, or lower --max-tokens or [retry] attempts"
        )


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    print("go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _judge(models: TurnoutModels, check: Callable[..., Any] | None, model: str | None) -> Judge:
    from turnout.training.labelling.judges import CheckJudge, ModelJudge

    return CheckJudge(check) if check is not None else ModelJudge(models, str(model))
