"""The arguments of `turnout label`, from text to value."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from importlib import import_module
from typing import TYPE_CHECKING, Any

from turnout.errors import TurnoutError, UsageError

if TYPE_CHECKING:
    from turnout.settings import Rate


def function(name: str) -> Callable[..., Any]:
    """The function of `module:function`, the working directory's modules first. Raises UsageError."""
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        raise UsageError(f"--check {name}: write it as module:function")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        check = getattr(import_module(module), function)
    # Whatever the module does while it is imported, the user gets one line about it.
    except Exception as error:
        raise UsageError(f"--check {name}: {type(error).__name__}: {error}") from error
    if not callable(check):
        raise UsageError(f"--check {name}: is not a function")
    value: Callable[..., Any] = check
    return value


def usd(text: str) -> Decimal:
    try:
        value = Decimal(text.lstrip("$"))
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of USD") from None
    if not value.is_finite() or value <= 0:
        raise argparse.ArgumentTypeError("a budget is more than 0 USD")
    return value


def rate(text: str) -> Rate:
    from turnout.settings import Rate

    try:
        value = Rate.parse(text)
    except TurnoutError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if value.unit != "requests":
        raise argparse.ArgumentTypeError("the rate is of calls, as 60/minute")
    return value


def minutes(text: str) -> float:
    """In seconds."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("patience is 0 minutes or more")
    return value * 60
