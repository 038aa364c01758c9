"""Waiting for what another process, or another thread, is to bring about."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], within_s: float = 120.0) -> None:
    """Returns once this is so. The first import of litellm alone takes half a minute on a busy machine."""
    ends = time.monotonic() + within_s
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    assert condition()
