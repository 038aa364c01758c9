"""The cascade's part of `train`, `evaluate` and `score`: its options, and its figures as text."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

from turnout.cli import log_input
from turnout.errors import LogError, UsageError

COSTS = "of all-expensive's cost for 97 % of its quality, all cheap calls paid"


def price_ratio(text: str) -> float:
    """What an expensive call costs, a cheap one costing 1. Raises ArgumentTypeError."""
    try:
        ratio = float(text)
    except ValueError:
        ratio = math.nan
    if not 1.0 <= ratio < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 1")
    return ratio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    parser.add_argument(
        "--cascade",
        action="store_true",
        help="train a verifier of cheap answers too (column cheap_answer); --cheap MODEL then says whose they are",
    )
    parser.add_argument(
        "--price-ratio",
        type=price_ratio,
        metavar="R",
        help="with --cascade: an expensive call's price by a cheap one's, where no column tells (default: 16.7)",
    )


def take_cheap_model(args: argparse.Namespace) -> str:
    """The model that `--cheap` names under `--cascade`, where it names no column: alone, without `--expensive`."""
    if args.price_ratio is not None and not args.cascade:
        raise UsageError("--price-ratio goes with --cascade")
    if not args.cascade or args.expensive or not args.cheap:
        return ""
    model, args.cheap = str(args.cheap), ""
    return model


def train(
    logs: Any, args: argparse.Namespace, cheap_model: str, embedding: Any, progress: Callable[[int, int], None]
) -> Any:
    """A scorer with its verifier. Raises LogError."""
    from turnout.training.cascade import train_cascade

    models = sorted(logs.cheap_models)
    if len(models) > 1:
        raise LogError(f"these answers are of several cheap models ({', '.join(models)}); train on those of one")
    if cheap_model and models and cheap_model not in models:
        raise LogError(
            f"the column cheap_model says that these answers are of {models[0]}, not of {cheap_model}: leave out "
            "--cheap, or train on that one's answers"
        )
    if args.price_ratio is not None and logs.has_costs:
        log_input.warn(["--price-ratio is not used: what the rows' calls cost tells it"])
    return train_cascade(
        logs,
        ratio=args.price_ratio,
        cheap_model=cheap_model or "".join(models),
        seed=args.seed,
        embedding=embedding,
        progress=progress,
    )


def trained(summary: dict[str, Any]) -> str:
    """What training tells of the verifier."""
    apgr = f"APGR {_figure(summary['apgr'])} with the cheap answer read, {_figure(summary['apgr_question'])} by the "
    lines = [f"cascade, out of fold on {summary['rows']} rows: {apgr}question alone"]
    lines.append(
        f"{_percent(summary['cost_at_97'])} {COSTS} (by the question {_percent(summary['cost_at_97_question'])}), "
        f"at a price ratio of {summary['price_ratio']:.1f}"
    )
    lines += _second(summary.get("second"))
    if summary["refused"]:
        return "\n".join([*lines, f"the cascade is refused, and the file routes by the question: {summary['refused']}"])
    added = f"{100 * summary['added']:+.1f} % of the gap at equal cost"
    sure = f"({100 * summary['paired_low']:+.1f} to {100 * summary['paired_high']:+.1f})"
    return "\n".join(
        [*lines, f'it adds {added} {sure}: [routing.cascade] mode = "shadow" tells what it would do, "on" does it']
    )


def has_verifier(scorer: Any) -> bool:
    return getattr(scorer, "verifier", None) is not None


def answered(logs: Any) -> Any:
    """The rows that hold a cheap answer, with a warning where some do not; all of them where none does."""
    rows = [row for row, answer in enumerate(logs.answers or []) if answer.strip()]
    if len(rows) == len(logs):
        return logs
    if not rows:
        log_input.warn(["no row holds a cheap_answer: the scorer is evaluated by the question alone"])
        return logs
    log_input.warn([f"{len(logs) - len(rows)} of {len(logs)} rows hold no cheap_answer and are left out"])
    return logs.part(rows)


def evaluated(logs: Any, scorer: Any, question: Any, args: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """What is served of the scores, and the cascade's figures; none, with the question's scores, of rows without cheap
    answers."""
    from turnout.training.cascade_evaluate import with_verifier

    if not any(answer.strip() for answer in logs.answers or []):
        return question, {}
    return with_verifier(logs, scorer, question, ratio=args.price_ratio, seed=args.seed)


def warnings(report: dict[str, Any]) -> list[str]:
    """Where the cascade was accepted when it was trained, and does not pay on these rows."""
    low, high = report["paired_low"], report["paired_high"]
    if report["refused"] or low is None or low > 0:
        return []
    return [
        f"on these rows, at a price ratio of {report['price_ratio']:.1f}, the cascade is not sure to add anything to "
        f"the question alone ({100 * low:+.1f} to {100 * high:+.1f} % of the gap): leave it off, or train it again"
    ]


def lines(report: dict[str, Any]) -> list[str]:
    """The cascade's part of `evaluate`'s table."""
    paired = "none" if report["paired_low"] is None else f"{report['paired_low']:+.3f} to {report['paired_high']:+.3f}"
    return [
        f"cascade: {'refused: ' + report['refused'] if report['refused'] else 'accepted when it was trained'}",
        f"APGR with the cheap answer read {_figure(report['apgr_verified'])}, by the question alone "
        f"{_figure(report['apgr_question'])}; added at equal cost {paired}",
        f"{_percent(report['cost_at_97'])} {COSTS}; by the question {_percent(report['cost_at_97_question'])}",
        f"two calls for {_percent(report['two_calls_share'])} of requests there; "
        f"verifying takes {report['verify_us_p50']:.0f} us, p99 {report['verify_us_p99']:.0f}",
        *_second(report["second"]),
    ]


def _second(second: dict[str, Any] | None) -> list[str]:
    if second is None or "apgr" not in second:
        return []
    return [
        f"a second cheap answer agrees in {_percent(second['agreeing'])} of {second['rows']} rows: APGR "
        f"{_figure(second['apgr'])} with it, {_figure(second['apgr_first_alone'])} without "
        "([routing.cascade] second_sample)"
    ]


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{100 * value:.1f} %"
