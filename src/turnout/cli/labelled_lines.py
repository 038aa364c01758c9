"""Lines that begin with a label in a column of its own."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TextIO

# Of a terminal that is narrower there is no use in wrapping.
LEAST_WIDTH = 40


def terminal_width() -> int | None:
    """The columns of the terminal that standard output is; None where it is none: each line is then one, for grep."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal that the stream is; None where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None


def wrapped(text: str, width: int | None) -> str:
    """Each line that is longer wrapped to this width, a little further in below itself. None: as it is."""
    if width is None:
        return text
    return "\n".join(line if len(line) <= width else _wrapped(line, width) for line in text.splitlines())


def _wrapped(line: str, width: int) -> str:
    indent = len(line) - len(line.lstrip())
    return labelled(" " * indent, line.lstrip(), indent, width, hang=2)


def labelled(label: str, text: str, indent: int, width: int | None, hang: int = 0) -> str:
    """The text beside its label; wrapped to this width below itself, so much further in. None: as it is."""
    first = label.ljust(indent)
    if width is None or width < LEAST_WIDTH:
        return f"{first}{text}"
    wrapper = textwrap.TextWrapper(width, initial_indent=first, subsequent_indent=" " * (indent + hang))
    # Names of models and files stay whole.
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.fill(text)
