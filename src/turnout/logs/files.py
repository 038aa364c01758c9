"""The files that logs come in, row by row: CSV and JSON lines (also .gz), Parquet. Nothing is held but one row.

A row that cannot be read is told as Broken, with the reason; a file that cannot be read ends with a LogError.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from turnout.errors import LogError

# A prompt may be a megabyte long; csv's own limit is 128 KiB.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")
DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}

# JSON rows may differ, so a name counts as missing when none of this many first ones has it.
NAMING = 100


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that holds no values, and why."""

    reason: str


Row = Mapping[str, Any]
# Is handed the columns of a CSV or Parquet file; raises LogError, without the file's name, where some are missing.
Columns = Callable[[Sequence[str]], None]


def rows_of(path: Path, columns: Columns) -> Iterator[tuple[int, Row | Broken]]:
    """Each row with the line that it begins at, 1 the first (of Parquet: its number). Raises LogError."""
    name = path.name.removesuffix(".gz").lower()
    if not name.endswith(SUFFIXES):
        raise LogError(f"{path}: logs are .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet")
    if path.is_dir():
        raise LogError(f"{path}: is a directory; name the files in it")
    line = 0
    try:
        reader = _parquet(path, columns) if name.endswith(".parquet") else _text(path, name, columns)
        for line, row in reader:
            yield line, row
    except EOFError as error:
        raise LogError(
            f"{path}: the compressed file is cut short after line {line}; get the whole file, "
            f"or keep what is there: gzip -dc {path.name} > whole.{name.rsplit('.', 1)[-1]}"
        ) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise LogError(
            f"{path}: the compressed file is damaged after line {line}, or no gzip; cannot be read: {error}"
        ) from error
    except (OSError, csv.Error) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise LogError(f"{path}: cannot be read: {told}") from error
    except LogError as error:
        raise error if str(error).startswith(f"{path}:") else LogError(f"{path}: {error}") from None


def need(names: Sequence[str], wanted: Sequence[tuple[str, ...]]) -> None:
    """Raises LogError unless of each of the wanted alternatives one is among the names."""
    missing = [options for options in wanted if not set(options) & set(names)]
    if not missing:
        return
    told = ", ".join(" or ".join(options) for options in missing)
    if len(names) == 1 and (word := next((DELIMITERS[each] for each in DELIMITERS if each in names[0]), None)):
        raise LogError(f"no column {told}; the header is one field, separated by {word}? Write the file with commas")
    lower = {name.lower().strip(): name for name in names}
    near = [
        f"{lower[found]!r} for {options[0]!r}"
        for options in missing
        for found in difflib.get_close_matches(options[0], lower, n=1, cutoff=0.6)
    ]
    hint = f"; did you mean {', '.join(near)}? Rename the column" if near else ""
    raise LogError(f"no column {told}; it has {', '.join(names) or 'none'}{hint}")


def _text(path: Path, name: str, columns: Columns) -> Iterator[tuple[int, Row | Broken]]:
    with _opened(path) as file:
        yield from _csv(file, columns) if name.endswith(".csv") else _json_lines(file, columns)


def _opened(path: Path) -> IO[str]:
    # Closed with the wrapper around it.
    raw: Any = gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")  # noqa: SIM115
    # A byte that is not UTF-8 makes one bad row, not a bad file.
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _csv(file: IO[str], columns: Columns) -> Iterator[tuple[int, Row | Broken]]:
    lines = csv.reader(file)
    header = next((row for row in lines if row), None)
    if header is None:
        raise LogError("is empty; the first line names the columns")
    _check_header(header, columns)
    begins = lines.line_num + 1
    for row in lines:
        if len(row) == len(header):
            yield begins, dict(zip(header, row, strict=True))
        elif row:
            yield begins, Broken(f"{len(row)} fields where the header names {len(header)}; is a quote missing?")
        begins = lines.line_num + 1


def _check_header(header: list[str], columns: Columns) -> None:
    if any("\udc80" <= character <= "\udcff" for name in header for character in name):
        raise LogError("is not UTF-8; convert it first, as with iconv -t UTF-8")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise LogError(f"the column {twice[0]!r} stands twice in the header; rename or remove one")
    columns(header)


def _json_lines(file: IO[str], columns: Columns) -> Iterator[tuple[int, Row | Broken]]:
    names: dict[str, None] = {}
    read = 0
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        row = _object(line)
        if read < NAMING:
            names |= dict.fromkeys(row if isinstance(row, dict) else ())
        read += 1
        if read == NAMING:
            columns(list(names))
        yield number, row
    if not read:
        raise LogError("is empty")
    if names and read < NAMING:
        columns(list(names))


def _object(line: str) -> Row | Broken:
    try:
        row = json.loads(line)
    except ValueError as error:
        return Broken(f"not JSON ({error})")
    except RecursionError:
        return Broken("not JSON (nested too deep)")
    return row if isinstance(row, dict) else Broken("not a JSON object")


def _parquet(path: Path, columns: Columns) -> Iterator[tuple[int, Row | Broken]]:
    import pyarrow.lib
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check_header(list(file.schema_arrow.names), columns)
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.lib.ArrowException, UnicodeError, OSError) as error:
        # A missing file is told by its errno; what Arrow finds damaged has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise LogError(f"damaged, or not a Parquet file: {error}") from error
