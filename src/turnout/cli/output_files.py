"""Checks a command's output files before its work is done: writable, and never over another kind of file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from turnout.errors import TurnoutError, UsageError
from turnout.install_line import install_line

# In the head of a report, by which it is known as ours.
REPORT_MARK = '<meta name="generator" content="turnout">'
_PNG = b"\x89PNG"
# plots.MARKS, in the first chunks of the file.
_OUR_MARK, _CHUNKS_BYTES = b"tEXtSoftware\x00turnout", 2048
_OUR_SVG_MARK = b"<dc:title>turnout</dc:title>"


def check_scorer(path: str, logs: Sequence[str]) -> None:
    """Raises UsageError where a scorer file cannot or should not be written."""
    from turnout.routing import artifact

    _check(Path(path), logs, "-o", "a scorer file", artifact.is_ours)


def check_verifier(path: str, pairs: str) -> None:
    """Raises UsageError where a verifier file cannot or should not be written."""
    from turnout.caching.semantic import verifier

    _check(Path(path), [pairs], "-o", "a verifier file", verifier.is_ours)


def check_plot(path: str | None, logs: Sequence[str]) -> None:
    """Raises UsageError where a picture cannot or should not be written. None: none is asked for."""
    if path is not None:
        _check(Path(path), logs, "--plot", "a picture that turnout drew", _is_our_picture)
        if Path(path).suffix.lower() not in (".png", ".svg", ""):
            stem = Path(path).stem
            raise UsageError(f"--plot {path}: the picture is a PNG or an SVG; name it {stem}.png or {stem}.svg")
        if find_spec("matplotlib") is None:
            raise TurnoutError(f"--plot needs matplotlib: {install_line('plots')}")


def check_report(path: str | None, logs: Sequence[str], option: str = "--report") -> None:
    """Raises UsageError where a report cannot or should not be written. None: none is asked for."""
    if path is not None:
        _check(Path(path), logs, option, "a report that turnout wrote", _is_our_report)
        if Path(path).suffix.lower() not in (".html", ".htm", ""):
            raise UsageError(f"--report {path}: the report is HTML; name it {Path(path).stem}.html")


def check_place(path: Path, option: str) -> None:
    """Raises UsageError where no file can be written there."""
    folder, advice = path.parent, f"name another file with {option}"
    if path.is_dir() or not folder.is_dir():
        raise UsageError(f"{path if path.is_dir() else folder} is {'' if path.is_dir() else 'not '}a folder; {advice}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"{path} cannot be written here; {advice}")


def check_different(scorer: str, picture: str | None) -> None:
    """Raises UsageError where the scorer file and the picture are one file, by whatever two names."""
    if picture is not None and _is_same_file(Path(scorer), Path(picture)):
        raise UsageError(f"{picture} is what -o names too; name another file with --plot")


@contextmanager
def naming_write_errors(path: str) -> Iterator[None]:
    """Raises TurnoutError, which names the file, where writing it fails all the same."""
    try:
        yield
    except OSError as error:
        raise TurnoutError(f"{path}: cannot be written: {error.strerror or error}") from error


def _check(path: Path, logs: Sequence[str], option: str, kind: str, is_kind: Callable[[Path], bool]) -> None:
    advice = f"name another file with {option}"
    if any(Path(log).exists() and path.exists() and path.samefile(log) for log in logs):
        raise UsageError(f"{path} is one of the logs; {advice}")
    check_place(path, option)
    if path.exists() and path.stat().st_size and not is_kind(path):
        raise UsageError(f"{path} exists and is not {kind}; remove it, or {advice}")


def _is_same_file(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def _is_our_report(path: Path) -> bool:
    with path.open("rb") as file:
        return REPORT_MARK.encode() in file.read(_CHUNKS_BYTES)


def _is_our_picture(path: Path) -> bool:
    """Whether the picture says of itself that it was drawn here: a PNG's text chunk, an SVG's metadata."""
    with path.open("rb") as file:
        head = file.read(_CHUNKS_BYTES)
    return (head.startswith(_PNG) and _OUR_MARK in head) or (b"<svg" in head and _OUR_SVG_MARK in head)
