"""A file that lines are appended to, whole: workers may share it, and a line that a full disk cut is ended first."""

from __future__ import annotations

import os
from pathlib import Path


class LineFile:
    """Opened when first used, and anew when it was renamed or removed: logrotate needs no signal. One thread at a
    time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._torn = False

    def append(self, lines: bytes) -> None:
        """Appends whole lines. Raises OSError."""
        file = self._reopened()
        # What a full disk cut short is ended before the next line begins: one line is lost then, not two.
        lines = b"\n" + lines if self._torn else lines
        while lines:
            written = os.write(file, lines)
            self._torn = lines[written - 1 : written] != b"\n"
            lines = lines[written:]

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _reopened(self) -> int:
        if self._file is not None and not _is_open_file(self._path, self._file):
            self.close()
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            self._torn = _ends_torn(self._path)
        return self._file


def _is_open_file(path: Path, file: int) -> bool:
    """Whether the path leads to the open file, not to another."""
    try:
        at_path, opened = os.stat(path), os.fstat(file)
    except OSError:
        return False
    return (at_path.st_dev, at_path.st_ino) == (opened.st_dev, opened.st_ino)


def _ends_torn(path: Path) -> bool:
    """Whether the last line of this file was not written to its end, by a process that was killed or a full disk."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"
