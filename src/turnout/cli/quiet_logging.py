"""Silences log lines while a command runs: they are for apps, and a command prints what matters."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

# The library's own, and litellm's, whose lines may go to standard output.
LOGGERS = ("turnout", "LiteLLM")


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Nothing below an error is logged while the block runs."""
    logs = [logging.getLogger(name) for name in LOGGERS]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)
