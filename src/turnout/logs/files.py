"""The records of a log, one by one: rows of CSV, objects of JSON lines or of one JSON document, rows of Parquet.

A record that cannot be read is given as Broken, with the reason; a file that cannot be read ends with a LogError. Of
all but a document that is one object, nothing is held but one record.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from turnout.errors import LogError
from turnout.install_line import install_line
from turnout.logs.broken import Broken, Row, check_names
from turnout.logs.container import OpenLog, open_log
from turnout.logs.csv_rows import csv_rows
from turnout.logs.json_rows import json_lines, json_values

_CHUNK = 1 << 20


def records_of(path: Path, notes: list[str] | None = None, prompt: str = "") -> Iterator[tuple[int, Row | Broken]]:
    """Each record with the line that it begins at, 1 the first (of Parquet: its number). Raises LogError;
    EOFError for a file that is cut short; OSError.

    notes: gains, before the first record, what one should know of the file. prompt: the column that the user says
    holds the question; what holds it is a row, whatever lists it holds besides.
    """
    line = 0
    with open_log(path) as log:
        if notes is not None and log.note:
            notes.append(log.note)
        try:
            for line, record in _records(log, prompt):
                yield line, record
        except LogError as error:
            raise LogError(f"{path}: {error}") from None
        except EOFError as error:
            raise EOFError(f"after line {line}") from error
        except csv.Error as error:
            raise LogError(f"{path}: cannot be read after line {line}: {error}") from error
        except UnicodeError as error:
            raise LogError(f"{path}: is cut short or no UTF-16 after line {line}: {error}") from error


def why_no_rows(path: Path) -> str:
    """What a file holds that holds no record."""
    with open_log(path) as log:
        start = log.text.read(_CHUNK).strip() if log.text is not None else ""
        if start in ("null", "[]", "{}"):
            return f"holds {start} alone, no rows"
        return "is empty but for its header: it holds no rows" if log.format == "csv" else "holds no rows"


def _records(log: OpenLog, prompt: str) -> Iterator[tuple[int, Row | Broken]]:
    if log.text is None:
        return _parquet(log.binary)
    if log.format == "csv":
        return csv_rows(log.text, log.delimiter)
    return json_lines(log.text, prompt) if log.format == "json-lines" else json_values(log.text, prompt)


def _parquet(file: IO[bytes]) -> Iterator[tuple[int, Row | Broken]]:
    try:
        import pyarrow.lib
        import pyarrow.parquet
    except ImportError:
        raise LogError(f"is a Parquet file, which needs pyarrow: {install_line('parquet')}") from None

    place = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            check_names(list(table.schema_arrow.names))
            for batch in table.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    place += 1
                    yield place, {name: _text(value) for name, value in row.items()}
    except (pyarrow.lib.ArrowException, UnicodeError, OSError) as error:
        # A missing file is recognised by its errno; what Arrow finds damaged has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise LogError(f"damaged, or not a Parquet file: {error}") from error


def _text(value: Any) -> Any:
    """The text of bytes, as some writers store it; bytes that are no UTF-8 become lone surrogates."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
