"""The encoding of a text file, told by its bytes: UTF-8, UTF-16, or the Western letters of Latin-1 and Windows-1252."""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnout.errors import LogError

# Looked at to tell what a file is. A header of a thousand columns is shorter.
SNIFFED_BYTES = 65_536
# Looked at at a time where a file's start does not tell its encoding.
_SCANNED_BYTES, _LONGEST_LINE = 1 << 20, 1 << 24
# Of the lines, so many that are no UTF-8 are no damage but another encoding.
_MANY_LINES = 0.02
WESTERN, _HIGH_BYTES = "turnout-western", re.compile(rb"[\x80-\xff]+")
_WESTERN_MARKS = frozenset("‘’“”„‚–—…€°§«»¿¡·\u00a0")
WESTERN_NOTE = (
    "is not UTF-8 throughout: what is not is read as Latin-1 (Windows-1252); where it is of another encoding, "
    "convert it first: iconv -f ENCODING -t UTF-8"
)


def _western(error: UnicodeError) -> tuple[str, int]:
    """Reads the bytes that are no UTF-8 as Windows-1252, of which Latin-1's letters are a part."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return wrong.decode("ascii", "surrogateescape"), error.end


codecs.register_error(WESTERN, _western)


@dataclass(slots=True)
class _Lines:
    """How many lines there are, how many hold bytes that are no UTF-8, and what these bytes read as."""

    seen: int = 0
    wrong: int = 0
    high: int = 0
    in_words: int = 0
    readable: int = 0

    def add(self, chunk: bytes) -> None:
        """Adds whole lines."""
        self.seen += chunk.count(b"\n") or 1
        if chunk.isascii() or _is_utf8(chunk):
            return
        for line in chunk.split(b"\n"):
            if _is_utf8(line):
                continue
            self.wrong += 1
            for run in _HIGH_BYTES.findall(line):
                self.high += len(run)
                self.in_words += len(run) if len(run) > 2 else 0
                decoded = run.decode("cp1252", "replace")
                self.readable += sum(each.isalpha() or each in _WESTERN_MARKS for each in decoded)

    @property
    def is_western(self) -> bool:
        """Whether many are no UTF-8, and read as the letters of Western languages: one or two among ASCII ones.
        Cyrillic, Greek and Japanese texts hold whole words of them."""
        if self.wrong < 2 or self.wrong < _MANY_LINES * self.seen:
            return False
        return 10 * self.in_words <= self.high and 2 * self.readable >= self.high


def is_western(head: bytes, file: Any) -> bool:
    """Whether the file's first lines are Western ones, or all of its lines. Damage is left to the reader."""
    lines = _Lines()
    # The last line may be cut within a character.
    lines.add(head.rpartition(b"\n")[0] or head)
    if lines.is_western or len(head) < SNIFFED_BYTES:
        return lines.is_western
    lines, rest = _Lines(), b""
    with suppress(EOFError, OSError, zlib.error, zipfile.BadZipFile):
        while chunk := file.read(_SCANNED_BYTES):
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            if newline:
                lines.add(whole)
            elif len(rest) > _LONGEST_LINE:
                break
        lines.add(rest)
    file.seek(0)
    return lines.is_western


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def encoding_of(path: Path, head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # Without a byte-order mark: every other byte of Western text is zero.
    zeros = (head[0:200:2].count(0), head[1:200:2].count(0))
    if max(zeros) > 60 * min(len(head), 200) // 200 // 2:
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    # A text may hold a few; one bad character is one bad row.
    if 20 * head.count(0) > len(head):
        raise LogError(f"{path}: is not text (it holds zero bytes); logs are CSV, JSON or Parquet")
    return "utf-8-sig"
