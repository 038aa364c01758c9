"""`turnout demo`: the whole thing on loopback, with a summary of what was saved and what was given up."""

from __future__ import annotations

import argparse
import json

from turnout.cli.arguments import MOST_SEED, whole_number
from turnout.cli.quiet_logging import quiet_logging


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--serve", action="store_true", help="leave the app up afterwards, with curl lines to try")
    parser.add_argument("--seed", type=whole_number(0, MOST_SEED), default=7, help="which tasks are drawn (default: 7)")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when no request failed, else 1."""
    from turnout.demo import run as demo

    with quiet_logging():
        summary = demo.run(seed=args.seed, quiet=args.json, serve=args.serve)
    if args.json:
        print(json.dumps(summary))
    return 0 if summary["errors"] == 0 else 1
