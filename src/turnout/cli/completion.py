"""`turnout completion SHELL`: the script by which a shell completes the commands, their options and choices."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from turnout.cli.arguments import actions_of

SHELLS = ("bash", "zsh", "fish")
INSTALL = {
    "bash": "turnout completion bash > ~/.local/share/bash-completion/completions/turnout",
    "zsh": "turnout completion zsh > ~/.turnout-completion, and in ~/.zshrc: source ~/.turnout-completion",
    "fish": "turnout completion fish > ~/.config/fish/completions/turnout.fish",
}
# bash itself offers file names where nothing else is offered, so it does for FILE too; and nothing for a free text.
BASH = """\
# {install}
_turnout() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" options="" words="" values=""
  COMPREPLY=()
  # --option=value is three words to bash.
  if [ "$current" = "=" ]; then
    current=""
  elif [ "$before" = "=" ]; then
    before="${{COMP_WORDS[COMP_CWORD-2]}}"
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands}" options="--help --version"
  else
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    case "${{COMP_WORDS[1]}} $before" in
{values}
    esac
  fi
  case "$values" in
    "") ;;
    {file}) return 0 ;;
    {text}) compopt +o default 2> /dev/null; return 0 ;;
    *) COMPREPLY=($(compgen -W "$values" -- "$current")); return 0 ;;
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}}
complete -o default -F _turnout turnout
"""
# What an option takes beside one of some words.
FILE, TEXT = "FILE", "TEXT"
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


@dataclass(frozen=True, slots=True)
class Option:
    """names: each way to write it. values: what it takes: words to choose from, or FILE or TEXT; none: it is a flag."""

    names: tuple[str, ...]
    help: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """What can stand behind a command's name. words: in no option."""

    name: str
    help: str
    options: tuple[Option, ...]
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
        known = {
            each.name: {
                "options": [name for option in each.options for name in option.names],
                "values": {name: option.values for option in each.options for name in option.names if option.values},
                "words": each.words,
            }
            for each in commands
        }
        print(json.dumps(known))
    else:
        print(_fish(commands) if args.shell == "fish" else _bash(commands, args.shell), end="")
    return 0


def _commands() -> Iterator[Command]:
    from turnout.cli import COMMANDS

    for name, description in COMMANDS.items():
        parser = argparse.ArgumentParser()
        import_module(f"turnout.cli.{name.replace('-', '_')}").add_arguments(parser)
        actions = list(actions_of(parser))
        options = tuple(
            Option(tuple(action.option_strings), action.help or "", _values(action))
            for action in actions
            if action.option_strings and action.help != argparse.SUPPRESS
        )
        words = [str(word) for action in actions if not action.option_strings for word in action.choices or ()]
        yield Command(name, description, options, tuple(dict.fromkeys(words)))


def _values(action: argparse.Action) -> tuple[str, ...]:
    if action.nargs == 0:
        return ()
    if action.choices:
        return tuple(map(str, action.choices))
    return (FILE,) if "FILE" in str(action.metavar) else (TEXT,)


def _bash(commands: list[Command], shell: str) -> str:
    cases = "\n".join(
        f'      {each.name}) words="{" ".join(each.words)}" '
        f'options="{" ".join(name for option in each.options for name in option.names)}" ;;'
        for each in commands
    )
    values = "\n".join(
        f'      "{each.name} {name}") values="{" ".join(option.values)}" ;;'
        for each in commands
        for option in each.options
        if option.values
        for name in option.names
    )
    names = " ".join(each.name for each in commands)
    script = BASH.format(install=INSTALL[shell], commands=names, cases=cases, values=values, file=FILE, text=TEXT)
    return (ZSH if shell == "zsh" else "") + script


def _fish(commands: list[Command]) -> str:
    lines = [f"# {INSTALL['fish']}"]
    for each in commands:
        lines.append(f"complete -c turnout -n __fish_use_subcommand -f -a {each.name} -d {_quoted(each.help)}")
        seen = f"-n '__fish_seen_subcommand_from {each.name}'"
        lines += [f"complete -c turnout {seen} -f -a {word}" for word in each.words]
        for option in each.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            takes = {(): "", (FILE,): " -r -F", (TEXT,): " -x"}.get(
                option.values, f" -x -a {_quoted(' '.join(option.values))}"
            )
            lines.append(f"complete -c turnout {seen} {names}{takes} -d {_quoted(option.help)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """As fish reads it in single quotes; of a long help its first part."""
    short = text.replace("%%", "%").split(";")[0]
    return "'" + short.replace("\\", "\\\\").replace("'", "\\'") + "'"
