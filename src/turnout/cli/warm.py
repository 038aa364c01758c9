"""`turnout warm PROMPTS --config turnout.toml`: fill the shared cache with answers before they are asked for."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.cli.arguments import add_config, whole_number
from turnout.cli.label_arguments import rate, usd
from turnout.cli.labelled_lines import width_of, wrapped
from turnout.cli.quiet_logging import quiet_logging
from turnout.errors import LogError, UsageError

if TYPE_CHECKING:
    from turnout.logs.bad_rows import BadRows
    from turnout.settings import Rate, Settings
    from turnout.warming.prompts import WarmPrompt

EXITS = """\
exit code: 0, every answer is there, or --budget is spent and some were made; 1, some failed, or it had to stop \
(twenty failures in a row, the app's own budget, Redis out); 2, wrong use. Killed and called again it goes on: what is \
stored is not asked for again, and --budget counts what was spent before. PROMPTS.warm, beside PROMPTS, is its \
journal, removed when all is done."""
# Who asks where users share their answers.
USER = "turnout-warm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXITS
    parser.add_argument(
        "prompts",
        nargs="?",
        metavar="PROMPTS",
        help="JSON lines or CSV: prompt or messages and parameters, or OpenAI's batch format",
    )
    add_config(parser)
    parser.add_argument(
        "--from-log",
        action="store_true",
        help="the most frequent prompts of the request log: PROMPTS where it is given, else [log] path",
    )
    parser.add_argument(
        "--top", type=whole_number(1), default=1000, metavar="N", help="of the log's prompts at most N (1000)"
    )
    parser.add_argument("--rate", type=_rate, default="20", metavar="RATE", help="a second (20), or as 60/minute")
    parser.add_argument(
        "--budget",
        type=usd,
        metavar="USD",
        help="what all runs until all is done spend at most; the worst case is held first",
    )
    parser.add_argument("--user", metavar="ID", help='whose answers they are; needed where [cache] scope = "user"')
    parser.add_argument(
        "--endpoint", metavar="PATH", help="the app's path that the prompts are asked at (the chat path)"
    )
    parser.add_argument(
        "--concurrency", type=whole_number(1), default=256, metavar="N", help="prompts at once, at most (256)"
    )
    parser.add_argument("--journal", metavar="FILE", help="where to keep what is spent (PROMPTS.warm)")
    parser.add_argument("--dry-run", action="store_true", help="tell the cost and ask nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def _rate(text: str) -> Rate:
    """A plain number is one a second."""
    return rate(f"{text}/second" if text.isascii() and text.isdigit() else text)


@quiet_logging()
def run(args: argparse.Namespace) -> int:
    """Exit code 1 where prompts failed or it had to stop, 2 for wrong use, 130 where it was interrupted."""
    from turnout.cli.warm_run import warm
    from turnout.logs.bad_rows import BadRows
    from turnout.settings import Settings
    from turnout.warming.journal import WarmJournal

    settings = Settings.from_toml(args.config)
    _check(args, settings)
    path, bad = _path(args, settings), BadRows()
    prompts = _prompts(args, settings, path, bad)
    for line in bad.named:
        print(f"skipped {line}", file=sys.stderr)
    if not prompts:
        raise LogError(f"{path}: no row holds a prompt that can be asked")
    path = Path(args.journal) if args.journal else path.with_name(path.name + ".warm")
    journal = None if args.dry_run and not path.exists() else WarmJournal(path)
    rows = {"rows": len(prompts) + bad.skipped, "skipped": bad.skipped}
    summary, code = asyncio.run(warm(args, settings, prompts, journal, lambda plan: _say(args, plan_text(plan, args))))
    summary = rows | summary
    if args.json:
        print(json.dumps(summary))
    elif not args.dry_run:
        print(outcome_text(summary))
    return code


def _check(args: argparse.Namespace, settings: Settings) -> None:
    """Raises UsageError where nothing could be warmed."""
    if args.prompts is None and not args.from_log:
        raise UsageError("name a file of prompts, or say --from-log")
    if not settings.cache.enabled:
        raise UsageError(f"{args.config} says [cache] enabled = false: there is nothing to warm")
    if settings.redis is None:
        raise UsageError(
            f"{args.config} has no [redis]: each process then has a cache of its own memory, and this command's would "
            'be gone at its end. Add the two lines: [redis] and url = "redis://localhost:6379/0"'
        )
    if settings.cache.scope == "user" and args.user is None and not args.from_log:
        raise UsageError(
            'with [cache] scope = "user" answers are one user\'s: say whose with --user ID, or set scope = "app"'
        )


def _path(args: argparse.Namespace, settings: Settings) -> Path:
    if args.prompts is not None:
        return Path(args.prompts)
    if not settings.log.path:
        raise UsageError(f"{args.config} has no [log] path: name the request log as PROMPTS, or set it")
    if not settings.log.content:
        raise UsageError(
            f"{args.config} has no [log] content = true: the request log holds no prompts; add the line, and come back "
            "when there was traffic"
        )
    return Path(settings.log.path)


def _prompts(args: argparse.Namespace, settings: Settings, path: Path, bad: BadRows) -> Sequence[WarmPrompt]:
    from turnout.warming.prompts import most_frequent, read_prompts

    shared = settings.cache.scope == "app"
    if args.from_log:
        return most_frequent(path, top=args.top, user=args.user, shared=shared, bad=bad)
    endpoint = args.endpoint or settings.server.chat_path
    return list(read_prompts(path, user=args.user or USER, endpoint=endpoint, bad=bad))


def _say(args: argparse.Namespace, text: str) -> None:
    # With --json standard output holds only the JSON.
    stream = sys.stderr if args.json else sys.stdout
    print(wrapped(text, width_of(stream)), file=stream, flush=True)


def plan_text(plan: dict[str, Any], args: argparse.Namespace) -> str:
    """What will be asked, in words."""
    spent = f"; ${plan['spent_usd']:.4f} spent before" if plan["spent_usd"] else ""
    cost = "at a price that is not known"
    if plan["worst_usd"] is not None:
        cost = f"for about ${plan['estimated_usd']:.4f}, at most ${plan['worst_usd']:.4f} without retries"
    return (
        f"{plan['to_warm']} prompts to ask {cost}, in {plan['seconds']:.0f} s at {args.rate.limit} in "
        f"{args.rate.window_s} s; {plan['fresh']} are fresh, {plan['repeated']} repeated{spent}"
    )


def outcome_text(summary: dict[str, Any]) -> str:
    """What came of it, in words."""
    ended = {
        "": "",
        "budget": "; --budget is spent: what is left was not asked",
        "app_budget": "; stopped: the app's own budget has no room",
        "failures": "; stopped: too many failures in a row. Call the same command again to go on",
        "interrupted": "; interrupted. Call the same command again to go on",
    }[summary["ended"]]
    unstored = f", {summary['unstored']} too long or broken off and not stored" if summary["unstored"] else ""
    return (
        f"{summary['warmed']} answers made, {summary['fresh']} were fresh, {summary['failed']} failed{unstored}: "
        f"${summary['spent_usd']:.4f}, {summary['rate']:.1f} a second{ended}"
    )
