"""Lines that begin with a label in a column of its own."""

from __future__ import annotations

import shutil
import sys
import textwrap

# Of a terminal that is narrower there is no use in wrapping.
LEAST_WIDTH = 40


def terminal_width() -> int | None:
    """The columns of the terminal that standard output is; None where it is none: each line is then one, for grep."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def labelled(label: str, text: str, indent: int, width: int | None) -> str:
    """The text beside its label; wrapped to this width below itself. None: as it is."""
    first = label.ljust(indent)
    if width is None or width < LEAST_WIDTH:
        return f"{first}{text}"
    wrapper = textwrap.TextWrapper(width, initial_indent=first, subsequent_indent=" " * indent)
    # Names of models and files stay whole.
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.fill(text)
