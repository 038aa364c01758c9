"""`turnout evaluate LOGS...`: what a scorer is worth on labelled logs."""

from __future__ import annotations

import argparse
import json
from typing import Any

from turnout.cli.train import told_bad

NAME = "evaluate"
HELP = "what a scorer is worth on labelled logs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", nargs="+", metavar="LOGS", help="labelled logs: .csv(.gz), .jsonl(.gz) or .parquet")
    parser.add_argument(
        "--scorer", metavar="FILE|default", help="the scorer; without it, train's defaults by 5-fold cross-validation"
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first bad row instead of skipping it")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the cost-quality curve")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Prints the figures; exit code 0 whatever they are."""
    from turnout.routing.prior import PriorScorer
    from turnout.routing.scorer import load
    from turnout.training import evaluate, labelled_logs, plots

    logs = labelled_logs.read(args.logs, strict=args.strict)
    told_bad(logs)
    if args.scorer is None:
        told = evaluate.cross_validated(logs)
    else:
        told = evaluate.with_scorer(logs, PriorScorer() if args.scorer == "default" else load(args.scorer))
    report = evaluate.report(logs, told)
    if args.plot:
        plots.cost_quality(args.plot, logs, told.score, (report["keep95_share"], report["keep95_quality"]))
    print(json.dumps(report) if args.json else _text(report))
    return 0


def _text(report: dict[str, Any]) -> str:
    lines = [_line(name, value) for name, value in report.items() if name != "groups" and value is not None]
    if report["groups"]:
        lines += ["", f"{'group':<32}{'rows':>7}{'cheap':>8}{'dear':>8}{'apgr':>8}"]
        lines += [
            f"{group[:31]:<32}{told['rows']:>7}{told['cheap_quality']:>8.3f}{told['expensive_quality']:>8.3f}"
            f"{_short(told['apgr']):>8}"
            for group, told in report["groups"].items()
        ]
    return "\n".join(lines)


def _line(name: str, value: Any) -> str:
    return f"{name:<24}{value:.4f}" if isinstance(value, float) else f"{name:<24}{value}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
