"""Labelled logs: a row a request, with how good each tier's answer was.

CSV (also .gz), JSON lines (also .gz) or Parquet. Required: `prompt` (or `messages`), `cheap_quality`,
`expensive_quality` in [0, 1]. Optional: `group`, `cheap_usd`, `expensive_usd`, `weight`, `id`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from turnout.errors import InvalidRequest, LogError
from turnout.messages import as_messages
from turnout.ports import Query

Floats = NDArray[np.float64]

# A prompt may be a megabyte long; csv's own limit is 128 KiB.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
# How many bad rows are named one by one.
NAMED = 20


@dataclass(frozen=True)
class Logs:
    """queries: [n]. cheap, expensive: qualities, [n]. cheap_usd, expensive_usd: [n], nan where not told.

    bad: the first rows that were skipped, as `file:line: reason`; skipped: how many.
    """

    queries: list[Query]
    cheap: Floats
    expensive: Floats
    cheap_usd: Floats
    expensive_usd: Floats
    bad: list[str] = field(default_factory=list)
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def gain(self) -> Floats:
        """Expensive minus cheap quality, [n], in [-1, 1]."""
        return self.expensive - self.cheap

    @property
    def groups(self) -> list[str]:
        return [query.tag for query in self.queries]

    @property
    def has_costs(self) -> bool:
        return bool(len(self) and np.isfinite(self.cheap_usd).all() and np.isfinite(self.expensive_usd).all())

    def part(self, rows: Sequence[int] | NDArray[np.intp]) -> Logs:
        """The logs of some rows."""
        at = np.asarray(rows, dtype=np.intp)
        return Logs(
            [self.queries[row] for row in at],
            self.cheap[at], self.expensive[at], self.cheap_usd[at], self.expensive_usd[at],
        )  # fmt: skip

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Logs:
        """The logs of rows already in memory. Raises LogError at the first bad one."""
        return _gathered((("row", number, row) for number, row in enumerate(rows, 1)), strict=True)


def read(paths: Sequence[str | Path], *, strict: bool = False) -> Logs:
    """The logs in these files, bad rows skipped and counted. Raises LogError: for a file that cannot be read,
    for a file without the required columns, with `strict` for the first bad row, and where no row is good."""
    logs = _gathered((row for path in paths for row in _rows(Path(path))), strict=strict)
    if not len(logs):
        raise LogError("no good row in these logs" + (f"; the first bad one: {logs.bad[0]}" if logs.bad else ""))
    return logs


def _gathered(rows: Iterable[tuple[str, int, Mapping[str, Any]]], *, strict: bool) -> Logs:
    queries: list[Query] = []
    numbers: list[tuple[float, float, float, float]] = []
    bad: list[str] = []
    skipped = 0
    for name, line, row in rows:
        try:
            query, told = _row(row)
        except ValueError as error:
            where = f"{name}:{line}: {error}"
            if strict:
                raise LogError(where) from error
            skipped += 1
            if len(bad) < NAMED:
                bad.append(where)
            continue
        queries.append(query)
        numbers.append(told)
    columns = np.array(numbers, dtype=np.float64).reshape(len(numbers), 4)
    cheap, expensive, cheap_usd, expensive_usd = (columns[:, place].copy() for place in range(4))
    return Logs(queries, cheap, expensive, cheap_usd, expensive_usd, bad, skipped)


def _row(row: Mapping[str, Any]) -> tuple[Query, tuple[float, float, float, float]]:
    prompt = row.get("messages") or row.get("prompt")
    if isinstance(prompt, str) and row.get("messages"):
        prompt = json.loads(prompt)
    if prompt is None or prompt == "":
        raise ValueError("prompt is empty")
    try:
        messages = as_messages(prompt)
    except InvalidRequest as error:
        raise ValueError(error.message) from error
    tag = row.get("group")
    told = (
        _quality(row, "cheap_quality"),
        _quality(row, "expensive_quality"),
        _optional(row, "cheap_usd"),
        _optional(row, "expensive_usd"),
    )
    return Query(messages=messages, tag="" if tag is None else str(tag)), told


def _quality(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}, not a number") from None
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} is {number:g}, outside [0, 1]")
    return number


def _optional(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if value is None or value == "":
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}, not a number") from None
    if number < 0 or not math.isfinite(number):
        raise ValueError(f"{name} is {number:g}; costs are 0 or more")
    return number


# ------------------------------------------------------------------------------------------- the formats


def _rows(path: Path) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    name = path.name.removesuffix(".gz").lower()
    try:
        if name.endswith(".parquet"):
            yield from _parquet(path)
            return
        with _opened(path) as file:
            if name.endswith((".jsonl", ".ndjson")):
                yield from _json_lines(path, file)
            elif name.endswith(".csv"):
                yield from _csv(path, file)
            else:
                raise LogError(f"{path}: logs are .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet")
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise LogError(f"{path}: cannot be read: {error}") from error


def _opened(path: Path) -> IO[str]:
    # Closed with the wrapper around it.
    raw: Any = gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _csv(path: Path, file: IO[str]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    rows = csv.DictReader(file)
    _columns(path, rows.fieldnames or ())
    for row in rows:
        yield str(path), rows.line_num, row


def _json_lines(path: Path, file: IO[str]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            # A broken line is a bad row, not the end of the file.
            yield str(path), number, row if isinstance(row, dict) else {}


def _parquet(path: Path) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    import pyarrow.lib
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        _columns(path, file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(batch_size=4096):
            for row in batch.to_pylist():
                number += 1
                yield str(path), number, row
    except pyarrow.lib.ArrowException as error:
        raise LogError(f"{path}: not a Parquet file that can be read: {error}") from error


def _columns(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in ("cheap_quality", "expensive_quality") if name not in names]
    if "prompt" not in names and "messages" not in names:
        missing.insert(0, "prompt (or messages)")
    if missing:
        raise LogError(f"{path}: no column {', '.join(missing)}; it has {', '.join(names) or 'none'}")
