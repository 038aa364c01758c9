"""The rows of CSV: an open quote, a lost field and what stands above or behind the table cost no row without a word."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, Any

from turnout.errors import LogError
from turnout.logs.broken import Broken, Row, check_names
from turnout.logs.container import SEPARATOR_LINE, delimiter_of
from turnout.logs.names import PROMPTS, plain
from turnout.logs.values import number

# A prompt may be a megabyte long; csv's own limit is 128 KiB.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
# The rows at the start of a table that say which of its columns are numeric.
_SHAPING_ROWS = 100
# Those that say whether each row ends in commas that the header lacks; fewer than three say nothing.
_ENDING_ROWS, _FEWEST_ENDING, _NEARLY_EACH = 20, 3, 0.85
# Of each column, whether all that stands there are numbers, and whether one stands behind a blank.
_Shape = dict[int, bool | None]
# The line that a row begins at, its fields, and its lines.
_Parsed = tuple[int, list[str], list[str]]


def csv_rows(file: IO[str], delimiter: str) -> Iterator[tuple[int, Row | Broken]]:
    """Each row with the line that it begins at. Raises LogError, csv.Error."""
    above, begun = _head(file)
    lines = _Remembering(file, begun)
    reader = csv.reader(lines, delimiter=delimiter_of(begun[0]) if above else delimiter)
    header = next((row for row in reader if row and not SEPARATOR_LINE.match(f"{lines.taken[-1].rstrip()}\n")), None)
    if header is None:
        raise LogError("is empty; the first line names the columns")
    header = [name.strip() for name in header]
    check_names(header)
    parsed = _parsed(reader, lines, above)
    first = list(islice(parsed, _ENDING_ROWS))
    ending = _ending([row for _, row, _ in first], len(header))
    return _rows(chain(first, parsed), header, ending, reader.dialect.delimiter)


def _parsed(reader: Any, lines: _Remembering, above: int) -> Iterator[_Parsed]:
    begins = above + reader.line_num + 1
    lines.forget()
    for row in reader:
        yield begins, row, lines.taken
        begins = above + reader.line_num + 1
        lines.forget()


def _rows(
    parsed: Iterable[_Parsed], header: list[str], ending: int, delimiter: str
) -> Iterator[tuple[int, Row | Broken]]:
    """ending: how many empty fields each row has that the header does not name."""
    shape: _Shape = {}
    good, width = 0, len(header)
    for begins, row, taken in parsed:
        if not good and width == 1 < len(row) and plain(header[0]) not in PROMPTS:
            raise LogError(f"its first line, {header[0][:60]!r}, names no columns; remove what stands above the header")
        swallowed = _swallowed(taken, row, width + ending, shape, delimiter) if len(taken) > 1 else 0
        if ending and len(row) == width + ending and not any(map(str.strip, row[width:])):
            row = row[:width]
        if swallowed:
            yield begins, Broken(f"a quote that is not closed swallows {swallowed} rows", rows=1 + swallowed)
        elif len(row) == width:
            if (good := good + 1) < _SHAPING_ROWS:
                shape = _shape_of(row, shape)
            yield begins, dict(zip(header, row, strict=True))
        elif row:
            yield begins, Broken(f"{len(row)} fields where the header names {width}; is a quote missing?")


def _ending(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many empty fields stand at the end of nearly each of these rows, that the header does not name."""
    rows = [row for row in rows if row]
    ends = Counter(len(row) - width for row in rows if not any(map(str.strip, row[width:])))
    more, times = max(ends.items(), key=lambda each: each[1], default=(0, 0))
    return more if more > 0 and times >= max(_FEWEST_ENDING, _NEARLY_EACH * len(rows)) else 0


def _head(file: IO[str]) -> tuple[int, list[str]]:
    """How many lines of comments, `# ...`, stand above the header; and the lines read that are none."""
    above: list[str] = []
    line = ""
    for line in file:
        if line.strip() and not line.startswith("#"):
            break
        above.append(line)
    else:
        return 0, above
    if above and above[-1].startswith("#") and _is_header(above[-1].lstrip("#"), line):
        # As numpy writes it: the header itself begins with the mark.
        bare = above[-1].lstrip("#").lstrip(" ")
        return len(above) - 1, [bare, line]
    return len(above), [line]


def _is_header(line: str, following: str) -> bool:
    """Whether this line names the columns of the next one."""
    delimiter = delimiter_of(line)
    names, cells = ([plain(each) for each in _fields(text, delimiter)] for text in (line, following))
    return (
        len(names) == len(cells)
        and any(name in PROMPTS for name in names)
        and not any(name in PROMPTS for name in cells)
    )


class _Remembering:
    """The lines of a file, those remembered that the row at hand is made of. begun: those that were read of it."""

    def __init__(self, file: IO[str], begun: Sequence[str]) -> None:
        self._lines = chain(begun, file)
        self.taken: list[str] = []

    def __iter__(self) -> _Remembering:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        return line

    def forget(self) -> None:
        # A new list: the row before may still hold its own.
        self.taken = []


def _shape_of(row: Sequence[str], before: _Shape) -> _Shape:
    """The numeric columns of this row that were so before, too. None: a column of other things. An empty cell is
    either."""
    shape = dict(before)
    for place, cell in enumerate(row):
        if shape.get(place, False) is not None and cell.strip():
            shape[place] = cell[:1].isspace() if _is_number(cell) else None
    return shape


def _swallowed(taken: list[str], row: list[str], width: int, shape: _Shape, delimiter: str) -> int:
    """How many of the further lines of a row are rows of their own, that an open quote makes part of it. taken: its
    lines.

    They look like rows: as many fields, numbers where numbers are. Where the quoting is wrong, the row is lost in any
    case, and the fields alone count. 0 where they are lines of one long text.
    """
    if not _is_well_quoted(taken, delimiter):
        return max(1, sum(len(_fields(line, delimiter)) == width for line in taken[1:]))
    # The last line holds the further fields of the row.
    inner, shape = taken[1:-1], shape or _shape_of(row, {})
    alike = sum(_is_alike(_fields(line, delimiter), width, shape) for line in inner)
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
