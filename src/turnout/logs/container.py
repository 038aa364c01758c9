"""Opens a log by what its bytes are, whatever its name: plain, .gz or a .zip that holds one file; text or Parquet.

Nothing is unpacked to disk or read whole. What cannot be read ends with a LogError that says what to do.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

from turnout.errors import LogError
from turnout.logs.encodings import SNIFFED_BYTES, WESTERN, WESTERN_NOTE, encoding_of, is_western

# Excel's first line of a CSV file, as `sep=;`.
SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?\r?\n", re.I)
FileFormat = Literal["csv", "json-lines", "json", "parquet"]
_DEEPEST = 3
_COMMENTS = re.compile(r"\A(?:#[^\n]*(?:\n\s*|\Z))+")
_DELIMITERS = ",;\t|"
_PARQUET, _GZIP, _ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"
_UTF_32 = "is UTF-32; convert it first: iconv -f UTF-32 -t UTF-8"
# Where a tar archive tells that it is one.
_TAR, _TAR_AT = b"ustar", 257
_WEB_PAGE = (b"<!doctype html", b"<html")
_NOT_A_LOG = {
    b"\x80": "is a Python pickle, which runs code when it is read; write it as Parquet: df.to_parquet('logs.parquet')",
    b"SQLite format 3": "is a SQLite database; export its table as CSV",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook; save the sheet as CSV",
    b"ARROW1": "is an Arrow (Feather) file; write it as Parquet",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it first",
    b"BZh": "is compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "is compressed by xz; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "is a 7z archive; unpack it and name the logs in it",
    b"Rar!\x1a\x07": "is a RAR archive; unpack it and name the logs in it",
    b"Obj\x01": "is an Avro file; write it as Parquet or JSON lines",
    b"ORC": "is an ORC file; write it as Parquet or JSON lines",
    b"\xff\xfe\x00\x00": _UTF_32,
    b"\x00\x00\xfe\xff": _UTF_32,
}
_OFFICE_MEMBERS = ("xl/workbook.xml", "[Content_Types].xml", "mimetype")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLog:
    """A log that is open. text: its characters, newlines as they are; None for Parquet, which `binary` holds.

    delimiter: of CSV alone. Bytes that are not of the encoding become lone surrogates: one bad row, not a bad file;
    where many lines hold such bytes, and they read as Western letters, they are those. note: that it is so, else "".
    """

    format: FileFormat
    binary: IO[bytes]
    text: IO[str] | None = None
    delimiter: str = ","
    note: str = ""


@contextmanager
def open_log(path: Path) -> Iterator[OpenLog]:
    """The log at this path. Raises LogError, which names the path."""
    if path.is_dir():
        raise LogError(f"{path}: is a directory; name the files in it")
    try:
        with path.open("rb") as file, _unpacked(path, file) as binary:
            yield _sniffed(path, binary)
    except EOFError as error:
        raise LogError(
            f"{path}: the compressed file is cut short; get the whole file, "
            f"or keep what is there: gzip -dc {path.name} > whole{path.with_suffix('').suffix or '.csv'}"
        ) from error
    except (zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError) as error:
        raise LogError(f"{path}: the compressed file is damaged, cannot be read: {error}") from error
    except OSError as error:
        raise LogError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _unpacked(path: Path, file: IO[bytes], depth: int = 0) -> Iterator[IO[bytes]]:
    """What the file holds: a .gz may lie in a .zip."""
    head = file.read(32)
    file.seek(0)
    if depth > _DEEPEST:
        raise LogError(f"{path}: is packed more than {_DEEPEST} times over; unpack it first")
    if head.startswith(_GZIP):
        with (
            cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")) as inner,
            _unpacked(Path(path.stem), inner, depth + 1) as unpacked,
        ):
            yield unpacked
    elif head.startswith(_ZIP):
        with zipfile.ZipFile(file) as archive:
            member = _only_member(path, archive)
            with archive.open(member) as inner, _unpacked(Path(member.filename), inner, depth + 1) as unpacked:
                yield unpacked
    elif path.suffix.lower() == ".gz" and b"\x00" in head:
        raise gzip.BadGzipFile("its first bytes are no gzip's")
    else:
        yield file


def _is_litter(name: str) -> bool:
    """What macOS adds to an archive."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith(".")


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [info for info in archive.infolist() if not (info.is_dir() or _is_litter(info.filename))]
    if any(info.filename in _OFFICE_MEMBERS for info in members):
        raise LogError(f"{path}: is a spreadsheet; save its sheet as CSV")
    if len(members) != 1:
        raise LogError(f"{path}: the archive holds {len(members)} files; unpack it and name those that are logs")
    if members[0].flag_bits & 1:
        raise LogError(f"{path}: the archive is encrypted; unpack it first")
    return members[0]


def _sniffed(path: Path, binary: IO[bytes]) -> OpenLog:
    buffered: Any = binary if isinstance(binary, io.BufferedIOBase) else io.BufferedReader(binary)
    head = _peeked(buffered)
    if head.startswith(_PARQUET):
        return OpenLog(format="parquet", binary=buffered)
    for magic, reason in _NOT_A_LOG.items():
        if head.startswith(magic):
            raise LogError(f"{path}: {reason}")
    if head[_TAR_AT:].startswith(_TAR):
        raise LogError(f"{path}: is a tar archive; unpack it and name the logs in it")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:20].lower().startswith(_WEB_PAGE):
        raise LogError(f"{path}: is a web page (HTML), no log; was it downloaded without being logged in?")
    encoding = encoding_of(path, head)
    note = WESTERN_NOTE if encoding == "utf-8-sig" and is_western(head, buffered) else ""
    text = io.TextIOWrapper(buffered, encoding=encoding, errors=WESTERN if note else "surrogateescape", newline="")
    start = head.decode(encoding, "ignore").lstrip()
    # Comments may stand above a table, and above JSON lines.
    bare = _COMMENTS.sub("", start, count=1)
    if not start:
        raise LogError(f"{path}: is empty; the first line names the columns")
    if start[0] == "[" or bare[:1] == "{":
        return OpenLog(format=_json_format(bare), binary=buffered, text=text, note=note)
    return OpenLog(format="csv", binary=buffered, text=text, delimiter=delimiter_of(start), note=note)


def _peeked(buffered: Any) -> bytes:
    """The first bytes, which stay to be read."""
    head: bytes = buffered.read(SNIFFED_BYTES)
    buffered.seek(0)
    return head


def _json_format(start: str) -> FileFormat:
    if start[0] == "[":
        return "json"
    first, newline, rest = start.partition("\n")
    if not newline and _holds_several(first):
        return "json"
    # An object that goes on over several lines, or that is the only one: one document, its rows somewhere inside.
    cut = not newline and len(start) >= SNIFFED_BYTES
    return "json-lines" if cut or (first.rstrip().endswith("}") and (rest.lstrip()[:1] in ("{", ""))) else "json"


def _holds_several(line: str) -> bool:
    """Whether an object follows another one on this line."""
    try:
        _, end = json.JSONDecoder().raw_decode(line)
    except (ValueError, RecursionError):
        return False
    return line[end:].lstrip(" ,\t\x1e")[:1] == "{"


def delimiter_of(start: str) -> str:
    """What separates the fields of a CSV file's header: the one of , ; tab | that stands most in it, unquoted; or what
    Excel's own first line says."""
    if named := SEPARATOR_LINE.match(start):
        return named[1]
    header = re.sub(r'"[^"]*"', "", start.split("\n", 1)[0])
    return max(_DELIMITERS, key=header.count)
