"""Reads labelled logs for a command, with a progress bar, and reports the skipped rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from turnout.cli import progress

EMBEDDINGS = ("auto", "wordllama", "none")


def add_embedding(parser: argparse.ArgumentParser) -> None:
    """The option of the commands that train."""
    parser.add_argument(
        "--embedding",
        choices=EMBEDDINGS,
        default="auto",
        help="what words mean, by a static embedding; asked at training alone (default: auto, where it is installed)",
    )


def embedding(choice: str) -> Any:
    """The embedding, or None. Raises LogError, which says what to install, where one is asked for in vain."""
    from turnout.training import embedding

    if choice == "none":
        return None
    return embedding.load() if choice == "wordllama" else embedding.installed()


def read(paths: Sequence[str], *, strict: bool, most: int, seed: int = 0) -> Any:
    """The logs in these files. Raises LogError."""
    from turnout.logs import labelled as labelled_logs

    with progress.progress_bar("reading") as bar:
        logs = labelled_logs.read(paths, strict=strict, most=most, seed=seed, progress=bar)
    for line in logs.bad:
        print(f"skipped {line}", file=sys.stderr)
    if logs.skipped > len(logs.bad):
        print(f"skipped {logs.skipped - len(logs.bad)} more rows", file=sys.stderr)
    if len(logs) < logs.rows:
        print(f"{logs.rows} good rows; using {len(logs)} of them, drawn evenly", file=sys.stderr)
    return logs


def warn(warnings: Sequence[str]) -> None:
    """Prints each on standard error, also where standard output holds JSON."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
