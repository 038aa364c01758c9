"""Writes docs/reference: settings from their own classes, the command line from its own help, HTTP, metrics, spans and
errors from the tables in the code. `python docs/reference.py`; tests/test_reference.py compares."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import re
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from turnout import Turnout, errors, records
from turnout.cli import COMMANDS, EXIT_CODES
from turnout.errors import ServedError, TurnoutError
from turnout.settings import Budget, Rate, Settings
from turnout.telemetry import names, series
from turnout.testing import ScriptedProvider

# A part of a handwritten page that is made of the code.
MADE_PART = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)
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
    intro = (
        f"`turnout COMMAND`; {EXIT_CODES}. With `--json` standard output holds one JSON value and nothing else, of a "
        'failure `{"error": {"message", "exit_code"}}`. An output that cannot be written as named is wrong use; an '
        "input or settings that cannot be read are a failure. Long work shows a progress bar on a terminal, none in a "
        "pipe.\n"
    )
    parts = ["# Command line\n", MADE, intro]
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


def filled(page: str) -> str:
    """A handwritten page, its made parts written anew."""
    text = (FOLDER / page).read_text("utf-8")
    return MADE_PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n{part[4]}", text)


def paths_part() -> str:
    """Every route, described by what answers it."""
    rows = [(f"`{r.path}{'{id}' if r.path.endswith('/') else ''}`", ", ".join(r.methods), told(r)) for r in routes()]
    return markdown_table(("path", "methods", "what"), rows)


def told(route: Any) -> str:
    """What a route does, in a client's words: what it raises by status and code; that a call may fail, none says."""
    codes = {e.__name__: f"{e.status} `{e.code}`" for e in served_errors()}
    text = re.sub(r" Raises ServedError\.", "", summary(route.answer))
    return re.sub(r"Raises (\w+)|(?<=, )(\w+)(?= for )", lambda found: codes.get(found[1] or found[2], found[0]), text)


def reasons_part() -> str:
    """Every reason with the comment of its source."""
    reasons = literal_comments("Reason")
    assert set(reasons) == set(typing.get_args(records.Reason))
    return markdown_table(("reason", "means"), [(f"`{name}`", why) for name, why in reasons.items()])


def cache_part() -> str:
    """Every value of `Cache-Status`."""
    rows = [(f"`{text}`", CACHE_MEANINGS[name]) for name, text in records.CACHE_STATUS.items() if text]
    return markdown_table(("value", "the answer"), rows)


CACHE_MEANINGS: Mapping[str, str] = {
    "hit": "is a stored one",
    "stale": "is a stored one past its time, because no model could answer",
    "semantic": "is a stored one to a question that means the same",
    "collapsed": "is that of an equal request under way, which it shared",
    "miss_stored": "is new, and stored where it is whole",
    "miss": "is new, and not stored",
    "request": "is new, because the caller asked for that, and not stored",
    "request_stored": "is new, because the caller asked for that, and stored",
    "bypass": "is new: nobody said who asks, and answers are never shared with a stranger",
}


def errors_part() -> str:
    """Each error that a caller is served."""
    rows = [(f"`{e.__name__}`", str(e.status), f"`{e.code}`", f"`{e.type}`") for e in served_errors()]
    return markdown_table(("class", "status", "code", "type"), rows)


def raised_part() -> str:
    """Those that the app's own code meets."""
    own = [e for e in TurnoutError.__subclasses__() if e.__module__ == errors.__name__]
    return markdown_table(("class", "when"), [(f"`{e.__name__}`", summary(e)) for e in own])


def prometheus_part() -> str:
    """Counters and gauges, then histograms."""
    counted = [(f"`{m.name}`", labels(m.labels), m.help) for m in (*series.METRICS.values(), *series.GAUGES.values())]
    timed = [(f"`{t.name}`", labels(t.labels), f"{t.help} (a histogram)") for t in series.TIMINGS.values()]
    return markdown_table(("name", "labels", "tells"), counted + timed)


def names_part() -> str:
    """Every name of telemetry, by the comments of its one module."""
    return "\n".join(
        f"**{title}**\n\n" + "\n".join(f"- `{name}`" for name in found) + "\n" for title, found in names_by_comment()
    )


def names_by_comment() -> Iterator[tuple[str, list[str]]]:
    """The comments of telemetry/names.py, each with the names that follow it."""
    title, found = "", list[str]()
    for line in inspect.getsource(names).partition("# What v1.41")[0].splitlines():
        if line.startswith("# "):
            if title and found:
                yield title, found
            title, found = line[2:].rstrip("."), []
        elif match := re.match(r'[A-Z_]+: Final = "([a-z][\w.]*\.[\w.]+)"', line):
            found.append(match[1])
    if title and found:
        yield title, found


def literal_comments(name: str) -> dict[str, str]:
    """The values of a Literal in records.py, each with the comment behind it."""
    text = inspect.getsource(records)
    block = text[text.index(f"\n{name} = Literal[") :]
    return dict(re.findall(r'"(\w+)",  # (.*)', block[: block.index("\n]")]))


def routes() -> tuple[Any, ...]:
    tiers = {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}}
    # What is never asked here needs nothing behind it.
    return Turnout({"tiers": tiers, "queue": {}}, provider=ScriptedProvider()).api.routes._table


def served_errors() -> Iterator[type[ServedError]]:
    waiting = [ServedError]
    while waiting:
        for each in waiting.pop(0).__subclasses__():
            if each.__module__ == errors.__name__:
                yield each
                waiting.append(each)


def summary(thing: Any) -> str:
    """The first paragraph of its docstring; a class' own where a method has none."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def labels(found: Iterable[str]) -> str:
    return ", ".join(f"`{label}`" for label in found) or "none"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "paths": paths_part,
    "reasons": reasons_part,
    "cache": cache_part,
    "errors": errors_part,
    "raised": raised_part,
    "prometheus": prometheus_part,
    "names": names_part,
}
PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "command-line.md": commands_page,
    **{page: partial(filled, page) for page in ("http.md", "errors.md", "metrics.md", "spans.md")},
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for page, text_of in PAGES.items():
        (FOLDER / page).write_text(text_of(), "utf-8")
        sys.stdout.write(f"wrote docs/reference/{page}\n")
