"""`turnout train LOGS... -o FILE`: a scorer from your own labelled logs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from turnout.cli import cascade_text, log_input, output_files, progress
from turnout.cli.arguments import MOST_SEED, whole_number
from turnout.install_line import install_line

# The columns of the table of routing targets: the figure's key, and its label.
COLUMNS = (
    ("expensive_share", "expensive"),
    ("quality_kept", "quality kept"),
    ("gap_recovered", "of the gap"),
    ("saving", "saved"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", nargs="+", metavar="LOGS", help="labelled logs; see turnout inspect")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the scorer file to write")
    parser.add_argument("--strict", action="store_true", help="stop at the first bad row instead of skipping it")
    parser.add_argument(
        "--seed", type=whole_number(0, MOST_SEED), default=0, help="which rows fall into which fold (default: 0)"
    )
    cascade_text.add_arguments(parser)
    log_input.add_embedding(parser)
    log_input.add_columns(parser)
    parser.add_argument("--plot", metavar="FILE.png|svg", help="draw the cost-quality curve and the calibration")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Trains, writes exactly the file named, and says what to expect of it."""
    log_input.check_there(args.logs)
    from turnout.training import fit, target_backtest
    from turnout.training.folds import texts_of

    output_files.check_scorer(args.output, args.logs)
    output_files.check_plot(args.plot, args.logs)
    output_files.check_different(args.output, args.plot)
    cheap_model = cascade_text.take_cheap_model(args)
    embedding = log_input.embedding(args.embedding)
    logs = log_input.read_log_arguments(args, most=fit.MOST_ROWS, answers=args.cascade)
    with progress.progress_bar("training") as bar:
        if args.cascade:
            cascade = cascade_text.train(logs, args, cheap_model, embedding, bar)
            fitted, verifier, costs = cascade.fitted, cascade.summary, cascade.curves
        else:
            fitted, verifier, costs = fit.train(logs, seed=args.seed, embedding=embedding, progress=bar), None, None
    with output_files.naming_write_errors(args.output):
        fitted.save(args.output)
    used = fitted.logs
    # One scorer on the rows it was trained on would flatter itself: the table is out of fold.
    rows = target_backtest.Rows(
        fitted.predicted, used.cheap, used.expensive, used.cheap_usd, used.expensive_usd, texts_of(used)
    )
    targets, worth = target_backtest.table(rows, seed=args.seed), target_backtest.worth(rows, args.seed)
    warnings = [*fitted.warnings, *target_backtest.no_better(rows, worth), *target_backtest.too_wide(rows, targets)]
    log_input.warn(warnings)
    if args.plot:
        with output_files.naming_write_errors(args.plot):
            _draw(args, fitted, targets, costs)
    apgr, interval = worth or (None, None)
    summary = {"file": args.output, "rows": logs.rows, "rows_used": len(used), "skipped": logs.skipped,
               "apgr": apgr, "intervals": {} if interval is None else {"apgr": interval},
               "expected": targets, "warnings": warnings, "scorer": dict(fitted.scorer.summary),
               **({} if verifier is None else {"cascade": verifier})}  # fmt: skip
    print(json.dumps(summary) if args.json else _table(summary))
    if verifier is not None and not args.json:
        print("\n" + cascade_text.trained(verifier))
    return 0


def _draw(args: argparse.Namespace, fitted: Any, targets: list[dict[str, Any]], costs: Any) -> None:
    from turnout.training import plots

    line = next(
        (target for target in targets if target.get("keep_quality") == 0.95 and target["quality_kept"] is not None),
        None,
    )
    chosen = plots.Chosen(line["wish"], line["expensive_share"], line["quality_kept"]) if line else None
    scores = fitted.out_of_fold
    title = f"{', '.join(args.logs)}, for {args.output}: scored out of fold"
    plots.curve_and_calibration(args.plot, fitted.logs, scores, fitted.calibrated(scores), chosen, title, costs)


def _table(summary: dict[str, Any]) -> str:
    used = f", {summary['rows_used']} of them used" if summary["rows_used"] < summary["rows"] else ""
    costs = any(line["saving"] is not None for line in summary["expected"])
    columns = COLUMNS if costs else COLUMNS[:-1]
    embedding = summary["scorer"]["embedding"] or f"not used ({install_line('semantic')} adds it)"
    rows = [("[routing]", *(label for _, label in columns))]
    rows += [(line["wish"], *(_cell(line, name) for name, _ in columns)) for line in summary["expected"]]
    lines = [
        f"trained on {summary['rows']} rows ({summary['skipped']} skipped{used}), wrote {summary['file']}",
        f"what words mean: {embedding}",
        _worth(summary),
        "",
        "what each wish gives on rows put aside, in %, with the middle 95 % of the",
        "bootstrap:",
        *aligned(rows),
    ]
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines of columns as wide as what stands in them: two blanks apart, or one to fit 80 columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = " " * (2 if sum(widths) + 2 * (len(widths) - 1) <= 80 else 1)
    return [gap.join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _worth(summary: dict[str, Any]) -> str:
    if summary["apgr"] is None:
        return "APGR out of fold: none, for the expensive tier is not better on average"
    low, high = summary["intervals"]["apgr"]
    return f"APGR out of fold: {summary['apgr']:.3f} ({low:.3f} to {high:.3f}; a coin's is 0.5)"


def _cell(line: dict[str, Any], name: str) -> str:
    return _percent(line[name]) + _range(line["intervals"].get(name))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}".removesuffix(".0")


def _range(interval: list[float] | None) -> str:
    return "" if interval is None else f" ({100 * interval[0]:.0f}-{100 * interval[1]:.0f})"
