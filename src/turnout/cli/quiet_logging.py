"""Silences the library's log lines while a command runs: they are for apps, and a command prints what matters."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Nothing below an error is logged while the block runs."""
    log = logging.getLogger("turnout")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
