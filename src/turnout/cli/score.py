"""`turnout score TEXT`: where one text would go, and why."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from typing import Any

from turnout.cli.labelled_lines import width_of, wrapped
from turnout.cli.reason_text import reason_text
from turnout.errors import UsageError
from turnout.ports.scoring import Query
from turnout.routing.factory import DEFAULT_SCORER_SHARE
from turnout.routing.router import decisive
from turnout.routing.tags import SYSTEM

# Groups that are named at most, and how near two scores are that are the same to a reader.
MOST_GROUPS, SAME = 5, 0.00005


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="the prompt")
    parser.add_argument("--scorer", metavar="FILE", default="default", help="a file that `turnout train` wrote")
    parser.add_argument(
        "--group",
        default="",
        metavar="G",
        help="the request's tag, or the endpoint that it comes to, where the logs had groups",
    )
    parser.add_argument("--system", default="", metavar="TEXT", help="the system prompt that it would be sent with")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def _query(text: str, system: str, group: str) -> Query:
    messages = [{"role": "system", "content": system}] if system else []
    return Query(messages=(*messages, {"role": "user", "content": text}), tag=group)


def run(args: argparse.Namespace) -> int:
    """Prints score, expected gain and tier as a request would get them: by the file's threshold for 0.95, or the
    default scorer's 0.5. text_score: the text's own, which a novel request is not decided by. Of the default scorer
    neither gain nor novelty is printed: it has measured none. Raises UsageError."""
    from turnout.routing.prior import PriorScorer
    from turnout.routing.scorer import KEPT_QUALITY, load_scorer

    if not args.text.strip():
        raise UsageError("the text to score is empty; give the prompt as it would be sent")
    default = args.scorer == "default"
    scorer: Any = PriorScorer() if default else load_scorer(args.scorer)
    query = _query(args.text, args.system, args.group)
    if args.group and (default or args.group not in scorer.known_tags):
        print(_unknown_group(args.group, default), file=sys.stderr)
    score = scorer.score(query)
    deciding, gain = decisive(score)
    target = f"a share of {DEFAULT_SCORER_SHARE:g}" if default else f"keep_quality = {KEPT_QUALITY:g}"
    threshold = 1.0 - DEFAULT_SCORER_SHARE if default else scorer.threshold
    report: dict[str, Any] = {
        "score": deciding,
        "expected_gain": None if default else gain,
        "threshold": threshold,
        "tier": "expensive" if deciding >= threshold else "cheap",
        "novelty": None if default else score.novelty,
        "novel": None if default else score.novel,
        "text_score": score.score,
        "scorer": args.scorer,
        "reasons": [reason_text(reason) for reason in scorer.explain(query)],
        "limits": _limits(scorer, default),
        "by_group": {} if default else _by_group(scorer, args, threshold),
    }
    print(json.dumps(report) if args.json else _text(report, target))
    return 0


def _by_group(scorer: Any, args: argparse.Namespace, threshold: float) -> dict[str, dict[str, Any]]:
    """What the text would score in the groups of the logs, some of them, where none that they know was given."""
    if args.group in scorer.known_tags:
        return {}
    groups = sorted(tag for tag in scorer.known_tags if not tag.startswith(SYSTEM))[:MOST_GROUPS]
    scores = {group: decisive(scorer.score(_query(args.text, args.system, group)))[0] for group in groups}
    return {
        group: {"score": score, "tier": "expensive" if score >= threshold else "cheap"}
        for group, score in scores.items()
    }


def _unknown_group(group: str, default: bool) -> str:
    cause = "the default scorer knows no groups" if default else "the scorer's logs never held it"
    return f"turnout: the group {group!r} counts as none: {cause}"


def _limits(scorer: Any, default: bool) -> str:
    """What the default scorer's shipped data says of its worth; what a file's training measured of its own."""
    if default:
        shipped = getattr(scorer, "limits", "")
        plain = "the default scorer was not trained on your logs and promises no quality; train on your own"
        return str(shipped) if shipped else plain
    apgr, rows = scorer.summary.get("apgr"), scorer.summary.get("rows")
    return "" if apgr is None else f"trained on {rows} rows; APGR out of fold {apgr:.3f} (random 0.5)"


def _text(report: dict[str, Any], target: str) -> str:
    score = f"{report['tier']}: score {report['score']:.4f}, threshold {report['threshold']:.4f} (for {target})"
    reasons = [f"  {reason}" for reason in report["reasons"]]
    measured = [] if report["novelty"] is None else [_measured(report)]
    text = "\n".join([score, *measured, *reasons, *_groups(report), *filter(None, [report["limits"]])])
    return wrapped(text, width_of(sys.stdout))


def _groups(report: dict[str, Any]) -> list[str]:
    """Says that the group matters, where it does."""
    by_group: dict[str, dict[str, Any]] = report["by_group"]
    if all(abs(each["score"] - report["score"]) < SAME for each in by_group.values()):
        return []
    lines = [
        f"  --group {shlex.quote(group)}: {each['tier']}, score {each['score']:.4f}" for group, each in by_group.items()
    ]
    return ["its logs had groups (a request's endpoint, or its tag), and this is of none of them:", *lines]


def _measured(report: dict[str, Any]) -> str:
    novel = (
        f", unlike the training logs: decided by its group's mean gain or, unknown, the middle "
        f"(its text alone would score {report['text_score']:.4f})"
        if report["novel"]
        else ""
    )
    return f"expected gain {report['expected_gain']:+.3f}, novelty {report['novelty']:.2f}{novel}"
