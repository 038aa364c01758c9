"""`turnout completion SHELL`: the script by which a shell completes the commands, their options and choices."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

SHELLS = ("bash", "zsh", "fish")
INSTALL = {
    "bash": "turnout completion bash > ~/.local/share/bash-completion/completions/turnout",
    "zsh": "turnout completion zsh > ~/.turnout-completion, and in ~/.zshrc: source ~/.turnout-completion",
    "fish": "turnout completion fish > ~/.config/fish/completions/turnout.fish",
}
# File names are completed where no word fits.
BASH = """\
# {install}
_turnout() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" options="" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands}" options="--help --version"
  else
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}}
complete -o default -F _turnout turnout
"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


@dataclass(frozen=True, slots=True)
class Command:
    """What can stand behind a command's name. options: with their help."""

    name: str
    help: str
    options: tuple[tuple[str, str], ...]
    words: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="; ".join(INSTALL.values()))
    parser.add_argument(
        "--json", action="store_true", help="print the commands, options and choices as one JSON object"
    )


def run(args: argparse.Namespace) -> int:
    """Prints the script; exit code 0."""
    commands = list(_commands())
    if args.json:
        known = {each.name: {"options": [name for name, _ in each.options], "words": each.words} for each in commands}
        print(json.dumps(known))
    else:
        print(_fish(commands) if args.shell == "fish" else _bash(commands, args.shell), end="")
    return 0


def _commands() -> Iterator[Command]:
    from turnout.cli import COMMANDS

    for name, description in COMMANDS.items():
        parser = argparse.ArgumentParser()
        import_module(f"turnout.cli.{name.replace('-', '_')}").add_arguments(parser)
        actions = list(_actions(parser))
        options = {option: action.help or "" for action in actions for option in action.option_strings}
        shown = tuple((option, text) for option, text in options.items() if text != argparse.SUPPRESS)
        words = [str(word) for action in actions if not action.option_strings for word in action.choices or ()]
        yield Command(name, description, shown, tuple(dict.fromkeys(words)))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Those of the parser and of those below it: `jobs list`."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)


def _bash(commands: list[Command], shell: str) -> str:
    cases = "\n".join(
        f'      {each.name}) words="{" ".join(each.words)}" options="{" ".join(name for name, _ in each.options)}" ;;'
        for each in commands
    )
    names = " ".join(each.name for each in commands)
    return (ZSH if shell == "zsh" else "") + BASH.format(install=INSTALL[shell], commands=names, cases=cases)


def _fish(commands: list[Command]) -> str:
    lines = [f"# {INSTALL['fish']}"]
    for each in commands:
        lines.append(f"complete -c turnout -n __fish_use_subcommand -f -a {each.name} -d {_quoted(each.help)}")
        seen = f"-n '__fish_seen_subcommand_from {each.name}'"
        lines += [f"complete -c turnout {seen} -f -a {word}" for word in each.words]
        for name, text in each.options:
            kind = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
            lines.append(f"complete -c turnout {seen} {kind} -d {_quoted(text)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """As fish reads it in single quotes; of a long help its first part."""
    short = text.replace("%%", "%").split(";")[0]
    return "'" + short.replace("\\", "\\\\").replace("'", "\\'") + "'"
