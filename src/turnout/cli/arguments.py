"""Arguments that commands share, and the parser of each: it names the nearest option for a wrong one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from turnout.errors import UsageError

# How argparse begins to say so.
MISSING = "the following arguments are required:"
# The most of what a command counts, and of what seeds scikit-learn.
MOST_NUMBER = 10**9
MOST_SEED = 2**32 - 1
MOST_SECONDS = 86_400


class CommandParser(argparse.ArgumentParser):
    """Raises UsageError for wrong use, so that it is told as every other failure is: once, and as JSON where asked."""

    _given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        self._given = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        # First: it is the cause where a required option is missing too.
        wrong = next(self._wrong_options(), None)
        raise UsageError(f"{wrong or self._with_choices(message)}; see {self.prog} --help")

    def _with_choices(self, message: str) -> str:
        """The message that arguments are missing, with what each of them may be."""
        if not message.startswith(MISSING):
            return message
        for action in self._actions:
            if action.choices is not None and not action.option_strings:
                choices = ", ".join(map(str, action.choices))
                message = message.replace(f" {action.dest}", f" {action.dest} ({choices})", 1)
        return message

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        near = get_close_matches(str(value), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(known)}"
        raise argparse.ArgumentError(action, f"there is no {value!r}; {hint}")

    def _wrong_options(self) -> Iterator[str]:
        known = [option for action in actions_of(self) for option in action.option_strings]
        for word in self._given:
            name = word.partition("=")[0]
            if word == "--":
                return
            # argparse takes the beginning of an option for the whole.
            if name.startswith("--") and not any(option.startswith(name) for option in known):
                near = get_close_matches(name, known, n=1, cutoff=0.6)
                yield f"there is no option {name}" + (f", did you mean {near[0]}?" if near else "")


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of those below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from actions_of(below)


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config`, the settings file, in `args.config`."""
    parser.add_argument("--config", default="turnout.toml", metavar="FILE", help="the settings file (turnout.toml)")


def whole_number(least: int, most: int = MOST_NUMBER) -> Callable[[str], int]:
    """The type of an argument that is a whole number within these bounds; what is none is wrong use."""

    def convert(text: str) -> int:
        # As many digits as any bound has: Python converts no more than some thousands.
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else -1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {most}")
        return number

    return convert


def seconds(text: str) -> float:
    """The type of an argument that is a time, at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds from 0 to {MOST_SECONDS}")
    return value
