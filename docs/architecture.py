"""Draws docs/architecture.svg from the imports in src/: `python docs/architecture.py`. A test keeps it true."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURE = Path(__file__).with_suffix(".svg")

# Pixels: a row and its boxes, a letter's width, the least distance of two boxes, the label at the left.
ROW, BOX, LETTER, GAP, MARGIN = 74, 30, 7.6, 26, 70
# A line that passes a floor takes this much room between its boxes.
PASSING = 8.0
SWEEPS = 24

Edge = tuple[str, str]
# A room by its name, or the place where a line passes a floor on its way from one room to another.
Node = str | tuple[str, str, int]


def read_house() -> tuple[dict[str, int], set[Edge]]:
    """The floor of each room, and which room imports which; what every room may import, the lowest floor, left out."""
    sys.path.insert(0, str(ROOT))
    from tests.support.source_imports import read_imports, room_of
    from tests.test_floors import FLOOR_OF

    source = read_imports(ROOT / "src" / "turnout")
    edges = {
        (room_of(module), room_of(target))
        for module, targets in source.internal.items()
        for target in targets
        if "turnout" not in (module, target)
    }
    rooms = {room_of(module) for module in source.files if module != "turnout"}
    floors = {room: FLOOR_OF[room] for room in rooms}
    lowest = min(floors.values())
    return floors, {(upper, lower) for upper, lower in edges if floors[upper] > floors[lower] > lowest}


def without_shortcuts(edges: set[Edge]) -> set[Edge]:
    """The edges that no longer way replaces: what a room imports of its imports' imports is not drawn."""
    below: dict[str, set[str]] = {}
    for upper, lower in edges:
        below.setdefault(upper, set()).add(lower)

    def reached(room: str) -> set[str]:
        return below.get(room, set()).union(*(reached(lower) for lower in below.get(room, ())))

    return {
        (upper, lower)
        for upper, lower in edges
        if not any(lower in reached(between) for between in below[upper] if between != lower)
    }


def lay_out(floors: Mapping[str, int], edges: Iterable[Edge]) -> tuple[list[list[Node]], dict[Node, float]]:
    """The rows from the top, and each node's horizontal centre: rooms near those that they are joined to."""
    row_of = {floor: row for row, floor in enumerate(sorted(set(floors.values()), reverse=True))}
    rows: list[list[Node]] = [[] for _ in row_of]
    for room in sorted(floors):
        rows[row_of[floors[room]]].append(room)
    links: dict[Node, list[Node]] = {}
    for upper, lower in sorted(edges):
        nodes = way((upper, lower), row_of[floors[upper]], row_of[floors[lower]])
        for row, node in enumerate(nodes[1:-1], row_of[floors[upper]] + 1):
            rows[row].append(node)
        for one, other in pairwise(nodes):
            links.setdefault(one, []).append(other)
            links.setdefault(other, []).append(one)
    centres: dict[Node, float] = {}
    for nodes in rows:
        place(nodes, centres, {node: float(index) for index, node in enumerate(nodes)})
    for _ in range(SWEEPS):
        for nodes in (*rows, *reversed(rows)):
            wanted = {node: mean([centres[other] for other in links.get(node, rows[-2])]) for node in nodes}
            nodes.sort(key=lambda node: (wanted[node], str(node)))
            place(nodes, centres, wanted)
    return rows, centres


def way(edge: Edge, top: int, bottom: int) -> list[Node]:
    """An edge's nodes: its rooms, and between them a place on every floor that it passes."""
    return [edge[0], *((*edge, row) for row in range(top + 1, bottom)), edge[1]]


def place(nodes: list[Node], centres: dict[Node, float], wanted: Mapping[Node, float]) -> None:
    """Sets the centres of a row in its order: as wanted, but no two closer than their widths and a gap."""
    right = float("-inf")
    placed: list[float] = []
    for node in nodes:
        placed.append(max(wanted[node], right + width(node) / 2))
        right = placed[-1] + width(node) / 2 + GAP
    # What was pushed to the right goes back by as much as the row is off on average.
    shift = mean([wanted[node] - at for node, at in zip(nodes, placed, strict=True)])
    centres.update({node: at + shift for node, at in zip(nodes, placed, strict=True)})


def width(node: Node) -> float:
    return len(node) * LETTER + 22 if isinstance(node, str) else PASSING


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def draw(floors: Mapping[str, int], edges: set[Edge]) -> str:
    """The picture as SVG."""
    rows, centres = lay_out(floors, edges)
    left = min(centres[node] - width(node) / 2 for nodes in rows for node in nodes) - MARGIN
    right = max(centres[node] + width(node) / 2 for nodes in rows for node in nodes) + 20
    y_of = {node: 70 + index * ROW for index, nodes in enumerate(rows) for node in nodes}
    total_width, total_height = right - left, len(rows) * ROW + 34
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width:.0f} {total_height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">',
        f'<rect width="{total_width:.0f}" height="{total_height}" fill="#ffffff"/>',
        '<text x="12" y="20" fill="#555555">The rooms of src/turnout. A line: the upper room imports the lower one. '
        "Left out: what follows from other lines, and the lowest floor, which all may import.</text>",
    ]
    for index, nodes in enumerate(rows):
        room = next(node for node in nodes if isinstance(node, str))
        y = y_of[room]
        fill = "#f4f6f8" if index % 2 else "#ffffff"
        lines.append(f'<rect y="{y - ROW / 2:.0f}" width="{total_width:.0f}" height="{ROW}" fill="{fill}"/>')
        lines.append(f'<text x="12" y="{y + 4}" fill="#8a94a0">floor {floors[room]}</text>')
    row_of = {node: index for index, nodes in enumerate(rows) for node in nodes}
    for upper, lower in sorted(edges):
        nodes = way((upper, lower), row_of[upper], row_of[lower])
        lines.append(
            f'<path d="{_curve(nodes, centres, y_of, left)}" fill="none" stroke="#7c8ea3" stroke-width="1.3"/>'
        )
    for room in sorted(floors):
        x, y, wide = centres[room] - left, y_of[room], width(room)
        lines.append(
            f'<rect x="{x - wide / 2:.0f}" y="{y - BOX / 2:.0f}" width="{wide:.0f}" height="{BOX}" rx="5" '
            f'fill="#e3edf9" stroke="#3b6ea5"/><text x="{x:.0f}" y="{y + 5}" text-anchor="middle">{room}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _curve(nodes: list[Node], centres: Mapping[Node, float], y_of: Mapping[Node, int], left: float) -> str:
    x, y = centres[nodes[0]] - left, y_of[nodes[0]] + BOX / 2
    curve = f"M{x:.0f} {y:.0f}"
    for node in nodes[1:]:
        to_x, to_y = centres[node] - left, y_of[node] - BOX / 2
        middle = (y + to_y) / 2
        curve += f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"
        if not isinstance(node, str):
            curve += f"V{to_y + BOX:.0f}"
        x, y = to_x, to_y + BOX
    return curve


def drawing() -> str:
    """The picture as it should be by today's imports."""
    floors, edges = read_house()
    return draw(floors, without_shortcuts(edges))


if __name__ == "__main__":
    PICTURE.write_text(drawing(), "utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
