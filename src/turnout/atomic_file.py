"""Writes a file whole or not at all: the one way in which commands write what they make."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """A new file that takes the path's place when the block ends well; else the path stays as it was. Raises OSError.

    It is made under a fresh name in the same folder, opened so that nothing that is there is taken or followed. The
    path itself is replaced, also where it is a symbolic link; the file that it led to is not touched. Permissions are
    those of the file replaced, else the umask's; private: for the owner alone, where no file is replaced.
    """
    mode = _mode(path, private)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)


def _mode(path: Path, private: bool) -> int:
    with contextlib.suppress(OSError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            return stat.S_IMODE(status.st_mode)
    if private:
        return 0o600
    # The umask can only be read by setting it; these are commands, one thread at work.
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    """The new name survives a power cut too, where the system knows how."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
