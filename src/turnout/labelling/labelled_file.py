"""The file that labelling appends to: whole rows only, whatever interrupts it, and read again to go on."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from turnout.errors import LogError, UsageError
from turnout.labelling.journal import Journal
from turnout.labelling.prompts import digest_of
from turnout.logs.broken import Broken, Row
from turnout.logs.files import records_of
from turnout.logs.rows import group_of, prompt_of
from turnout.pricing import FREE

COLUMNS = (
    "id", "prompt", "messages", "cheap_quality", "expensive_quality", "cheap_usd", "expensive_usd", "group",
    "cheap_answer", "expensive_answer", "cheap_model",
)  # fmt: skip
HEADER = ",".join(COLUMNS).encode() + b"\n"
REQUIRED = {"cheap_quality", "expensive_quality"}


def check_output(path: Path) -> None:
    """Raises UsageError where nothing could be written, before anything is read or paid for."""
    if not path.name.lower().endswith((".csv", ".jsonl", ".ndjson")):
        raise UsageError(f"{path}: labelled logs are written as .jsonl or .csv, which a row can be added to")
    if path.is_dir():
        raise UsageError(f"{path}: is a directory; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no directory {path.parent}; make it, or name another -o")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path}: cannot be written; name a file in a folder that can")


class LabelledFile:
    """Appends rows to a .jsonl or .csv file. Raises LogError where it cannot be written or holds something else.

    broken: whether its last row is half written, as `journal` knows; it is cut off before the next is added.
    done: the rows that are there, by digest, and what the two answers of each cost in USD.
    """

    def __init__(self, path: Path, journal: Journal) -> None:
        check_output(path)
        self._path = path
        self._journal = journal
        self._csv = path.name.lower().endswith(".csv")
        # The size up to the last whole row, in bytes, and the line end that this row lacks.
        self._end, self._line_end = 0, b""
        self.broken = False
        self.done: dict[str, Decimal] = {}
        try:
            if path.exists() and path.stat().st_size:
                self._find_end()
            if self._end:
                self.done = self._read()
        except OSError as error:
            raise LogError(f"{path}: cannot be read: {error.strerror or error}") from error

    def append(self, row: Mapping[str, Any]) -> None:
        """Writes one row, whole. Raises LogError."""
        line = _csv_line(row, header=not self._end) if self._csv else _json_line(row)
        begin = self._end + len(self._line_end)
        self._journal.begin_append(begin, line)
        try:
            with self._path.open("ab") as file:
                file.truncate(self._end)
                file.write(self._line_end + line)
        except OSError as error:
            raise LogError(f"{self._path}: cannot be written: {error.strerror or error}") from error
        self._end, self._line_end = begin + len(line), b""

    def _find_end(self) -> None:
        size = self._path.stat().st_size
        begin, line = self._journal.last_append() or (size, b"")
        with self._path.open("rb") as file:
            file.seek(begin)
            rest = file.read(len(line))
            # Only a beginning of the very line that was being written is ever cut off.
            if rest and rest != line and begin + len(rest) == size and line.startswith(rest):
                self.broken, self._end = True, begin
                return
            self._end = size
            file.seek(size - 1)
            if file.read() != b"\n":
                file.seek(0)
                self._find_line_end(file.read())

    def _find_line_end(self, content: bytes) -> None:
        """The last line end is missing, as an editor may leave it; or the row is broken off, by whom is not known."""
        # Inside a quoted field, where a quote is doubled, no row has ended.
        if not (content.count(b'"') % 2 == 0 if self._csv else _is_row(content.rpartition(b"\n")[2])):
            raise LogError(f"{self._path}: its last line is not whole; remove that line, or name a new file with -o")
        self._line_end = b"\n"

    def _read(self) -> dict[str, Decimal]:
        done: dict[str, Decimal] = {}
        rows: Iterator[Any] = self._checked(records_of(self._path))
        # The half-written row is none.
        for _, row in (earlier for earlier, _ in pairwise(rows)) if self.broken else rows:
            if isinstance(row, Broken):
                continue
            try:
                digest = digest_of(prompt_of(row), group_of(row))
            except ValueError:
                continue
            done[digest] = _usd(row.get("cheap_usd")) + _usd(row.get("expensive_usd"))
        return done

    def _checked(self, rows: Iterator[tuple[int, Row | Broken]]) -> Iterator[tuple[int, Row | Broken]]:
        """The rows. Raises LogError where the file holds other columns than labelling writes."""
        if self._csv:
            with self._path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                self._check(tuple(next(csv.reader(file), ())) == COLUMNS)
        for number, (line, row) in enumerate(rows):
            if not (number or self._csv or isinstance(row, Broken)):
                self._check(_is_labelled(row))
            yield line, row

    def _check(self, is_labelled: bool) -> None:
        if not is_labelled:
            raise LogError(f"{self._path}: has other columns than labelling writes; name a new file with -o")


def _is_labelled(row: Row) -> bool:
    names = set(row)
    return names >= REQUIRED and not names.isdisjoint(("prompt", "messages"))


def _usd(value: Any) -> Decimal:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return FREE
    return Decimal(repr(number)) if math.isfinite(number) and number > 0 else FREE


def _is_row(line: bytes) -> bool:
    try:
        return "expensive_quality" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _json_line(row: Mapping[str, Any]) -> bytes:
    fields = {name: row[name] for name in COLUMNS if row.get(name) is not None and row.get(name) != ""}
    return _utf8(json.dumps(fields, ensure_ascii=False)) + b"\n"


def _csv_line(row: Mapping[str, Any], *, header: bool) -> bytes:
    out = io.StringIO()
    # Every text quoted: a lone "\r" ends a row for whoever reads it, but needs no quotes for Python's writer.
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerow(
        _cell(row.get(name)) for name in COLUMNS
    )
    return (HEADER if header else b"") + _utf8(out.getvalue())


def _utf8(text: str) -> bytes:
    # An answer may hold a lone surrogate, which no UTF-8 does; a prompt never.
    return text.encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
