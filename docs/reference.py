"""Writes docs/reference/settings.md from the settings' own classes, and docs/reference/command-line.md from the
commands' own help. `python docs/reference.py`; tests/test_reference.py compares."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import sys
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from turnout.cli import COMMANDS, EXIT_CODES
from turnout.settings import Budget, Rate, Settings

FOLDER = Path(__file__).parent / "reference"
MADE = "<!-- Made by `python docs/reference.py`; do not edit. -->\n"
# The names that stand for any: a model's, an endpoint's.
NAMED = {"models": '"NAME"', "endpoints": '"/PATH"'}
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Rate: "rate", Budget: "budget"}


def settings_page() -> str:
    """Every section and setting, with its type, its default and the reason that stands beside it in the source."""
    parts = [
        "# Settings\n",
        MADE,
        "One TOML file, `turnout.toml` by default. Only `[tiers]` is required. An unknown setting is refused at start "
        'with the nearest right one, and so is a value that cannot be. A *rate* is written `"60/minute"` or '
        '`"100k tokens/hour"`, a *budget* `"5/day"` (USD; calendar day, week, month) or `"5/24h"` (rolling).\n',
    ]
    for path, section in sections(Settings, ""):
        parts += [f"## `[{path}]`\n", f"{paragraph(section)}\n", table(section)]
    return "\n".join(parts)


def sections(section: type, path: str) -> Iterator[tuple[str, type]]:
    """Each table of the file by its name, with its class, outer ones first."""
    for name, hint in hints(section).items():
        inner, key = section_of(hint), f"{path}.{name}" if path else name
        if inner is None:
            continue
        if is_mapping(hint):
            key += f".{NAMED.get(name, 'NAME')}"
        if any(section_of(each) is None for each in hints(inner).values()):
            yield key, inner
        yield from sections(inner, key)


def hints(section: type) -> dict[str, Any]:
    types_of_fields = typing.get_type_hints(section)
    return {field.name: types_of_fields[field.name] for field in dataclasses.fields(section)}


def is_mapping(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def section_of(hint: Any) -> type | None:
    """The class of a setting that is a table of its own."""
    if is_mapping(hint):
        return section_of(typing.get_args(hint)[1])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next((found for each in typing.get_args(hint) if (found := section_of(each)) is not None), None)
    is_table = isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in (Rate, Budget)
    return hint if is_table else None


def table(section: type) -> str:
    reasons = comments(section)
    lines = ["| setting | type | default | why |", "|---|---|---|---|"]
    for field in dataclasses.fields(section):
        hint = hints(section)[field.name]
        if section_of(hint) is None:
            reason = reasons.get(field.name, "").replace("|", "\\|")
            lines.append(f"| `{field.name}` | {kind(hint)} | {default(field)} | {reason} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def kind(hint: Any) -> str:
    """A type in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(kind(each) for each in args if each is not type(None))
    if origin is typing.Literal:
        return ", ".join(f'`"{each}"`' for each in args)
    if origin is tuple:
        return f"list of {kind(args[0])}s"
    if is_mapping(hint):
        return "table"
    return WORDS.get(hint, "number" if hint.__name__ == "Decimal" else hint.__name__)


def default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    elif field.default is dataclasses.MISSING:
        return "required"
    else:
        value = field.default
    return "none" if value is None else f"`{toml(value)}`"


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, Mapping):
        return "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def paragraph(section: type) -> str:
    return textwrap.fill(" ".join(inspect.cleandoc(section.__doc__ or "").split()), 120, break_on_hyphens=False)


def comments(section: type) -> dict[str, str]:
    """What stands in the source above a field or behind it."""
    lines = inspect.getsource(section).splitlines()
    found = {}
    for node in ast.parse(textwrap.dedent("\n".join(lines))).body[0].body:  # type: ignore[attr-defined]
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above: list[str] = []
        at = node.lineno - 2
        while lines[at].strip().startswith("#"):
            above.insert(0, lines[at].strip().lstrip("# "))
            at -= 1
        behind = lines[(node.end_lineno or node.lineno) - 1].rpartition("  # ")[2]
        has_own = "  # " in lines[(node.end_lineno or node.lineno) - 1]
        found[node.target.id] = " ".join([*above, *([behind.strip()] if has_own else [])])
    return found


def commands_page() -> str:
    """Every command's help."""
    parts = ["# Command line\n", MADE, f"`turnout COMMAND`; {EXIT_CODES}. With `--json` standard output holds one JSON "
             "value and nothing else. Long work shows a progress bar on a terminal, and none in a pipe.\n"]  # fmt: skip
    for name, description in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"turnout {name}", formatter_class=_Wide)
        import_module(f"turnout.cli.{name.replace('-', '_')}").add_arguments(parser)
        text = parser.format_help().strip()
        parts += [f"## `turnout {name}`\n", f"{description[0].upper()}{description[1:]}.\n", f"```text\n{text}\n```\n"]
    return "\n".join(parts)


class _Wide(argparse.HelpFormatter):
    """As wide wherever it is made."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


PAGES = {"settings.md": settings_page, "command-line.md": commands_page}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for page, text_of in PAGES.items():
        (FOLDER / page).write_text(text_of(), "utf-8")
        sys.stdout.write(f"wrote docs/reference/{page}\n")
