"""Runs one client's checks in its own environment, and prints what came of them as one line of JSON."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

# The app that Turnout is mounted in.
BASE = os.environ.get("TURNOUT_URL", "http://127.0.0.1:8000")
QUESTION = "What is 2 + 2?"
ANSWER = "It is four."
VECTOR = [0.5, -0.25, 0.125]
# Instead of a result, where a client makes its HTTP client itself: it cannot be given the transport.
NO_WAY_IN = "takes no HTTP client"
# What is to be closed after the checks.
CLOSING: list[Callable[[], object]] = []


class NoWayIn(Exception):
    """What is checked takes no HTTP client, and the checks run in process."""


def holds(good: bool, what: Any) -> None:
    """Raises AssertionError, which says what was there, unless good."""
    if not good:
        raise AssertionError(repr(what)[:300])


def http_client(library: str) -> Any:
    """The `http_client` of an SDK: None over HTTP, which means the SDK's own; in process, one of this library (httpx or
    httpx2) over the transport of a Turnout in this process."""
    return _over_transport(f"{library}.Client")


def async_http_client(library: str) -> Any:
    """The same for an SDK's asynchronous client."""
    return _over_transport(f"{library}.AsyncClient")


def in_process() -> bool:
    """Whether the checks run over the transport of a Turnout in this process, not over HTTP."""
    return "TURNOUT_CONFIG" in os.environ


def _over_transport(name: str) -> Any:
    if not in_process():
        return None
    library, _, client = name.partition(".")
    return getattr(importlib.import_module(library), client)(transport=_turnout().transport())


@cache
def _turnout() -> Any:
    """The one Turnout of this process, from the settings in TURNOUT_CONFIG."""
    made = importlib.import_module("turnout").Turnout(json.loads(os.environ["TURNOUT_CONFIG"]))
    portal = importlib.import_module("turnout.portal")
    CLOSING.append(lambda: portal.run(portal.portal_loop(), made.aclose))
    return made


def report(**checks: Callable[[], None]) -> None:
    """Prints `ok`, NO_WAY_IN or the error of each check by its name."""
    results = {}
    for name, check in checks.items():
        try:
            check()
            results[name] = "ok"
        except NoWayIn:
            results[name] = NO_WAY_IN
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"[:300]
    for close in CLOSING:
        close()
    print(json.dumps(results))
