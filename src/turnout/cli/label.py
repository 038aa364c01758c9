"""`turnout label LOG -o FILE`: plain logs replayed on both tiers, the answers judged, labelled logs written."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.cli import label_report, log_input
from turnout.cli.arguments import whole_number
from turnout.cli.label_arguments import function, minutes, rate, usd
from turnout.cli.label_run import Work, prompts_of, replayed
from turnout.cli.labelled_lines import width_of, wrapped
from turnout.cli.quiet_logging import quiet_logging
from turnout.errors import UsageError

if TYPE_CHECKING:
    from turnout.cli.label_models import TurnoutModels
    from turnout.labelling.journal import Journal
    from turnout.labelling.judges import Judge
    from turnout.labelling.plan import Asking, Plan
    from turnout.settings import Settings

EXITS = """\
exit code: 0, the rows are labelled, as far as the budget goes; 1, it had to stop (a provider that is out, a refused \
key, twenty failures in a row) or no row was labelled; 2, wrong use. Rows that the budget left, and single rows that \
failed, are told and counted; the same command takes them up again, those that failed after the others. FILE.account, \
beside FILE, an SQLite database, holds who was asked, what each call cost, and the answers that were bought."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXITS
    parser.add_argument("logs", nargs="+", metavar="LOG", help="logs of any kind; see turnout inspect")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="labelled logs: .jsonl or .csv, added to")
    parser.add_argument("--config", default="turnout.toml", metavar="FILE", help="the settings (default: turnout.toml)")
    judge = parser.add_mutually_exclusive_group(required=True)
    judge.add_argument("--check", metavar="MODULE:FUNCTION", help="function(prompt, answer, row) -> 0..1 or a bool")
    judge.add_argument("--judge", metavar="MODEL", help="a model that grades both answers, in both orders")
    parser.add_argument(
        "--budget",
        type=usd,
        metavar="USD",
        help="all runs on FILE together never spend more: judging, failed calls and interruptions count, and the "
        "worst case of each row is held before it is asked",
    )
    parser.add_argument(
        "--rate",
        type=rate,
        default="60/minute",
        metavar="RATE",
        help="calls, failed ones too (default: 60/minute)",
    )
    parser.add_argument(
        "--max-tokens", type=whole_number(1), default=1024, metavar="N", help="of an answer (default: 1024)"
    )
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="label at most N rows in this run")
    parser.add_argument("--concurrency", type=whole_number(1), default=8, metavar="N", help="rows at once (default: 8)")
    parser.add_argument(
        "--patience",
        type=minutes,
        default="10",
        metavar="MINUTES",
        help="how long a model may be out, without a break, before it stops (default: 10)",
    )
    log_input.add_columns(parser)
    parser.add_argument("--dry-run", action="store_true", help="tell the cost and ask nothing")
    parser.add_argument("--yes", action="store_true", help="go on without asking")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


@quiet_logging()
def run(args: argparse.Namespace) -> int:
    """Exit code 0: the rows are labelled, as far as the budget goes; 1: none, or it had to stop; 130: ended early."""
    from turnout.cli.label_models import replaying
    from turnout.labelling.journal import Journal
    from turnout.labelling.labelled_file import check_output
    from turnout.labelling.plan import Asking
    from turnout.settings import Settings

    _not_the_log(args)
    check_output(Path(args.output))
    check = function(args.check) if args.check else None
    settings = replaying(Settings.from_toml(args.config, also=(args.judge,) if args.judge else ()))
    cheap, expensive = settings.tiers.cheap.models[0], settings.tiers.expensive.models[0]
    asking = Asking(cheap=cheap, expensive=expensive, max_tokens=args.max_tokens)
    judge = args.judge or f"the check {args.check}"
    policies = {"cheap": cheap, "expensive": expensive, "judge": judge, "--max-tokens": args.max_tokens}
    # A dry run locks the journal too: it may find half a row, which another run is writing.
    with Journal(Path(args.output), policies) as journal:
        return _run(args, _work(args, settings, asking, check, journal))


def _run(args: argparse.Namespace, work: Work) -> int:
    from turnout.labelling.plan import planned
    from turnout.labelling.prompts import Intake

    intake = Intake()
    prompts = prompts_of(args, work, intake)
    bought = work.journal.bought
    plan = planned(prompts, work.asking, work.models, work.judge, bought=bought, budgeted=args.budget is not None)
    summary = label_report.summary(args, intake, plan, work.spent)
    say = _speaker(args.json)
    half = f"{args.output}: has a half-written last row, which is cut off before the next is added"
    for line in [*intake.hints, *intake.bad.named, *([half] if work.file.broken else [])]:
        print(line, file=sys.stderr)
    say(label_report.plan_in_words(args, work.asking, plan, summary))
    _refuse(args, plan, work.models, work.asking)
    if args.dry_run or not plan.rows:
        return _end(args, summary, 0)
    if not args.yes and not _confirmed():
        print("turnout: nothing asked; add --yes to go on", file=sys.stderr)
        return 2
    labelled, interrupted = replayed(args, work, plan)
    for line in labelled.failures:
        print(f"failed {line}", file=sys.stderr)
    summary = {**summary, **label_report.outcome(labelled, plan)}
    say(label_report.outcome_in_words(summary, interrupted))
    return _end(args, summary, 130 if interrupted else _code(summary))


def _work(
    args: argparse.Namespace,
    settings: Settings,
    asking: Asking,
    check: Callable[..., Any] | None,
    journal: Journal,
) -> Work:
    from turnout.cli.label_models import TurnoutModels
    from turnout.labelling.labelled_file import LabelledFile

    models = TurnoutModels(settings)
    file = LabelledFile(Path(args.output), journal)
    judge = _judge(models, check, args.judge)
    return Work(asking, models, judge, file, journal, spent=journal.spent(file.done))


def _code(summary: Mapping[str, Any]) -> int:
    """A budget that ends is the end that was asked for, once it labelled anything; what else stops is a failure."""
    return int(summary["ended"] not in ("", "budget") or not summary["labelled"])


def _speaker(as_json: bool) -> Callable[[str], None]:
    # With --json standard output holds only the JSON.
    stream = sys.stderr if as_json else sys.stdout
    return lambda text: print(wrapped(text, width_of(stream)), file=stream, flush=True)


def _end(args: argparse.Namespace, summary: Mapping[str, Any], code: int) -> int:
    if args.json:
        print(json.dumps(summary))
    return code


def _not_the_log(args: argparse.Namespace) -> None:
    output = Path(args.output)
    if output.exists() and any(output.samefile(log) for log in args.logs if Path(log).exists()):
        raise UsageError(f"-o {args.output} is the log itself, which is only read; name another file")


def _refuse(args: argparse.Namespace, plan: Plan, models: TurnoutModels, asking: Asking) -> None:
    """Raises UsageError for a budget that cannot be kept, or that is too small for one row, SettingsError for one that
    a model's own parameters may exceed."""
    if args.budget is None or not plan.rows:
        return
    for model in (asking.cheap, asking.expensive, args.judge):
        if model and models.likely(model, 1, 1) is None:
            raise UsageError(
                f"{model} has no price, so --budget cannot be kept; set input_usd_per_million and "
                f'output_usd_per_million in [models."{model}"] (where no tier names it, of a file for --config alone: '
                f"the app refuses settings of a model that it never asks)"
            )
    models.require_bounded()
    if plan.dearest_usd > args.budget and not args.dry_run:
        raise UsageError(
            f"one row may cost up to ${plan.dearest_usd:.4f} (every answer {args.max_tokens} tokens long), which is "
            f"more than --budget; raise it, or lower --max-tokens"
        )


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    print("go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _judge(models: TurnoutModels, check: Callable[..., Any] | None, model: str | None) -> Judge:
    from turnout.labelling.judges import CheckJudge, ModelJudge

    return CheckJudge(check) if check is not None else ModelJudge(models, str(model))
