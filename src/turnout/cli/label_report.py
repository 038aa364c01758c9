"""What `turnout label` tells: the plan before anything is asked, and what came of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from turnout.labelling.throttle import spoken

if TYPE_CHECKING:
    from turnout.labelling.plan import Asking, Plan
    from turnout.labelling.prompts import Intake
    from turnout.labelling.replay import RunResult


def summary(args: argparse.Namespace, intake: Intake, plan: Plan, spent: Decimal) -> dict[str, Any]:
    """The --json summary before anything is asked; money as floats, in USD. spent: of earlier runs on the file.
    room: whether what that leaves of the budget can pay for any row at its worst."""
    left = None if args.budget is None else max(Decimal(0), args.budget - spent)
    return {
        "file": args.output,
        "rows": intake.rows,
        "already": intake.already,
        "repeated": intake.repeated,
        "without_prompt": intake.without,
        "skipped": intake.bad.skipped,
        **plan.to_json(),
        "spent_before_usd": float(spent),
        "budget_left_usd": None if left is None else float(left),
        "room": left is None or plan.least_usd is None or plan.least_usd <= left,
        "labelled": 0,
        "failed": 0,
        "left": plan.rows,
        "cut_answers": 0,
        "cost_usd": 0.0,
        "uncertain_usd": 0.0,
        "failures": [],
        "ended": "",
        "stopped": "",
    }


def outcome(summary: RunResult, plan: Plan) -> dict[str, Any]:
    """What came of it."""
    return {
        "labelled": summary.labelled,
        "failed": summary.failed,
        "left": plan.rows - summary.labelled - summary.failed,
        "cut_answers": summary.cut,
        "cost_usd": float(summary.spent),
        # What calls that were broken off may have cost besides: the budget counts it as spent.
        "uncertain_usd": float(summary.uncertain),
        "failures": summary.failures,
        "ended": summary.ended,
        "stopped": summary.stopped,
    }


def plan_in_words(args: argparse.Namespace, asking: Asking, plan: Plan, summary: Mapping[str, Any]) -> str:
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
    lasts = spoken(plan.calls * args.rate.window_s / args.rate.limit)
    lines = [
        f"{plan.rows} rows to label" + (f" ({', '.join(left_out)})" if left_out else ""),
        f"cheap {asking.cheap}, expensive {asking.expensive}, judged by {args.judge or args.check}",
        f"{plan.calls} calls, {lasts} at the rate; estimated {_money(plan.likely_usd)}, "
        f"at worst {_money(plan.worst_usd, _no_worst(plan))}, budget {_money(args.budget, 'none')}",
    ]
    if summary["spent_before_usd"]:
        of = f", which leaves ${summary['budget_left_usd']:.6f} of the budget" if args.budget is not None else ""
        lines.append(f"earlier runs spent ${summary['spent_before_usd']:.6f} on {args.output}{of}")
    if not summary["room"] and summary["spent_before_usd"]:
        lines.append(f"that is not enough for one row, which may cost up to ${plan.least_usd:.6f}; raise --budget")
    if plan.unbounded:
        does = "are left out under a budget" if args.budget is not None else "would be left out under a budget"
        lines.append(f"{plan.unbounded} rows with images have no bound on their cost and {does}")
    if args.judge in (asking.cheap, asking.expensive):
        lines.append(f"warning: {args.judge} judges its own answers; judges favour themselves")
    return "\n".join(lines)


def outcome_in_words(summary: Mapping[str, Any], interrupted: bool) -> str:
    wrote = f"; wrote {summary['file']}" if summary["labelled"] else ""
    lines = [f"{summary['labelled']} rows labelled, {summary['failed']} failed, {summary['left']} left{wrote}"]
    lines.append(f"spent ${summary['cost_usd']:.6f}")
    if summary["uncertain_usd"]:
        lines[-1] += f", and up to ${summary['uncertain_usd']:.6f} for the calls that were broken off"
    if summary["cut_answers"]:
        lines.append(f"{summary['cut_answers']} rows have an answer that ran into --max-tokens")
    if summary["ended"] == "budget":
        lines.append(f"{summary['left']} rows left: {summary['stopped']}; raise --budget and run the same command")
    elif summary["ended"]:
        lines.append(f"stopped: {summary['stopped']}")
    if summary["ended"] == "failures":
        lines.append("the same command begins with the rows behind them; a check or judge that is wrong, mend first")
    if interrupted:
        lines.append("interrupted; the same command goes on where it ended")
    elif summary["ended"] not in ("", "budget", "failures"):
        lines.append("what is done and bought is kept: the same command goes on where it ended")
    return "\n".join(lines)


def _money(usd: Decimal | None, none: str = "unknown (a model has no price)") -> str:
    return none if usd is None else f"${usd:.4f}"


def _no_worst(plan: Plan) -> str:
    unpriced = plan.likely_usd is None
    return "unknown (a model has no price)" if unpriced else "unbounded (images)"
