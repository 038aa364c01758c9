"""One word for one thing: what docs/glossary.md replaced names nothing, and no name of a type stands for two things."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnout

ROOT = Path(turnout.__file__).parent

# Each with the plural that names use.
BANNED = {
    *("told", "heard", "flown", "hushed", "meant", "across", "rehearse", "ease", "eases"),
    *("seat", "seats", "station", "stations", "switchboard", "switchboards", "shelf", "shelves", "tally", "tallies"),
    *("letters", "mailbox", "mailboxes", "echo", "echoes", "relay", "relays", "fuse", "fuses", "fleet", "fleets"),
    *("wish", "wishes", "errand", "errands", "chairs", "doubts", "purse", "purses", "bill", "bills", "trip", "trips"),
}
# Names of the public contract, kept as they are.
CONTRACT = {"told_status", "told_headers", "told_code"}
# Letters of the alphabet: the scorer's view of them, whose name stands in scorer files.
PLAIN_SENSE = {("routing", "letters"), ("training", "letters")}


def banned_words(name: str) -> set[str]:
    """The replaced words among the parts of a name, split at underscores, dots and capitals."""
    if name in CONTRACT:
        return set()
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {part.lower() for part in parts} & BANNED


def _names(tree: ast.AST) -> Iterator[str]:
    """Every name that a module binds, takes or looks up."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield from name.split(".")
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names


# Both doors' classes by the contract; the demo stands for other programs, which name their things for themselves.
# The contract's name at both doors, what each calls an app, and the word of two standards, ASGI's and OpenAI's.
TWO_MEANINGS = frozenset({"TurnoutMiddleware", "App", "Message"})
# What each command does, and each protocol's request.
SAME_IN_EACH = {("cli", "add_arguments"), ("cli", "run"), ("wires", "to_chat")}
FILES = sorted(file for file in ROOT.rglob("*.*") if file.suffix in {".py", ".lua"})


def _named_by_replaced_words(file: Path) -> Iterator[str]:
    path = file.relative_to(ROOT)
    yield from (part for part in path.with_suffix("").parts if banned_words(part))
    if file.suffix == ".py":
        names = set(_names(ast.parse(file.read_text("utf-8"))))
        yield from (name for name in names if (path.parts[0], name) not in PLAIN_SENSE and banned_words(name))


def test_no_replaced_word_names_anything() -> None:
    """No identifier, file or folder is named by a replaced word, or by a part of one."""
    assert len(FILES) > 100
    assert [f"{name} in {file}" for file in FILES for name in _named_by_replaced_words(file)] == []


@pytest.mark.parametrize(
    "name", ["told", "_told_again", "FlightStation", "memory_tally", "tallies", "HTTPRelay", "was_heard", "echoes"]
)
def test_a_replaced_word_is_found_in_any_part_of_a_name(name: str) -> None:
    """Underscores, capitals, plurals and acronyms hide no replaced word."""
    assert banned_words(name)


@pytest.mark.parametrize("name", ["told_status", "stripped", "release", "billing_period", "unfused", "lettersize"])
def test_a_word_that_only_contains_a_replaced_one_is_free(name: str) -> None:
    """The contract's own names stay, and a longer word is another word."""
    assert banned_words(name) == set()


def test_no_name_of_a_class_or_a_type_stands_for_two_things() -> None:
    """Each public one of src/, the demo's apart, is defined in one module, or means the same in each."""
    meanings: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for file in ROOT.rglob("*.py"):
        path = str(file.relative_to(ROOT))
        for name, meaning in () if path.startswith("demo/") else types_in(ast.parse(file.read_text("utf-8")), path):
            meanings[name][meaning] = path
    assert {name: where for name, where in meanings.items() if len(where) > 1 and name not in TWO_MEANINGS} == {}


def test_no_name_of_a_function_stands_for_two_things_in_one_room() -> None:
    """Each public function that a module of src/ defines, the demo's apart, has a name of its own among its room's."""
    places: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for file in ROOT.rglob("*.py"):
        path = file.relative_to(ROOT)
        for statement in ast.parse(file.read_text("utf-8")).body if path.parts[0] != "demo" else ():
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and not statement.name.startswith("_"):
                places[path.parts[0], statement.name].append(str(path))
    twice = {place: where for place, where in places.items() if len(where) > 1 and place not in SAME_IN_EACH}
    assert twice == {}


def types_in(tree: ast.Module, path: str) -> Iterator[tuple[str, str]]:
    """The public names of classes, of aliases and of type variables, each with what tells it from another."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, path
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(target := statement.targets[0], ast.Name):
            meaning = ast.unparse(statement.value)
            if target.id[0].isupper() and not target.id.isupper():
                yield target.id, "a type variable" if meaning.startswith("TypeVar(") else meaning
