"""`turnout label LOG -o FILE`: plain logs replayed on both tiers, the answers judged, labelled logs written."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.cli import progress
from turnout.cli.hushed import hushed
from turnout.cli.label_arguments import count, function, rate, usd
from turnout.errors import UsageError

if TYPE_CHECKING:
    from turnout.cli.models import TurnoutModels
    from turnout.training.labelling.judges import Judge
    from turnout.training.labelling.labelled_file import LabelledFile
    from turnout.training.labelling.plan import Asking, Plan
    from turnout.training.labelling.purse import Purse
    from turnout.training.labelling.replay import Replay


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("log", metavar="LOG", help="the request log, or any .csv, .jsonl or .parquet with prompts")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="labelled logs: .jsonl or .csv, added to")
    parser.add_argument("--config", default="turnout.toml", metavar="FILE", help="the settings (default: turnout.toml)")
    judge = parser.add_mutually_exclusive_group(required=True)
    judge.add_argument("--check", metavar="MODULE:FUNCTION", help="function(prompt, answer, row) -> 0..1 or a bool")
    judge.add_argument("--judge", metavar="MODEL", help="a model that grades both answers, in both orders")
    parser.add_argument("--budget", type=usd, metavar="USD", help="never spend more: worst cases are held beforehand")
    parser.add_argument("--rate", type=rate, default="60/minute", metavar="RATE", help="calls (default: 60/minute)")
    parser.add_argument("--max-tokens", type=count, default=1024, metavar="N", help="of an answer (default: 1024)")
    parser.add_argument("--limit", type=count, metavar="N", help="label at most N rows in this run")
    parser.add_argument("--concurrency", type=count, default=8, metavar="N", help="rows at once (default: 8)")
    parser.add_argument("--dry-run", action="store_true", help="tell the cost and ask nothing")
    parser.add_argument("--yes", action="store_true", help="go on without asking")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


@hushed()
def run(args: argparse.Namespace) -> int:
    """Exit code 0: the rows are labelled, as far as the budget goes; 1: every row failed, or it had to stop."""
    from turnout.cli.models import TurnoutModels, replaying
    from turnout.settings import Settings
    from turnout.training.labelling.labelled_file import LabelledFile
    from turnout.training.labelling.plan import Asking, planned
    from turnout.training.labelling.prompts import Reading, read

    check = function(args.check) if args.check else None
    settings = replaying(Settings.from_toml(args.config), args.judge or "")
    file = LabelledFile(Path(args.output))
    file.check()
    models = TurnoutModels(settings)
    judge = _judge(models, check, args.judge)
    tiers = settings.tiers
    asking = Asking(cheap=tiers.cheap.models[0], expensive=tiers.expensive.models[0], max_tokens=args.max_tokens)
    reading = Reading()
    plan = planned(islice(read(Path(args.log), file.done, reading), args.limit), asking, models, judge)
    summary = {"file": args.output, "rows": reading.rows, "already": reading.already, "repeated": reading.repeated,
               "without_prompt": reading.without, "skipped": reading.skipped, **plan.to_json()}  # fmt: skip
    say = _speaker(args.json)
    for line in [*reading.bad, *([f"{args.output}: cut off a half-written last row"] if file.healed else [])]:
        print(line, file=sys.stderr)
    say(_told_plan(args, asking, plan, summary))
    _refuse(args, plan, models, asking)
    if args.dry_run or not plan.rows:
        return _end(args, {**summary, "labelled": 0, "failed": 0, "cost_usd": 0.0}, 0)
    if not args.yes and not _confirmed():
        print("turnout: nothing asked; add --yes to go on", file=sys.stderr)
        return 2
    return _replayed(args, asking, models, judge, file, plan, summary, say)


def _replayed(
    args: argparse.Namespace,
    asking: Asking,
    models: TurnoutModels,
    judge: Judge,
    file: LabelledFile,
    plan: Plan,
    summary: dict[str, Any],
    say: Callable[[str], None],
) -> int:
    from turnout.training.labelling.prompts import Reading, read
    from turnout.training.labelling.purse import Purse
    from turnout.training.labelling.replay import Pace, Replay

    purse = Purse(args.budget)
    interrupted = False
    with progress.shown("labelling") as bar:
        replay = Replay(
            asking=asking, models=models, judge=judge, file=file, purse=purse,
            pace=Pace(args.rate, models.turnout.clock), progress=lambda done: bar(done, plan.rows),
        )  # fmt: skip
        prompts = islice(read(Path(args.log), file.done, Reading()), args.limit)

        async def work() -> None:
            async with models.turnout:
                await replay.run(prompts, concurrency=args.concurrency)

        try:
            asyncio.run(work())
        except KeyboardInterrupt:
            interrupted = True
    told = _outcome(replay, purse, plan, summary)
    for line in replay.told.failures:
        print(f"failed {line}", file=sys.stderr)
    say(_told_outcome(told, replay, interrupted))
    code = 130 if interrupted else 1 if _failed(replay) else 0
    return _end(args, told, code)


def _failed(replay: Replay) -> bool:
    told = replay.told
    return bool(told.failed and not told.labelled) or told.stopped.endswith("one after another")


def _outcome(replay: Replay, purse: Purse, plan: Plan, summary: dict[str, Any]) -> dict[str, Any]:
    told = replay.told
    return {
        **summary,
        "labelled": told.labelled,
        "failed": told.failed,
        "left": plan.rows - told.labelled - told.failed,
        "cut_answers": told.cut,
        "cost_usd": float(purse.spent),
        # What calls that were interrupted may have cost besides.
        "uncertain_usd": float(purse.held),
        "failures": told.failures,
        "stopped": told.stopped,
    }


# ------------------------------------------------------------------------------------------- what is told


def _told_plan(args: argparse.Namespace, asking: Asking, plan: Plan, summary: dict[str, Any]) -> str:
    left_out = [
        f"{summary[name]} {words}"
        for name, words in (
            ("already", "labelled already"),
            ("repeated", "repeated"),
            ("without_prompt", "without a prompt"),
            ("skipped", "bad"),
        )
        if summary[name]
    ]
    minutes = plan.calls * args.rate.window_s / args.rate.limit / 60
    lines = [
        f"{plan.rows} rows to label" + (f" ({', '.join(left_out)})" if left_out else ""),
        f"cheap {asking.cheap}, expensive {asking.expensive}, judged by {args.judge or args.check}",
        f"{plan.calls} calls, {minutes:.0f} minutes at the rate; estimated {_money(plan.likely_usd)}, "
        f"at worst {_money(plan.worst_usd)}, budget {_money(args.budget, 'none')}",
    ]
    if args.judge in (asking.cheap, asking.expensive):
        lines.append(f"warning: {args.judge} judges its own answers; judges favour themselves")
    return "\n".join(lines)


def _told_outcome(told: dict[str, Any], replay: Replay, interrupted: bool) -> str:
    lines = [f"{told['labelled']} rows labelled, {told['failed']} failed, {told['left']} left; wrote {told['file']}"]
    lines.append(f"spent ${told['cost_usd']:.6f}")
    if told["uncertain_usd"]:
        lines[-1] += f", and up to ${told['uncertain_usd']:.6f} for the calls that were interrupted"
    if told["cut_answers"]:
        lines.append(f"{told['cut_answers']} rows have an answer that ran into --max-tokens")
    if replay.told.stopped:
        lines.append(f"stopped: {replay.told.stopped}")
    if interrupted:
        lines.append("interrupted; the same command goes on where it ended")
    return "\n".join(lines)


def _money(usd: Decimal | None, none: str = "unknown (a model has no price)") -> str:
    return none if usd is None else f"${usd:.4f}"


def _speaker(as_json: bool) -> Callable[[str], None]:
    # With --json standard output holds only the JSON.
    return lambda text: print(text, file=sys.stderr if as_json else sys.stdout, flush=True)


def _end(args: argparse.Namespace, told: dict[str, Any], code: int) -> int:
    if args.json:
        print(json.dumps(told))
    return code


# ------------------------------------------------------------------------------------ before anything is asked


def _refuse(args: argparse.Namespace, plan: Plan, models: TurnoutModels, asking: Asking) -> None:
    """Raises UsageError for a budget that cannot be kept, or that is too small for one row."""
    if args.budget is None or not plan.rows:
        return
    for model in (asking.cheap, asking.expensive, args.judge):
        if model and models.likely(model, 1, 1) is None:
            raise UsageError(
                f"{model} has no price, so --budget cannot be kept; "
                f'set input_usd_per_million and output_usd_per_million in [models."{model}"]'
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
