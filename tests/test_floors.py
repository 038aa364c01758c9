"""The house stands: imports go down only, and importing it is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import turnout

ROOT = Path(turnout.__file__).parent

FLOORS = {
    1: ("errors", "openai", "settings", "records", "pricing", "context"),
    2: ("ports",),
    3: ("telemetry", "stores", "webhooks", "clock", "portal", "testing"),
    4: ("routing", "caching", "quota", "upstream"),
    5: ("pipeline", "logs"),
    6: ("api", "training", "labelling"),
    7: ("assembly",),
    8: ("doors",),
    9: ("asgi", "wsgi"),
    10: ("demo",),
    11: ("cli",),
    12: ("__main__",),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}


def _imports(file: Path) -> set[str]:
    """The rooms of ours that this file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "turnout" else [f"turnout.{a.name}" for a in node.names]
            found.update(names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    rooms = {name.split(".")[1] for name in found if name.startswith("turnout.")}
    return {room for room in rooms if not room.startswith("__")}


FILES = [file for file in sorted(ROOT.rglob("*.py")) if file != ROOT / "__init__.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_go_down_only(file: Path) -> None:
    """A room imports itself, floors below, and on floor 1 its neighbours."""
    room = file.relative_to(ROOT).parts[0].removesuffix(".py")
    floor = FLOOR_OF[room]
    for other in _imports(file) - {room}:
        below = FLOOR_OF[other] < floor
        assert below or FLOOR_OF[other] == floor == 1, f"{room} (floor {floor}) imports {other}"


def test_importing_the_package_and_the_doors_loads_nothing_heavy() -> None:
    """`import turnout` and its doors load neither litellm nor scikit-learn nor numpy."""
    code = (
        "import sys, turnout, turnout.asgi, turnout.wsgi; turnout.Turnout;"
        "print([m for m in ('litellm', 'sklearn', 'numpy', 'openai', 'fastapi') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
