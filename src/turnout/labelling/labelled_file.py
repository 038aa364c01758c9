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

from turnout.errors import LogError
from turnout.labelling.prompts import digest_of
from turnout.logs.files import Broken, need, rows_of
from turnout.logs.rows import group_of, prompt_of
from turnout.pricing import FREE

COLUMNS = (
    "id", "prompt", "messages", "cheap_quality", "expensive_quality", "cheap_usd", "expensive_usd", "group",
    "cheap_answer", "expensive_answer",
)  # fmt: skip


def check(path: Path) -> None:
    """Raises LogError where nothing could be written, before anything is read or paid for."""
    if not path.name.lower().endswith((".csv", ".jsonl", ".ndjson")):
        raise LogError(f"{path}: labelled logs are written as .jsonl or .csv, which a row can be added to")
    if path.is_dir():
        raise LogError(f"{path}: is a directory; name a file in it")
    if not path.parent.is_dir():
        raise LogError(f"{path}: there is no directory {path.parent}; make it, or name another -o")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise LogError(f"{path}: cannot be written; name a file in a folder that can")


class LabelledFile:
    """Appends rows to a .jsonl or .csv file. Raises LogError where it cannot be written or holds something else.

    broken: whether its last row is half written; it is cut off before the next is added. done: the rows that are there,
    by digest, and what the two answers of each cost in USD.
    """

    def __init__(self, path: Path) -> None:
        check(path)
        self._path = path
        self._csv = path.name.lower().endswith(".csv")
        # Where the last whole row ends, and what its line end lacks.
        self._end: int | None = None
        self._lacking = b""
        try:
            if path.exists():
                self._look()
            self.done = self._read() if path.exists() and self._whole_bytes() else {}
        except OSError as error:
            raise LogError(f"{path}: cannot be read: {error.strerror or error}") from error
        self.broken = self._end is not None
        self._file: int | None = None

    def append(self, row: Mapping[str, Any]) -> None:
        """Writes one row, whole. Raises LogError."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                self._heal()
            self._write(_csv_line(row) if self._csv else _json_line(row))
        except OSError as error:
            raise LogError(f"{self._path}: cannot be written: {error.strerror or error}") from error

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, line: bytes) -> None:
        assert self._file is not None
        while line:
            line = line[os.write(self._file, line) :]

    def _heal(self) -> None:
        assert self._file is not None
        if self._end is not None:
            os.ftruncate(self._file, self._end)
        self._write(self._lacking)
        if self._csv and not os.fstat(self._file).st_size:
            self._write(HEADER)

    def _whole_bytes(self) -> int:
        return self._path.stat().st_size if self._end is None else self._end

    def _look(self) -> None:
        """Finds what follows the last whole row: an interrupted write, never more than one row."""
        end, quotes, size = 0, 0, 0
        with self._path.open("rb") as file:
            first = file.readline()
            file.seek(0)
            for line in file:
                size += len(line)
                quotes += line.count(b'"') if self._csv else 0
                # Inside a quoted field a line end ends no row: quotes are doubled in it, so it opens on an odd one.
                if line.endswith(b"\n") and quotes % 2 == 0:
                    end = size
            if end == size:
                return
            file.seek(end)
            rest = file.read()
        if not self._csv and _is_row(rest):
            self._lacking = b"\n"
            return
        if not self._ours(first if end else b"", rest):
            raise LogError(f"{self._path}: is not what labelling wrote; name a new file with -o")
        self._end = end

    def _ours(self, first: bytes, rest: bytes) -> bool:
        """Whether a file of this first line may end in a half-written row of ours. Nobody else's is ever cut."""
        if self._csv:
            return first == HEADER or (not first and HEADER.startswith(rest))
        return (_is_row(first) or not first) and rest.startswith(ROW_BEGINS[: len(rest)]) and not _is_json(rest)

    def _read(self) -> dict[str, Decimal]:
        done: dict[str, Decimal] = {}
        wanted = (("prompt", "messages"), ("cheap_quality",), ("expensive_quality",))
        rows = rows_of(self._path, lambda names: self._columns(names, wanted))
        for _, row in rows if self._end is None else _but_the_last(rows):
            if isinstance(row, Broken):
                continue
            try:
                digest = digest_of(prompt_of(row), group_of(row))
            except ValueError:
                continue
            done[digest] = _usd(row.get("cheap_usd")) + _usd(row.get("expensive_usd"))
        return done

    def _columns(self, names: Any, wanted: Any) -> None:
        need(names, wanted)
        if self._csv and tuple(names) != COLUMNS:
            raise LogError("has other columns than labelling writes; name a new file with -o")


def _but_the_last(rows: Iterator[Any]) -> Iterator[Any]:
    """The half-written one is none."""
    return (row for row, _ in pairwise(rows))


def _usd(told: Any) -> Decimal:
    try:
        number = float(told)
    except (TypeError, ValueError):
        return FREE
    return Decimal(repr(number)) if math.isfinite(number) and number > 0 else FREE


def _is_row(line: bytes) -> bool:
    """Whether the line is a whole row, though its line end may be missing, as an editor leaves it."""
    try:
        return "expensive_quality" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _json_line(row: Mapping[str, Any]) -> bytes:
    kept = {name: row[name] for name in COLUMNS if row.get(name) is not None and row.get(name) != ""}
    return _utf8(json.dumps(kept, ensure_ascii=False)) + b"\n"


def _csv_line(row: Mapping[str, Any]) -> bytes:
    out = io.StringIO()
    told = {name: _field(row.get(name)) for name in COLUMNS}
    # Every text quoted: a lone "\r" ends a row for whoever reads it, but needs no quotes for Python's writer.
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerow(told.values())
    return _utf8(out.getvalue())


def _utf8(text: str) -> bytes:
    # An answer may hold a lone surrogate, which no UTF-8 does; a prompt never.
    return text.encode("utf-8", "replace")


def _field(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


HEADER = ",".join(COLUMNS).encode() + b"\n"
ROW_BEGINS = b'{"id": "'
