"""What litellm and the libraries below it say of a call of ours. It repeats what a provider answered, so it goes to our
own log alone, a line each; what they say of anybody else's call goes where it always went."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

from turnout.redaction import Redactor

log = logging.getLogger("turnout.upstream")

_LOGGERS = ("LiteLLM", "LiteLLM Router")
_MOST = 300
_CALLING: ContextVar[bool] = ContextVar("turnout_calling_litellm", default=False)
_redactor = Redactor(())


@contextmanager
def taking_words() -> Iterator[None]:
    """What is said in this block, and in tasks begun there, is said of a call of ours."""
    token = _CALLING.set(True)
    try:
        yield
    finally:
        _CALLING.reset(token)


def divert_words() -> None:
    """Stands before litellm's loggers and Python's warnings. Once a process."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_others)
    show = warnings.showwarning

    def show_others(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if _CALLING.get():
            _note(str(message))
        else:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = show_others


def _is_others(record: logging.LogRecord) -> bool:
    # Whoever has turned on what is below a warning wants to read all of it there.
    if record.levelno < logging.WARNING or not _CALLING.get():
        return True
    _note(record.getMessage())
    return False


def _note(text: str) -> None:
    log.info("litellm says of a call: %s", _redactor.line(text, _MOST))
