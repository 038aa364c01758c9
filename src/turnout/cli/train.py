"""`turnout train LOGS... -o FILE`: a scorer from your own labelled logs."""

from __future__ import annotations

import argparse
import json
from typing import Any

from turnout.cli import progress, reading

NAME = "train"
HELP = "train a scorer from your own labelled logs"

WISHES = (0.9, 0.95, 0.97, 0.99)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", nargs="+", metavar="LOGS", help="labelled logs: .csv(.gz), .jsonl(.gz) or .parquet")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the scorer file to write")
    parser.add_argument("--strict", action="store_true", help="stop at the first bad row instead of skipping it")
    parser.add_argument("--seed", type=int, default=0, help="which rows fall into which fold (default: 0)")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the cost-quality curve, out of fold")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Trains, writes exactly the file named, and says what to expect of it."""
    from turnout.training import evaluate, fit, plots

    logs = reading.read(args.logs, strict=args.strict, most=fit.MOST_ROWS, seed=args.seed)
    with progress.shown("training") as bar:
        fitted = fit.train(logs.evened(args.seed), seed=args.seed, progress=bar)
    fitted.save(args.output)
    reading.warn(fitted.warnings)
    # One scorer on the rows it was trained on would flatter itself: the table is out of fold.
    rows = fitted.expectations(WISHES)
    if args.plot:
        at = next((row for row in rows if row["keep_quality"] == evaluate.KEEP), None)
        chosen = plots.Chosen("keep_quality = 0.95", at["expensive_share"], at["quality_kept"]) if at else None
        plots.cost_quality(args.plot, fitted.logs, fitted.out_of_fold, chosen)
    summary = {"file": args.output, "rows": logs.rows, "skipped": logs.skipped, "expected": rows}
    print(json.dumps({**summary, "warnings": list(fitted.warnings)}) if args.json else _table(summary))
    return 0


def _table(summary: dict[str, Any]) -> str:
    lines = [
        f"trained on {summary['rows']} rows ({summary['skipped']} skipped), wrote {summary['file']}",
        "",
        "expected on requests like these (out of fold):",
        "  keep_quality   expensive share   quality kept",
    ]
    lines += [
        f"  {row['keep_quality']:>12.2f}   {row['expensive_share']:>15.1%}   {row['quality_kept']:>11.1%}"
        f"  +- {row['standard_error']:.1%}"
        for row in summary["expected"]
    ]
    return "\n".join(lines)
