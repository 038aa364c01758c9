"""The `turnout` command: one module a command, imported only when it is run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

from turnout import __version__
from turnout.cli.arguments import CommandParser
from turnout.cli.labelled_lines import width_of, wrapped
from turnout.errors import TurnoutError, UsageError

# Name -> description: here, so that listing the commands imports none. Each is a module here with
# add_arguments(parser) and run(args) -> exit code.
COMMANDS = {
    "demo": "see it work: loopback providers, a real app, real traffic, a summary; no keys, no network",
    "init": "write a commented turnout.toml for the project at hand, and say the line to add",
    "serve": "serve the endpoints alone, with no app of yours behind them",
    "inspect": "say what a log holds and how it would be read, before anything is trained or paid",
    "train": "train a scorer from your own labelled logs",
    "train-cache": "train the semantic cache's verifier from labelled pairs of questions",
    "evaluate": "what a scorer is worth on labelled logs",
    "score": "score one text: tier, expected gain and the reasons",
    "label": "make labelled logs: replay prompts on both tiers, judge the answers",
    "worker": "work on the queue's jobs",
    "warm": "make answers ahead: fill the shared cache from a file, or from the log's most frequent prompts",
    "submit": "submit a file of prompts as jobs, and write their results",
    "jobs": "list, show, retry, cancel and purge jobs",
    "cache": "purge stored answers from the cache that the workers share",
    "spend": "what is spent, reserved and left of each budget",
    "report": "write the status page with its figures as one file, from Redis or the request log",
    "alerts": "send one alert to the configured webhook, to see that it arrives",
    "check": "check a settings file, and say what it means",
    "doctor": "ask a running app about the Turnout in it",
    "completion": "print the script by which a shell completes these commands",
}
EXIT_CODES = "exit codes: 0 good; 1 the work failed; 2 wrong use; 130 interrupted"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Exit code 0: good; 1: the work failed, or its reader left (`| head`); 2: wrong use."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            return _run(arguments)
        except TurnoutError as error:
            return _failed(str(error), 2 if isinstance(error, UsageError) else 1, arguments)
        except KeyboardInterrupt:
            return _failed("interrupted", 130, arguments)
        finally:
            # Now, not at the interpreter's end: what a pipe refuses there, nobody can catch.
            sys.stdout.flush()
    except BrokenPipeError:
        # As Python's documentation on SIGPIPE has it: what is still held goes nowhere at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _failed(message: str, code: int, arguments: Sequence[str]) -> int:
    """Tells a failure on standard error; on standard output too, as JSON, where that was asked for."""
    print(wrapped(f"turnout: {message}", width_of(sys.stderr)), file=sys.stderr)
    if "--json" in arguments:
        print(json.dumps({"error": {"message": message, "exit_code": code}}))
    return code


def _run(arguments: list[str]) -> int:
    parser = CommandParser(
        prog="turnout", description="Every LLM call of your app on the right track.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"turnout {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, description in COMMANDS.items():
        commands.add_parser(name, help=description, description=description, add_help=False).add_argument(
            "rest", nargs=argparse.REMAINDER
        )
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        near = get_close_matches(arguments[0], COMMANDS, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
        raise UsageError(f"no command {arguments[0]!r}; {hint}")
    options = ("--help", "--version")
    if arguments and arguments[0].startswith("--") and not get_close_matches(arguments[0], options, cutoff=0.75):
        raise UsageError(f"{arguments[0]} stands before the command; write it after: turnout COMMAND {arguments[0]}")
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    chosen = parser.parse_args(arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else arguments)
    command = import_module(f"turnout.cli.{chosen.command.replace('-', '_')}")
    command_parser = CommandParser(prog=f"turnout {chosen.command}", description=COMMANDS[chosen.command])
    command.add_arguments(command_parser)
    command_parser.epilog = " ".join(filter(None, [command_parser.epilog, EXIT_CODES]))
    code: int = command.run(command_parser.parse_args(arguments[1:]))
    return code
