"""`turnout score TEXT`: where one text would go."""

from __future__ import annotations

import argparse
import json
from typing import Any

from turnout.ports import Query

NAME = "score"
HELP = "score one text: tier, expected gain and the reasons"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="the prompt")
    parser.add_argument("--scorer", metavar="FILE", default="default", help="a file that `turnout train` wrote")
    parser.add_argument("--group", default="", metavar="G", help="the request's tag, where the logs had groups")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Prints score, expected gain and tier: by the file's threshold for 0.95, or the default scorer's 0.5."""
    from turnout.routing.prior import PriorScorer
    from turnout.routing.scorer import load

    query = Query.from_text(args.text, args.group)
    told: dict[str, Any]
    if args.scorer == "default":
        prior = PriorScorer()
        score, threshold, reasons = prior.score(query), 0.5, prior.explain(query)
    else:
        scorer = load(args.scorer)
        score, threshold, reasons = scorer.score(query), scorer.threshold_for_quality(0.95), scorer.explain(query)
    tier = "expensive" if score.score >= threshold else "cheap"
    told = {
        "score": score.score,
        "expected_gain": score.expected_gain,
        "threshold": threshold,
        "tier": tier,
        "scorer": args.scorer,
        "reasons": reasons,
    }
    if args.json:
        print(json.dumps(told))
        return 0
    print(f"{tier}: score {score.score:.4f}, threshold {threshold:.4f}, expected gain {score.expected_gain:+.3f}")
    for reason in reasons:
        print(f"  {reason}")
    if args.scorer == "default":
        print("The default scorer is a prior that no logs taught: train on your own.")
    return 0
