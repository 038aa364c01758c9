"""Reading logs for a command: what its options say of the columns, progress, and what was skipped afterwards."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from turnout.cli import progress
from turnout.cli.labelled_lines import width_of, wrapped
from turnout.errors import LogError, UsageError
from turnout.logs.columns import Columns
from turnout.logs.values import Scale
from turnout.upstream.litellm_import import bundled_prices

EMBEDDINGS = ("auto", "wordllama", "none")


def add_embedding(parser: argparse.ArgumentParser) -> None:
    """The option of the commands that train."""
    parser.add_argument(
        "--embedding",
        choices=EMBEDDINGS,
        default="auto",
        help="what words mean, by a static embedding; asked at training alone (default: auto, where it is installed)",
    )


def add_columns(parser: argparse.ArgumentParser) -> None:
    """The options of every command that takes logs: what the columns mean, where the reader cannot tell."""
    group = parser.add_argument_group(
        "the log's columns",
        "each a name, a dotted path or a JSON pointer (/body/messages); left out: their usual names",
    )
    group.add_argument("--from", dest="source", default="", metavar="FORMAT", help=f"one of {', '.join(formats())}")
    for option, metavar, words in (
        ("--prompt", "COLUMN", "the question, a text or messages"),
        ("--cheap", "NAME", "the cheap answer's quality, or the cheap model's name"),
        ("--expensive", "NAME", "the expensive answer's quality, or the expensive model's name"),
        ("--model", "COLUMN", "which model answered, where each row is one model's"),
        ("--quality", "COLUMN", "how good that answer was"),
        ("--group", "COLUMN", "the request's tag: endpoint, feature, subject"),
        ("--scale", "WORST:BEST", "of the qualities, as 1:5 (5:1 where lower is better)"),
    ):
        group.add_argument(option, default="", metavar=metavar, help=words)


def formats() -> list[str]:
    """The names that --from takes."""
    from turnout.logs.schemas import SCHEMAS

    return sorted({schema.name for schema in SCHEMAS})


def columns_of(args: argparse.Namespace) -> Columns:
    """What the options say. Raises UsageError."""
    try:
        scale = Scale.parse(args.scale) if args.scale else None
    except ValueError as error:
        raise UsageError(f"--scale: {error}") from None
    return Columns(
        source=args.source,
        prompt=args.prompt,
        cheap=args.cheap,
        expensive=args.expensive,
        model=args.model,
        quality=args.quality,
        group=args.group,
        scale=scale,
    )


@cache
def _price_table() -> Mapping[str, Any]:
    return bundled_prices() or {}


def price_of(model: str) -> float | None:
    """What litellm's bundled table says that a token of this model costs, in and out, in USD; None where it does not.

    `gpt-4o`, `openai/gpt-4o` and `openai:gpt-4o` are one model.
    """
    short = model.replace(":", "/").rsplit("/", 1)[-1]
    for name in (model, model.replace(":", "/"), model.partition("/")[2], short):
        if (price := _listed_price(_price_table().get(name))) is not None:
            return price
    return _prices_by_short_name().get(short.lower())


def _listed_price(row: Any) -> float | None:
    if not isinstance(row, Mapping) or not row.get("input_cost_per_token") or not row.get("output_cost_per_token"):
        return None
    return float(row["input_cost_per_token"]) + float(row["output_cost_per_token"])


@cache
def _prices_by_short_name() -> Mapping[str, float]:
    """What open models cost in the middle of those who host them."""
    listed: dict[str, list[float]] = {}
    for name, row in _price_table().items():
        if (price := _listed_price(row)) is not None:
            listed.setdefault(name.rsplit("/", 1)[-1].lower(), []).append(price)
    return {name: median(prices) for name, prices in listed.items()}


def embedding(choice: str) -> Any:
    """The embedding, or None. Raises LogError, which says what to install, where one is asked for but not installed."""
    from turnout.training import embedding

    if choice == "none":
        return None
    return embedding.load_embedding() if choice == "wordllama" else embedding.installed()


def check_there(logs: Sequence[str]) -> None:
    """Raises LogError for a file that is not there: before what reads and learns is imported, which takes seconds."""
    for path in logs:
        if not Path(path).exists():
            raise LogError(f"{path}: cannot be read: No such file or directory")


def read_log_arguments(args: argparse.Namespace, *, most: int, answers: bool = False) -> Any:
    """The logs that a command's arguments name; with the cheap answers where asked for. Raises LogError."""
    from turnout.logs import labelled

    columns = columns_of(args)
    with progress.progress_bar("reading") as bar:
        logs = labelled.read_logs(
            args.logs,
            columns=columns,
            price_of=price_of,
            strict=args.strict,
            most=most,
            seed=args.seed,
            progress=bar,
            answers=answers,
        )
    for line in logs.understood:
        print(line, file=sys.stderr)
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
        print(wrapped(f"warning: {warning}", width_of(sys.stderr)), file=sys.stderr)
