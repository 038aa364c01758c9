"""Imports go down only, file by file and without a cycle; what a room may import; importing the package is light."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import turnout
from tests.support.source_imports import SourceImports, find_cycle, read_imports, room_of

FLOORS = {
    1: (
        *("errors", "redaction", "numbers", "atomic_file", "attempt_errors", "openai", "settings", "records"),
        *("pricing", "context", "loop_task", "loop_turns", "install_line", "locked_database"),
    ),
    2: ("ports", "wires"),
    3: ("telemetry", "stores", "webhooks", "clock", "portal", "testing"),
    4: ("routing", "caching", "quota", "upstream", "home_loop", "jobs"),
    5: ("pipeline", "logs"),
    6: ("api", "training", "labelling"),
    7: ("warming",),
    8: ("assembly",),
    9: ("turnout",),
    10: ("doors",),
    11: ("asgi", "wsgi"),
    12: ("demo",),
    13: ("cli",),
    14: ("__main__",),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}

# Which rooms or files may import a third-party package; every other file of the package may not.
THIRD_PARTY = {
    "aiohttp": ("upstream.direct",),
    "httpx": ("api.transport", "cli.doctor", "demo", "upstream", "webhooks.post"),
    # Types alone: its clients need not be there.
    "httpx2": ("api.transport",),
    "litellm": ("api.litellm_provider", "doors.litellm_provider", "upstream"),
    "matplotlib": ("training.plots",),
    "numpy": (
        "caching.semantic.embedders",
        "logs",
        "quota.text_size",
        "routing",
        "stores.memory.semantic_store",
        "stores.memory.vector_index",
        "training",
    ),
    "onnxruntime": ("caching.semantic.embedders",),
    "openai": ("upstream",),
    "opentelemetry": ("doors", "telemetry"),
    "orjson": ("doors.endpoints", "openai.answers", "openai.messages", "openai.requests"),
    "prometheus_client": ("telemetry.prometheus_text",),
    "pyarrow": ("logs.files",),
    "pybreaker": ("upstream",),
    "redis": ("stores.redis",),
    "rich": ("cli", "demo"),
    "scipy": ("training",),
    "sklearn": ("training",),
    "starlette": ("cli.standalone", "demo"),
    "threadpoolctl": ("training.fit", "training.verifier_fit"),
    "usearch": ("stores.memory.vector_index",),
    "tokenizers": ("caching.semantic.embedders",),
    "uvicorn": ("cli.serve", "demo"),
    "wordllama": ("caching.semantic.embedders", "training.embedding"),
}
# Whole wings that know nothing of each other, beyond what the floors say.
APART = [("stores.memory", "stores.redis"), ("stores.sqlite", "stores.redis"), ("doors.asgi", "doors.wsgi")]
# What importing the package, its doors and its main class loads of third parties: OpenTelemetry's API, what its
# older versions need, and the JSON parser.
LIGHT = {"opentelemetry", "orjson", "typing_extensions", *("deprecated", "importlib_metadata", "wrapt", "zipp")}

# `turnout --version` prints what the root says.
IMPORTS_ROOT = {"turnout.cli"}


@pytest.fixture(scope="module")
def source() -> SourceImports:
    """The imports of the package's files, but of its root's."""
    read = read_imports(Path(turnout.__file__).parent)
    assert len(read.files) > 100
    return read._replace(files={module: file for module, file in read.files.items() if module != "turnout"})


def _below(module: str, place: str) -> bool:
    return module == f"turnout.{place}" or module.startswith(f"turnout.{place}.")


def _may_import(module: str, target: str) -> bool:
    if target == "turnout":
        return module in IMPORTS_ROOT
    floor, other = FLOOR_OF[room_of(module)], FLOOR_OF[room_of(target)]
    return room_of(target) == room_of(module) or other < floor or other == floor == 1


def test_imports_go_down_only(source: SourceImports) -> None:
    """A module imports its own room, floors below, and on the lowest floor its neighbours; never the package's root."""
    pairs = [(module, target) for module in source.files for target in source.internal[module]]
    assert [f"{module} imports {target}" for module, target in pairs if not _may_import(module, target)] == []


def test_no_files_import_each_other_in_a_circle(source: SourceImports) -> None:
    """No import cycle between files anywhere, whether at the top, in functions or under TYPE_CHECKING."""
    assert find_cycle(source.internal) == []


@pytest.mark.parametrize(("one", "other"), APART)
def test_wings_stay_apart(one: str, other: str, source: SourceImports) -> None:
    """No module of one wing imports the other, in either direction."""
    for module, targets in source.internal.items():
        for mine, foreign in ((one, other), (other, one)):
            crossing = sorted(target for target in targets if _below(target, foreign))
            assert not (_below(module, mine) and crossing), f"{module} imports {crossing}"


def test_third_party_packages_are_imported_where_the_table_says(source: SourceImports) -> None:
    """A module imports the standard library and what the table allows its room or itself."""
    foreign = {module: source.external[module] - sys.stdlib_module_names for module in source.files}
    pairs = [(module, package) for module, packages in foreign.items() for package in packages]
    wrong = [
        f"{module} imports {package}"
        for module, package in pairs
        if not any(_below(module, place) for place in THIRD_PARTY.get(package, ()))
    ]
    assert wrong == []
    assert {package for _, package in pairs} == set(THIRD_PARTY)


@pytest.mark.parametrize("statement", ["turnout", "turnout.asgi", "turnout.wsgi", "turnout; turnout.Turnout"])
def test_importing_the_package_and_its_doors_is_light(statement: str) -> None:
    """No import of the public names loads a third-party package but OpenTelemetry's API and the JSON parser."""
    code = (
        f"import sys; before = set(sys.modules); import {statement};"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {name for name in loaded if not name.startswith("_sysconfigdata")} - sys.stdlib_module_names
    assert heavy - {"turnout"} <= LIGHT


def _write_package(folder: Path, sources: dict[str, str]) -> Path:
    root = folder / "house"
    for name, text in sources.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


def test_a_cycle_through_type_checking_a_function_and_a_relative_import_is_seen(tmp_path: Path) -> None:
    """Each of the three forms of import counts as an import, and the cycle is named in order."""
    sources = {
        "__init__.py": "",
        "a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.b import B\n",
        "b.py": "def later():\n    import house.rooms.c\n",
        "rooms/__init__.py": "",
        "rooms/c.py": "from ..a import A\n",
    }
    cycle = find_cycle(read_imports(_write_package(tmp_path, sources)).internal)
    assert sorted(cycle[1:]) == ["house.a", "house.b", "house.rooms.c"]
    assert "house.a house.b house.rooms.c" in " ".join(cycle + cycle[1:])


def test_files_that_only_meet_below_are_no_cycle(tmp_path: Path) -> None:
    """Two files that import a third, one of them by the other, close no circle."""
    sources = {"__init__.py": "", "a.py": "from house import b, c", "b.py": "import house.c", "c.py": "import os"}
    imports = read_imports(_write_package(tmp_path, sources))
    assert find_cycle(imports.internal) == []
    assert imports.internal["house.a"] == {"house.b", "house.c"}
    assert imports.external["house.c"] == {"os"}


def test_the_picture_in_the_documentation_shows_today_s_imports() -> None:
    """docs/architecture.svg is what docs/architecture.py draws; where it is not, run `python docs/architecture.py`."""
    script = Path(__file__).parent.parent / "docs" / "architecture.py"
    drawing = runpy.run_path(str(script))["drawing"]
    assert script.with_suffix(".svg").read_text("utf-8") == drawing(), "run: python docs/architecture.py"


def test_the_request_path_stays_readable(source: SourceImports) -> None:
    """The pipeline's modules are 13 at most: who adds one says first which of its rules belongs in a room below."""
    modules = [module for module in source.files if _below(module, "pipeline")]
    assert len(set(modules) - {"turnout.pipeline"}) <= 13
