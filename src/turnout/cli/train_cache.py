"""`turnout train-cache PAIRS -o FILE`: a verifier for the semantic cache from your own labelled pairs of questions."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from turnout.cli import output_files

MOST_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pairs",
        metavar="PAIRS",
        help="a CSV file (also .gz) of the columns text_a, text_b and label: 1 where one answer serves both, else 0",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the verifier file to write")
    parser.add_argument("--strict", action="store_true", help="stop at bad rows instead of skipping them")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Trains, writes exactly the file named, and says what it is worth on pairs put aside."""
    from turnout.caching.semantic.embedders import WordllamaEmbedder
    from turnout.errors import LogError
    from turnout.training import train_cache

    output_files.check_verifier(args.output, args.pairs)
    pairs = train_cache.read_pairs(Path(args.pairs))
    for problem in pairs.skipped[:MOST_SHOWN]:
        print(f"{args.pairs}: {problem}", file=sys.stderr)
    if args.strict and pairs.skipped:
        raise LogError(f"{args.pairs}: {len(pairs.skipped)} bad rows, and --strict is set")
    verifier = train_cache.train_pairs(pairs, WordllamaEmbedder().embed_all, embedder="wordllama").verifier
    with output_files.naming_write_errors(args.output):
        Path(args.output).write_text(verifier.dumps(), "utf-8")
    summary = {"file": args.output, "skipped": len(pairs.skipped), **verifier.summary}
    print(json.dumps(summary) if args.json else _text(summary))
    return 0


def _text(summary: dict[str, object]) -> str:
    return (
        f"trained on {summary['pairs']} pairs ({summary['same']} with one answer, {summary['skipped']} rows skipped), "
        f"wrote {summary['file']}\n"
        f"on pairs put aside: AUC {summary['auc']}, Brier score {summary['brier']}\n"
        f'[cache.semantic] verifier = "{summary["file"]}" serves by it'
    )
