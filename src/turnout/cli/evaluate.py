"""`turnout evaluate LOGS...`: what a scorer is worth on labelled logs."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from turnout.cli import cascade_text, log_input, output_files, progress
from turnout.cli.arguments import MOST_SEED, whole_number
from turnout.errors import UsageError

# The rows of the table in order: the figure's key, and its label.
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
MAX_GROUPS = 60
# From here on what stands behind the point says nothing.
MANY = 100.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", nargs="+", metavar="LOGS", help="labelled logs; see turnout inspect")
    parser.add_argument(
        "--scorer",
        action="append",
        metavar="FILE|default",
        help="the scorer, or two of them to compare; without it, train's defaults by 5-fold cross-validation",
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first bad row instead of skipping it")
    parser.add_argument(
        "--seed", type=whole_number(0, MOST_SEED), default=0, help="which rows fall into which fold (default: 0)"
    )
    log_input.add_embedding(parser)
    log_input.add_columns(parser)
    parser.add_argument("--plot", metavar="FILE.png|svg", help="draw the cost-quality curve and the calibration")
    parser.add_argument(
        "--price-ratio", type=cascade_text.price_ratio, metavar="R", help="an expensive call's price by a cheap one's"
    )
    parser.add_argument("--report", metavar="FILE.html", help="write the figures and the curve as one page")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Prints the figures; exit code 0 whatever they are."""
    log_input.check_there(args.logs)
    from turnout.routing.prior import PriorScorer
    from turnout.routing.scorer import load_scorer
    from turnout.training import evaluate
    from turnout.training.comparison import paired

    names: list[str] = args.scorer or []
    if len(names) > 2 or ((args.plot or args.report) and len(names) == 2):
        option = "--plot" if args.plot else "--report"
        raise UsageError(
            f"two scorers can be compared, without {option}" if len(names) == 2 else "two scorers can be compared"
        )
    output_files.check_plot(args.plot, args.logs)
    output_files.check_report(args.report, args.logs)
    # Before the logs are read, which may take long: a file that is no scorer should fail at once.
    scorers = [PriorScorer() if name == "default" else load_scorer(name) for name in names]
    embedding = None if scorers else log_input.embedding(args.embedding)
    verified = len(scorers) == 1 and cascade_text.has_verifier(scorers[0])
    logs = log_input.read_log_arguments(args, most=evaluate.MOST_ROWS, answers=verified)
    if verified:
        logs = cascade_text.answered(logs)
    with progress.progress_bar("scoring" if scorers else "cross-validating") as bar:
        scored = [evaluate.with_scorer(logs, scorer, bar) for scorer in scorers] or [
            evaluate.cross_validated(logs, seed=args.seed, embedding=embedding, progress=bar)
        ]
    cascade: dict[str, Any] = {}
    if verified:
        scored[0], cascade = cascade_text.evaluated(logs, scorers[0], scored[0], args)
    reports = [evaluate.report(logs, each, seed=args.seed) | cascade for each in scored]
    if len(reports) == 2:
        comparison = _comparison(names, reports, paired(logs, *scored, seed=args.seed))
        log_input.warn(comparison["warnings"])
        print(json.dumps(comparison) if args.json else _comparison_text(comparison))
        return 0
    (report,) = reports
    if cascade:
        report["warnings"] += cascade_text.warnings(cascade)
    log_input.warn(report["warnings"])
    if args.plot:
        _plot(args, logs, scored[0], report)
    if args.report:
        _write_page(args, logs, scored[0], report)
    print(json.dumps(report) if args.json else _text(report))
    return 0


def _plot(args: argparse.Namespace, logs: Any, scored: Any, report: dict[str, Any]) -> None:
    from turnout.training import plots

    point = (report["keep95_threshold_share"], report["keep95_quality"])
    chosen = None if point[1] is None else plots.Chosen(_target(args), *point)
    with output_files.naming_write_errors(args.plot):
        costs = report.get("cost_curves")
        plots.curve_and_calibration(args.plot, logs, scored.score, scored.gain, chosen, _title(args), costs)


def _write_page(args: argparse.Namespace, logs: Any, scored: Any, report: dict[str, Any]) -> None:
    from turnout.atomic_file import replacing
    from turnout.cli.report_page import Page
    from turnout.training import plots, target_backtest
    from turnout.training.curves import Ranked
    from turnout.training.folds import texts_of

    ranked = Ranked.of(scored.score, logs.cheap, logs.expensive)
    share, quality = ranked.curve(logs.weight[ranked.order])
    low, high = plots.band(scored.score, logs)
    kept = report["keep95_quality"]
    even = logs.even_rows(args.seed)
    rows = target_backtest.Rows(
        scored.score[None, even],
        *(values[even] for values in (logs.cheap, logs.expensive, logs.cheap_usd, logs.expensive_usd, texts_of(logs))),
    )
    usd = plots.cost_ticks(scored.score, logs)
    # Of a quality the default scorer promises nothing: it serves a share in its place.
    targets = [
        each for each in target_backtest.ROUTING_TARGETS if not _is_default(args) or each.kind == "max_expensive_share"
    ]
    page = Page(
        title=_title(args),
        day=datetime.now(UTC).date().isoformat(),
        report=report,
        figures=[
            (name, label, _value(report[name]), _interval(report["intervals"].get(name)))
            for name, label in LINES
            if name in report
        ],
        curve=list(zip(share.tolist(), quality.tolist(), strict=True)),
        band_low=list(zip(plots.BAND_GRID.tolist(), low.tolist(), strict=True)),
        band_high=list(zip(plots.BAND_GRID.tolist(), high.tolist(), strict=True)),
        chosen=None if kept is None else (report["keep95_threshold_share"], kept * report["expensive_quality"]),
        target=_target(args),
        usd=[] if usd is None else list(zip(plots.COST_TICKS.tolist(), usd.tolist(), strict=True)),
        targets=target_backtest.table(rows, targets, seed=args.seed),
        calibration=plots.calibration_points(scored.gain, logs.gain, logs.weight),
    )
    with output_files.naming_write_errors(args.report), replacing(Path(args.report)) as file:
        file.write(page.html().encode())


def _is_default(args: argparse.Namespace) -> bool:
    return bool(args.scorer == ["default"])


def _target(args: argparse.Namespace) -> str:
    """What the scorer's own threshold is for."""
    from turnout.routing.factory import DEFAULT_SCORER_SHARE

    return f"max_expensive_share = {DEFAULT_SCORER_SHARE:g}" if _is_default(args) else "keep_quality = 0.95"


def _title(args: argparse.Namespace) -> str:
    scorer = args.scorer[0] if args.scorer else "cross-validation: each row by what `train` learns of the others"
    return f"{', '.join(args.logs)}, scored by {scorer}"


def _comparison(names: list[str], reports: list[dict[str, Any]], paired: dict[str, Any]) -> dict[str, Any]:
    """What `--json` prints of two scorers."""
    scorers = [{"scorer": name, **report} for name, report in zip(names, reports, strict=True)]
    # What is wrong with the logs is said once; what is wrong with a scorer, with its name.
    shared = [warning for warning in reports[0]["warnings"] if warning in reports[1]["warnings"]]
    own = [f"{each['scorer']}: {text}" for each in scorers for text in each["warnings"] if text not in shared]
    return {"scorers": scorers, "paired": paired, "warnings": [*shared, *own]}


def _comparison_text(comparison: dict[str, Any]) -> str:
    first, second = comparison["scorers"]
    lines = [f"A: {first['scorer']}", f"B: {second['scorer']}", "", f"{'':<36}{'A':>10}{'B':>10}"]
    both = [(label, first[name], second[name]) for name, label in LINES if name in first and name in second]
    lines += [f"{label:<36}{_value(one):>10}{_value(other):>10}" for label, one, other in both]
    paired = comparison["paired"]
    lines += ["", f"B less A, with the middle 95 % of the bootstrap over {paired['by']}:"]
    labels = dict(LINES)
    for name, interval in ((name, paired["intervals"].get(name)) for name in ("apgr", "keep95_quality")):
        lines.append(f"{labels[name]:<36}{_value(paired[name]):>10}   {_interval(interval)}".rstrip())
    return "\n".join(lines)


def _text(report: dict[str, Any]) -> str:
    lines = [f"{'':<36}{'':>10}   middle 95 % of the bootstrap"] if report["intervals"] else []
    lines += [_line(label, report[name], report["intervals"].get(name)) for name, label in LINES if name in report]
    if "apgr_question" in report:
        lines += ["", *cascade_text.lines(report)]
    if "reason" in report:
        lines.append(f"no APGR: {report['reason']}")
    if report["groups"]:
        lines += ["", f"{'group':<32}{'rows':>7}{'cheap':>8}{'dear':>8}{'apgr':>8}   95 %"]
        largest = sorted(report["groups"].items(), key=lambda group: -group[1]["rows"])
        lines += [_group(name, figures) for name, figures in largest[:MAX_GROUPS]]
        if len(largest) > MAX_GROUPS:
            lines.append(f"... and {len(largest) - MAX_GROUPS} smaller groups; --json tells them all")
    return "\n".join(lines)


def _group(name: str, figures: dict[str, Any]) -> str:
    return (
        f"{(name or '(none)')[:31]:<32}{figures['rows']:>7}"
        f"{figures['cheap_quality']:>8.3f}{figures['expensive_quality']:>8.3f}"
        f"{_figure(figures['apgr']):>8}   {_interval(figures['intervals'].get('apgr'))}"
    ).rstrip()


def _line(label: str, value: Any, interval: list[float] | None) -> str:
    return f"{label:<36}{_value(value):>10}   {_interval(interval)}".rstrip()


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < MANY else f"{value:,.0f}"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _interval(interval: list[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
