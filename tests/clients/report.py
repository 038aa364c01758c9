"""Runs one client's checks in its own environment, and prints what came of them as one line of JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

# The app that Turnout is mounted in.
BASE = os.environ.get("TURNOUT_URL", "http://127.0.0.1:8000")
QUESTION = "What is 2 + 2?"
ANSWER = "It is four."
VECTOR = [0.5, -0.25, 0.125]


def holds(good: bool, what: Any) -> None:
    """Raises AssertionError, which says what was there, unless good."""
    if not good:
        raise AssertionError(repr(what)[:300])


def report(**checks: Callable[[], None]) -> None:
    """Prints `ok`, or the error, of each check by its name."""
    results = {}
    for name, check in checks.items():
        try:
            check()
            results[name] = "ok"
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"[:300]
    print(json.dumps(results))
