"""Who imports whom, read from source text: imports in functions and under TYPE_CHECKING count as any other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple


class SourceImports(NamedTuple):
    """What a package's modules import; every key and every value of `internal` is a module's full dotted name."""

    files: dict[str, Path]
    internal: dict[str, frozenset[str]]
    """Modules of the package itself."""
    external: dict[str, frozenset[str]]
    """Top-level names of everything else, the standard library included."""


def read_imports(root: Path) -> SourceImports:
    """The imports of every Python file below `root`, the folder of a package."""
    files = {_module_name(root, file): file for file in sorted(root.rglob("*.py"))}
    internal: dict[str, frozenset[str]] = {}
    external: dict[str, frozenset[str]] = {}
    for module, file in files.items():
        targets = set(_imported_names(module, file))
        ours = {target for target in targets if target.split(".")[0] == root.name}
        internal[module] = frozenset(_resolve(target, files) for target in ours) - {module}
        external[module] = frozenset(target.split(".")[0] for target in targets - ours)
    return SourceImports(files, internal, external)


def find_cycle(graph: Mapping[str, frozenset[str]]) -> list[str]:
    """The modules of one import cycle, each importing the next, the first again at the end; empty without a cycle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def room_of(module: str) -> str:
    """The part of the package that a module belongs to: `turnout.stores.redis.gate` is of the room `stores`."""
    return [*module.split("."), "__init__"][1]


def _module_name(root: Path, file: Path) -> str:
    parts = (root.name, *file.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported_names(module: str, file: Path) -> Iterator[str]:
    """Dotted names as they are written; `from a import b` gives `a.b`, whether `b` is a module or not."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                package = module.split(".") if file.stem == "__init__" else module.split(".")[:-1]
                source = ".".join([*package[: len(package) - node.level + 1], *filter(None, [source])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _resolve(target: str, files: Mapping[str, Path]) -> str:
    """The module that holds the imported name."""
    while target not in files:
        target = target.rpartition(".")[0]
    return target
