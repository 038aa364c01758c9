"""The records of a log, one by one: rows of CSV, objects of JSON lines or of one JSON document, rows of Parquet.

A record that cannot be read is given as Broken, with the reason; a file that cannot be read ends with a LogError. Of
all but a document that is one object, nothing is held but one record.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from turnout.errors import LogError
from turnout.install_line import install_line
from turnout.logs.container import SEPARATOR_LINE, OpenLog, open_log
from turnout.logs.fields import field, unpack_json
from turnout.logs.names import PROMPTS, plain
from turnout.logs.values import number

# A prompt may be a megabyte long; csv's own limit is 128 KiB.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
_CHUNK = 1 << 20
_SPACE = " \t\r\n"

Row = Mapping[str, Any]
# Under these names an object holds a list of rows, unless it is a row itself, which one of those names tells.
_WRAPPERS = ("data", "rows", "records", "items", "logs", "examples", "runs", "observations", "traces", "requests",
             "entries", "events", "samples", "results", "dataset", "train", "hits")  # fmt: skip
# promptfoo's document is read as a whole.
_WHOLE = "evalId"
# They name a question where they hold one: an API's answer may tell its request beside the rows.
_BODIES = frozenset({"request", "request_body", "body", "payload"})
_ASKED_IN_BODY = ("messages", "contents", "input", "prompt")


@dataclass(frozen=True, slots=True)
class Broken:
    """Rows that hold no values, and why.

    rows: how many are lost by it. off_scale: a grade outside of its scale. promptless: whether it is whole, but logged
    without its prompt.
    """

    reason: str
    rows: int = 1
    off_scale: float | None = None
    promptless: bool = False


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
        return _csv(log.text, log.delimiter)
    return _json_lines(log.text, prompt) if log.format == "json-lines" else _json(log.text, prompt)


def _csv(file: IO[str], delimiter: str) -> Iterator[tuple[int, Row | Broken]]:
    lines = _Remembering(file)
    reader = csv.reader(lines, delimiter=delimiter)
    header = next((row for row in reader if row and not SEPARATOR_LINE.match(f"{lines.taken[-1].rstrip()}\n")), None)
    if header is None:
        raise LogError("is empty; the first line names the columns")
    header = [name.strip() for name in header]
    _check_names(header)
    begins = reader.line_num + 1
    lines.forget()
    shape: _Shape = {}
    good = 0
    for row in reader:
        if not good and len(header) == 1 < len(row) and plain(header[0]) not in PROMPTS:
            raise LogError(f"its first line, {header[0][:60]!r}, names no columns; remove what stands above the header")
        whole = len(row) == len(header)
        swallowed = _swallowed(lines.taken, row, header, shape, delimiter) if len(lines.taken) > 1 else 0
        if swallowed:
            yield begins, Broken(f"a quote that is not closed swallows {swallowed} rows", rows=1 + swallowed)
        elif whole:
            if (good := good + 1) < _SHAPING_ROWS:
                shape = _shape_of(row, shape)
            yield begins, dict(zip(header, row, strict=True))
        elif row:
            yield begins, Broken(f"{len(row)} fields where the header names {len(header)}; is a quote missing?")
        begins = reader.line_num + 1
        lines.forget()


class _Remembering:
    """The lines of a file, those remembered that the row at hand is made of."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.taken: list[str] = []

    def __iter__(self) -> _Remembering:
        return self

    def __next__(self) -> str:
        line = next(self._file)
        self.taken.append(line)
        return line

    def forget(self) -> None:
        self.taken.clear()


# The rows at the start of a table that say which of its columns are numeric.
_SHAPING_ROWS = 100
# Of each column, whether all that stands there are numbers, and whether one stands behind a blank.
_Shape = dict[int, bool | None]


def _shape_of(row: Sequence[str], before: _Shape) -> _Shape:
    """The numeric columns of this row that were so before, too. None: a column of other things. An empty cell is
    either."""
    shape = dict(before)
    for place, cell in enumerate(row):
        if shape.get(place, False) is not None and cell.strip():
            shape[place] = cell[:1].isspace() if _is_number(cell) else None
    return shape


def _swallowed(taken: list[str], row: list[str], header: list[str], shape: _Shape, delimiter: str) -> int:
    """How many of the further lines of a row are rows of their own, that an open quote makes part of it. taken: its
    lines.

    They look like rows: as many fields, numbers where numbers are. Where the quoting is wrong, the row is lost in any
    case, and the fields alone count. 0 where they are lines of one long text.
    """
    if not _is_well_quoted(taken, delimiter):
        return max(1, sum(len(_fields(line, delimiter)) == len(header) for line in taken[1:]))
    # The last line holds the further fields of the row.
    inner, shape = taken[1:-1], shape or _shape_of(row, {})
    alike = sum(_is_alike(_fields(line, delimiter), len(header), shape) for line in inner)
    return alike if 2 * alike >= len(inner) else 0


def _fields(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _is_well_quoted(lines: list[str], delimiter: str) -> bool:
    """Whether no quote stays open, and each that closes is followed by the next field."""
    try:
        return bool(list(csv.reader(lines, delimiter=delimiter, strict=True)))
    except csv.Error:
        return False


def _is_alike(fields: Sequence[str], width: int, shape: _Shape) -> bool:
    """Whether these are the fields of a row of this shape."""
    if len(fields) != width:
        return False
    cells = [(fields[place], blank) for place, blank in shape.items() if blank is not None and fields[place].strip()]
    return bool(cells) and all(_is_number(cell) and cell[:1].isspace() == blank for cell, blank in cells)


def _is_number(cell: str) -> bool:
    try:
        number(cell, "")
    except ValueError:
        return False
    return True


def _check_names(names: list[str]) -> None:
    if any("\udc80" <= character <= "\udcff" for name in names for character in name):
        raise LogError("its header is not UTF-8; convert the file from what it is: iconv -f ENCODING -t UTF-8")
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise LogError(f"the column {twice[0]!r} stands twice in the header; rename or remove one")


def _json_lines(file: IO[str], prompt: str) -> Iterator[tuple[int, Row | Broken]]:
    for place, line in enumerate(file, 1):
        if line.strip():
            yield from ((place, row) for row in _rows_within(_object(line), prompt))


def _object(line: str) -> Row | Broken:
    try:
        row = json.loads(line)
    except ValueError as error:
        return Broken(f"not JSON ({error})")
    except RecursionError:
        return Broken("not JSON (nested too deep)")
    return row if isinstance(row, dict) else Broken(_no_object(row))


def _no_object(element: Any) -> str:
    if isinstance(element, list):
        return "a list without the columns' names; write objects, as DataFrame.to_json(orient='records') does"
    return "not a JSON object"


def _rows_within(row: Row | Broken, prompt: str) -> Iterable[Row | Broken]:
    """The rows of an object that only wraps them, as an API answers, pandas writes or a dictionary keeps; else the
    row."""
    if isinstance(row, Broken):
        return (row,)
    if (written := _of_pandas(row)) is not None:
        return written
    if _WHOLE in row or _is_row(row, prompt):
        return (row,)
    if len(row) > 1 and all(isinstance(each, dict) and _is_row(each, prompt) for each in row.values()):
        return list(row.values())
    lists = [name for name in _WRAPPERS if isinstance(row.get(name), list) and row[name]]
    if len(lists) != 1 or not all(isinstance(inner, dict) for inner in row[lists[0]]):
        return (row,)
    return list(row[lists[0]])


def _is_row(row: Row, prompt: str) -> bool:
    """Whether it holds a question itself."""
    if prompt and field(row, prompt) is not None:
        return True
    named = [name for name in row if plain(name) in PROMPTS]
    return any(plain(name) not in _BODIES or _is_body(row[name]) for name in named)


def _is_body(value: Any) -> bool:
    value = unpack_json(value)
    return isinstance(value, str | list) or (isinstance(value, dict) and any(name in value for name in _ASKED_IN_BODY))


def _of_pandas(row: Row) -> list[Row | Broken] | None:
    """The rows of `to_json()`, a column an object by row number, and of `orient="split"`; None where it is neither."""
    columns, data = row.get("columns"), row.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(each, list) for each in data):
        names = [str(name) for name in columns]
        _check_names(names)
        return [
            dict(zip(names, each, strict=True)) if len(each) == len(names) else Broken("fields and columns differ")
            for each in data
        ]
    first = next(iter(row.values()), None)
    if not isinstance(first, dict) or len(row) < 2 or not first or not all(str(key).isdigit() for key in first):
        return None
    if any(not isinstance(column, dict) or column.keys() != first.keys() for column in row.values()):
        return None
    return [{name: column[key] for name, column in row.items()} for key in first]


def _json(file: IO[str], prompt: str) -> Iterator[tuple[int, Row | Broken]]:
    """The elements of an array, one at a time; or the one object that the document is."""
    decoder, text, line = json.JSONDecoder(), file.read(_CHUNK), 1
    # What each row begins with, to count those that are lost.
    key = ""
    is_array = text.lstrip().startswith("[")
    before, text = (text[: text.index("[")], text[text.index("[") + 1 :]) if is_array else ("", text)
    line += before.count("\n")
    while True:
        skipped = len(text) - len(text.lstrip(_SPACE + ","))
        line += text.count("\n", 0, skipped)
        text = text[skipped:]
        if is_array and text.startswith("]"):
            # Another array or object may follow, as where several answers of an API are written to one file.
            is_array, text = False, text[1:]
            continue
        if not is_array and text.startswith("["):
            is_array, text = True, text[1:]
            continue
        try:
            element, end = decoder.raw_decode(text)
        except (ValueError, RecursionError) as error:
            # Not at its end yet, or broken: more of the file tells which.
            if more := file.read(max(_CHUNK, len(text))):
                text += more
                continue
            if text or is_array:
                reason = f"not JSON from here on ({error})" if text else "the JSON array is cut short"
                yield line, Broken(reason, rows=max(1, text.count(key)) if key else 1)
            return
        key = key or next((json.dumps(name) for name in element), "") if isinstance(element, dict) else key
        for row in _rows_within(element if isinstance(element, dict) else Broken(_no_object(element)), prompt):
            yield line, row
        line += text.count("\n", 0, end)
        text = text[end:]
        if not is_array and not (text.strip() or (text := file.read(_CHUNK)).strip()):
            return
        if len(text) < _CHUNK // 2:
            text += file.read(_CHUNK)


def _parquet(file: IO[bytes]) -> Iterator[tuple[int, Row | Broken]]:
    try:
        import pyarrow.lib
        import pyarrow.parquet
    except ImportError:
        raise LogError(f"is a Parquet file, which needs pyarrow: {install_line('parquet')}") from None

    place = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            _check_names(list(table.schema_arrow.names))
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
