"""One row: whatever stands in it, it is read or it is a bad row with a reason; the rows around it are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from turnout.errors import LogError
from turnout.logs.labelled import Logs, read_logs

GOOD = {"prompt": "good", "cheap_quality": 0, "expensive_quality": 1}


def json_lines(path: Path, *rows: str) -> Path:
    """A file of these rows between two good ones."""
    path.write_text("\n".join([json.dumps(GOOD), *rows, json.dumps(GOOD)]))
    return path


def line(**more: Any) -> str:
    return json.dumps({**GOOD, **more})


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f'{{"prompt": "a", "cheap_quality": 1{"0" * 400}, "expensive_quality": 1}}', "cheap_quality is too large"),
        (line(messages=DEEP), "messages is not JSON"),
        (f'{{"messages": {DEEP}, "cheap_quality": 1, "expensive_quality": 1}}', "not JSON"),
        (line(messages='"\\ud800"'), "prompt is not valid UTF-8"),
        (line(messages='""'), "prompt is empty"),
        (line(cheap_quality=[0.5]), "cheap_quality is a list, not a number"),
        (line(group=["a"]), "group is a list, not a text"),
        (line(group={"a": 1}), "group is a dict, not a text"),
        (line(group="\ud800"), "group is not valid UTF-8"),
        (line(weight=1e308), "weight is 1e+308, above"),
        (line(expensive_usd=1e308), "expensive_usd is 1e+308, above"),
        (line(cheap_usd=float("inf")), "cheap_usd is inf, above"),
        (line(weight=-1), "weight is -1; it is 0 or more"),
        (line(cheap_quality=float("nan")), "cheap_quality is missing"),
        (line(cheap_quality="x" * 10_000), "not a number"),
    ],
    ids=lambda value: value[:40],
)
def test_what_no_row_should_hold_is_a_bad_row(tmp_path: Path, row: str, expected: str) -> None:
    """Named by its line, counted, skipped, and told in few words."""
    path = json_lines(tmp_path / "a.jsonl", row)
    logs = read_logs([path])
    assert (len(logs), logs.skipped) == (2, 1)
    assert logs.bad[0].startswith(f"{path}:2: {expected}" if expected != "not a number" else f"{path}:2: ")
    assert expected in logs.bad[0]
    assert len(logs.bad[0]) < len(str(path)) + 200


def test_any_depth_is_a_bad_row(tmp_path: Path) -> None:
    """What JSON can still be read from may be too deep for whatever looks at it next."""
    rows = []
    for deep in (900, 950, 980, 990, 995, 1000, 5000):
        nest = "[" * deep + "]" * deep
        for name in ("messages", "prompt", "cheap_quality", "group", "weight"):
            actual = {**{name: json.dumps(value) for name, value in GOOD.items()}, name: nest}
            rows.append("{" + ", ".join(f'"{name}": {value}' for name, value in actual.items()) + "}")
    # Somewhere among these a role can just be read as JSON, but not be looked at further down.
    for deep in range(700, 1000):
        nest = "[" * deep + "]" * deep
        rows.append(f'{{"messages": [{{"role": {nest}}}], "cheap_quality": 0, "expensive_quality": 1}}')
    logs = read_logs([json_lines(tmp_path / "deep.jsonl", *rows)])
    assert (len(logs), logs.skipped) == (2, len(rows))


def test_a_deep_cell_of_a_csv_is_a_bad_row(tmp_path: Path) -> None:
    """The text of a cell is JSON too."""
    path = tmp_path / "a.csv"
    path.write_text(f"messages,prompt,cheap_quality,expensive_quality\n{DEEP},,0,1\n,good,0,1\n")
    logs = read_logs([path])
    assert (len(logs), logs.skipped) == (1, 1)
    assert logs.bad[0] == f"{path}:2: messages is not JSON (nested too deep)"


def test_a_group_in_another_encoding_is_a_bad_row_whatever_the_prompt(tmp_path: Path) -> None:
    """Also where only a sample of the rows is held."""
    path = tmp_path / "latin.csv"
    actual = "prompt,cheap_quality,expensive_quality,group\ngood,0,1,a\nplain,0,1,caf\xe9\ngood,1,1,a\n"
    path.write_bytes(actual.encode("latin-1"))
    for most in (None, 1):
        logs = read_logs([path], most=most)
        assert (logs.rows, logs.skipped) == (2, 1)
        assert logs.bad[0].startswith(f"{path}:3: group is not valid UTF-8; convert the file from what it is: iconv")


def test_a_group_that_is_missing_is_no_group(tmp_path: Path) -> None:
    """As pandas writes it, in JSON lines and in Parquet."""
    rows = ['"group": NaN', '"group": null', '"group": ""', '"group": "nan"', '"group": 3']
    actual = [f'{{"prompt": "a", "cheap_quality": 0, "expensive_quality": 1, {group}}}' for group in rows]
    assert read_logs([json_lines(tmp_path / "a.jsonl", *actual)]).groups == ["", "", "", "", "nan", "3", ""]
    for name, group in (("nan", pa.array([float("nan"), None])), ("none", pa.array([None, "a"]))):
        table = pa.table({"prompt": ["a", "b"], "cheap_quality": [0, 1], "expensive_quality": [1, 1], "group": group})
        pa.parquet.write_table(table, path := tmp_path / f"{name}.parquet")
        assert read_logs([path]).groups == ["", "" if name == "nan" else "a"]


def test_what_else_pandas_writes_for_nothing_is_nothing(tmp_path: Path) -> None:
    """A NaN is a cost, a weight or a conversation that is not told."""
    nothing = dict.fromkeys(("messages", "cheap_usd", "expensive_usd", "weight"), float("nan"))
    logs = read_logs([json_lines(tmp_path / "a.jsonl", line(**nothing))])
    assert (len(logs), logs.skipped) == (3, 0)
    assert np.isnan(logs.cheap_usd).all()
    assert logs.weight.tolist() == [1, 1, 1]


def test_the_largest_weights_and_costs_overflow_nothing() -> None:
    """At the bound sums stay finite; a warning would be an error here."""
    bound = {"weight": 1e9, "cheap_usd": 1e9, "expensive_usd": 1e9}
    logs = Logs.from_rows({**GOOD, **(bound if row % 2 else {"weight": 1, "cheap_usd": 0, "expensive_usd": 0})}
                          for row in range(50))  # fmt: skip
    assert len(logs.evened()) == 50
    assert np.isfinite(logs.net_gain).all()


def test_a_quality_out_of_range_is_named() -> None:
    """Above as below."""
    for quality in (4, -1):
        with pytest.raises(LogError, match=rf"cheap_quality is {quality}, outside \[0, 1\]$"):
            Logs.from_rows([{**GOOD, "cheap_quality": quality}])


def test_a_weight_that_is_not_told_is_one(tmp_path: Path) -> None:
    """Among rows that tell theirs; 0 is told."""
    path = json_lines(tmp_path / "a.jsonl", line(weight=2.5), line(weight=None), line(weight=0))
    assert read_logs([path]).weight.tolist() == [1.0, 2.5, 1.0, 0.0, 1.0]
