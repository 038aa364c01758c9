"""JSON that is not quite JSON lines: objects in a row on one line, Python's objects, record separators, comments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from turnout.logs.labelled import Logs, read_logs
from turnout.logs.literals import DEEPEST, json_value, python_value

ROWS = [{"prompt": f"question {n}", "cheap_quality": n % 2, "expensive_quality": 1, "note": None} for n in range(6)]
LINES = [json.dumps(row) for row in ROWS]


def read(tmp_path: Path, text: str) -> Logs:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    return read_logs([path])


@pytest.mark.parametrize(
    "text",
    [
        "".join(LINES),
        " ".join(LINES) + "\n",
        "\n".join(a + b for a, b in zip(LINES[::2], LINES[1::2], strict=True)),
        "\n".join(map(str, ROWS)),
        "\n".join(line.replace("null", "None") for line in LINES),
        "\n".join(line.replace("null}", "null,}") for line in LINES),
        "".join(f"\x1e{line}\n" for line in LINES),
        "".join(f"\x1e{line}" for line in LINES),
        "".join(f"\x1e{json.dumps(row, indent=1)}\n" for row in ROWS),
        "# exported on Monday\n" + "\n".join(LINES),
    ],
    ids=["one line", "blanks", "two a line", "Python", "None", "a comma behind the last", "RFC 7464",
         "RFC 7464 without line ends", "RFC 7464 on several lines", "a comment"],
)  # fmt: skip
def test_what_is_nearly_json_lines_is_read(tmp_path: Path, text: str) -> None:
    """Each of them can mean nothing else."""
    logs = read(tmp_path, text)
    assert (logs.cheap.tolist(), logs.skipped) == ([0, 1] * 3, 0)
    assert [query.messages[-1]["content"] for query in logs.queries] == [row["prompt"] for row in ROWS]


def test_many_objects_on_one_line_are_not_read_whole(tmp_path: Path) -> None:
    """A line longer than what is looked at to tell the format; what is broken in it is counted."""
    text = "".join(LINES) * 400
    assert len(read(tmp_path, text)) == 2400
    logs = read(tmp_path, text + '{"prompt": "cut"' + text)
    assert (len(logs), logs.skipped) == (4800, 1)
    logs = read(tmp_path, LINES[0] + LINES[1] + '{"prompt": "cut"' + LINES[2] + "\n" + LINES[3])
    assert (len(logs), logs.skipped) == (4, 1)


@pytest.mark.parametrize("begin", ["[", ""])
def test_many_broken_objects_cost_no_second_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    """What follows a broken one is read up to the next row, not all of it for each."""
    decoded = 0
    raw_decode = json.JSONDecoder.raw_decode

    def counted(self: json.JSONDecoder, text: str, at: int = 0) -> tuple[Any, int]:
        nonlocal decoded
        decoded += 1
        return raw_decode(self, text, at)

    monkeypatch.setattr(json.JSONDecoder, "raw_decode", counted)
    rows = [line.replace("null", "nul") if at % 6 == 1 else line for at, line in enumerate(LINES * 50)]
    logs = read(tmp_path, begin + ", ".join(rows) + ("]" if begin else ""))
    assert (len(logs), logs.skipped) == (250, 50)
    assert decoded < 5 * len(rows)


@pytest.mark.parametrize(
    "text",
    ["{'a': __import__('os')}", "{'a': 'b' 'c'}", "{'a': b'c'}", "{'a': 1 + 1}", "{'a': f'{1}'}", "['a'", "{'a': --1}",
     "{'a': x}", "{'a'}x", "[" * 150 + "]" * 150, "{'a': '" + "x" * (1 << 20) + "'}"],
)  # fmt: skip
def test_only_plain_literals_are_read_as_python(text: str) -> None:
    """Nothing that names, calls or reckons; two texts beside each other lack a quote; and no long one."""
    assert python_value(text) is None


def test_pythons_numbers_that_are_none_are_read(tmp_path: Path) -> None:
    """As a row of pandas prints them."""
    row = "{'prompt': \"it's\", 'cheap_quality': 0.0, 'expensive_quality': True, 'cheap_usd': nan}\n"
    logs = read(
        tmp_path, row * 2 + "{'prompt': 'a', 'cheap_quality': nan, 'expensive_quality': 1}\n{'a', 'b'}\n{1: 2}\n"
    )
    assert (logs.expensive.tolist(), logs.skipped, logs.has_costs) == ([1.0, 1.0], 3, False)


def test_depth_is_bounded() -> None:
    """At a depth that every function can follow."""
    for deep, reads in ((DEEPEST, True), (DEEPEST + 1, False), (100_000, False)):
        text = "[" * deep + "]" * deep
        if reads:
            assert json_value(text)
        else:
            with pytest.raises(ValueError, match="nested too deep"):
                json_value(text)
    assert len(json_value("[" + "[]," * 1000 + "[]]")) == 1001
