"""Runs one client's checks in its own environment, and prints what came of them as one line of JSON."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from typing import Any

# The app that Turnout is mounted in.
BASE = os.environ.get("TURNOUT_URL", "http://127.0.0.1:8000")
QUESTION = "What is 2 + 2?"
ANSWER = "It is four."
VECTOR = [0.5, -0.25, 0.125]
# What is to be closed after the checks.
CLOSING: list[Callable[[], object]] = []


def holds(good: bool, what: Any) -> None:
    """Raises AssertionError, which says what was there, unless good."""
    if not good:
        raise AssertionError(repr(what)[:300])


def options(http_library: str) -> dict[str, Any]:
    """What an SDK's client is given besides: nothing over HTTP; with the settings of a Turnout in TURNOUT_CONFIG, an
    HTTP client of this library over that Turnout's transport, in this process."""
    config = os.environ.get("TURNOUT_CONFIG")
    if not config:
        return {}
    made = importlib.import_module("turnout").Turnout(json.loads(config))
    portal = importlib.import_module("turnout.portal")
    http = importlib.import_module(http_library).Client(transport=made.transport())
    CLOSING.extend((http.close, lambda: portal.run(portal.portal_loop(), made.aclose)))
    return {"http_client": http}


def report(**checks: Callable[[], None]) -> None:
    """Prints `ok`, or the error, of each check by its name."""
    results = {}
    for name, check in checks.items():
        try:
            check()
            results[name] = "ok"
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"[:300]
    for close in CLOSING:
        close()
    print(json.dumps(results))
