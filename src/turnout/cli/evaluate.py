"""`turnout evaluate LOGS...`: what a scorer is worth on labelled logs."""

from __future__ import annotations

import argparse
import json
from typing import Any

from turnout.cli import log_input, output_files, progress

# What the table tells, in this order, and how.
LINES = (
    ("rows", "rows"),
    ("apgr", "APGR (random 0.5)"),
    ("cpt50", "CPT50: share for half the gap"),
    ("cpt80", "CPT80: share for 80 % of it"),
    ("keep95_expensive_share", "share that keeps 95 % (hindsight)"),
    ("keep95_quality", "kept at the scorer's threshold"),
    ("keep95_threshold_share", "expensive at that threshold"),
    ("keep95_saving", "saved of all-expensive's cost"),
    ("keep95_saving_usd", "saved, USD on these rows"),
    ("aiq", "AIQ"),
    ("aiq_no_router", "AIQ of the two tiers alone"),
    ("auc", "AUC (expensive is better)"),
    ("brier", "Brier (expensive is better)"),
    ("novel_share", "novel: decided by tag or the middle"),
    ("cheap_quality", "all-cheap quality"),
    ("expensive_quality", "all-expensive quality"),
    ("score_us_p50", "time of a score, p50, us"),
    ("score_us_p99", "time of a score, p99, us"),
)
GROUPS_SHOWN = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", nargs="+", metavar="LOGS", help="labelled logs: .csv(.gz), .jsonl(.gz) or .parquet")
    parser.add_argument(
        "--scorer", metavar="FILE|default", help="the scorer; without it, train's defaults by 5-fold cross-validation"
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first bad row instead of skipping it")
    parser.add_argument("--seed", type=int, default=0, help="which rows fall into which fold (default: 0)")
    log_input.add_embedding(parser)
    parser.add_argument("--plot", metavar="FILE.png", help="draw the cost-quality curve and the calibration")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Prints the figures; exit code 0 whatever they are."""
    from turnout.routing.factory import DEFAULT_SCORER_SHARE
    from turnout.routing.prior import PriorScorer
    from turnout.routing.scorer import load
    from turnout.training import evaluate, plots

    output_files.check_plot(args.plot, args.logs)
    # Before the logs are read, which may take long: a file that is no scorer should be told at once.
    scorer = None if args.scorer is None else PriorScorer() if args.scorer == "default" else load(args.scorer)
    embedding = log_input.embedding(args.embedding) if scorer is None else None
    logs = log_input.read(args.logs, strict=args.strict, most=evaluate.MOST_ROWS, seed=args.seed)
    with progress.shown("cross-validating" if scorer is None else "scoring") as bar:
        if scorer is None:
            told = evaluate.cross_validated(logs, seed=args.seed, embedding=embedding, progress=bar)
        else:
            told = evaluate.with_scorer(logs, scorer, bar)
    report = evaluate.report(logs, told, seed=args.seed)
    log_input.warn(report["warnings"])
    if args.plot:
        at = (report["keep95_threshold_share"], report["keep95_quality"])
        target = (
            f"max_expensive_share = {DEFAULT_SCORER_SHARE:g}" if args.scorer == "default" else "keep_quality = 0.95"
        )
        chosen = None if at[1] is None else plots.Chosen(target, *at)
        with output_files.written(args.plot):
            plots.curve_and_calibration(args.plot, logs, told.score, told.gain, chosen)
    print(json.dumps(report) if args.json else _text(report))
    return 0


def _text(report: dict[str, Any]) -> str:
    lines = [_line(words, report[name], report["intervals"].get(name)) for name, words in LINES if name in report]
    if "reason" in report:
        lines.append(f"no APGR: {report['reason']}")
    if report["groups"]:
        lines += ["", f"{'group':<32}{'rows':>7}{'cheap':>8}{'dear':>8}{'apgr':>8}   95 %"]
        largest = sorted(report["groups"].items(), key=lambda group: -group[1]["rows"])
        lines += [_group(name, told) for name, told in largest[:GROUPS_SHOWN]]
        if len(largest) > GROUPS_SHOWN:
            lines.append(f"... and {len(largest) - GROUPS_SHOWN} smaller groups; --json tells them all")
    return "\n".join(lines)


def _group(name: str, told: dict[str, Any]) -> str:
    return (
        f"{(name or '(none)')[:31]:<32}{told['rows']:>7}{told['cheap_quality']:>8.3f}{told['expensive_quality']:>8.3f}"
        f"{_short(told['apgr']):>8}   {_sure(told['intervals'].get('apgr'))}"
    ).rstrip()


def _line(words: str, value: Any, sure: list[float] | None) -> str:
    told = f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
    return f"{words:<36}{told:>10}   {_sure(sure)}".rstrip()


def _sure(interval: list[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
