"""Labelled logs: every format, and a bad row is named by file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from turnout.errors import LogError
from turnout.training.labelled_logs import read

ROWS = [
    {"prompt": "a, b", "cheap_quality": 0.5, "expensive_quality": 1, "group": "g"},
    {"prompt": 'two\nlines "quoted"', "cheap_quality": 1, "expensive_quality": 0, "group": ""},
]


def _csv(rows: str) -> str:
    return "prompt,cheap_quality,expensive_quality\n" + rows


def test_every_format_reads_the_same(tmp_path: Path) -> None:
    """CSV, CSV.gz, JSON lines and Parquet."""
    import csv

    import pyarrow as pa
    import pyarrow.parquet

    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS))
    pa.parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    for name in ("a.csv", "a.csv.gz", "a.jsonl", "a.parquet"):
        logs = read([tmp_path / name])
        assert [query.messages[0]["content"] for query in logs.queries] == [row["prompt"] for row in ROWS]
        assert logs.gain.tolist() == [0.5, -1.0]
        assert logs.groups == ["g", ""]
        assert not logs.has_costs


def test_bad_rows_are_named_counted_and_skipped(tmp_path: Path) -> None:
    """Or fatal where that is asked for."""
    file = tmp_path / "bad.csv"
    file.write_text(_csv("good,0,1\nlow,-1,1\nword,x,1\n,0,1\nshort,1\n"))
    logs = read([file])
    assert (len(logs), logs.skipped) == (1, 4)
    assert logs.bad[0] == f"{file}:3: cheap_quality is -1, outside [0, 1]"
    assert "not a number" in logs.bad[1]
    assert logs.bad[2].endswith(":5: prompt is empty")
    with pytest.raises(LogError, match=r"bad\.csv:3"):
        read([file], strict=True)


def test_broken_json_lines_lose_nothing_else(tmp_path: Path) -> None:
    """A cut last line is one bad row."""
    file = tmp_path / "cut.jsonl"
    file.write_text(json.dumps(ROWS[0]) + '\n{"prompt": "cu')
    assert (len(read([file])), read([file]).skipped) == (1, 1)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"question,answer\nx,y\n", "no column prompt"),
        ("a.txt", b"", "logs are .csv"),
        ("a.csv.gz", b"not gzip", "cannot be read"),
        ("a.parquet", b"not parquet", "not a Parquet file"),
        ("a.csv", b"prompt,cheap_quality,expensive_quality\n", "no good row"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    """Its name and the reason, no traceback."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LogError, match=told):
        read([tmp_path / name])


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """By its path."""
    with pytest.raises(LogError, match=r"none\.csv: cannot be read"):
        read([tmp_path / "none.csv"])


def test_a_conversation_can_be_a_row(tmp_path: Path) -> None:
    """`messages` instead of `prompt`, also as JSON text in a CSV."""
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    file = tmp_path / "m.jsonl"
    file.write_text(json.dumps({"messages": messages, "cheap_quality": 0, "expensive_quality": 1}))
    assert read([file]).queries[0].messages == tuple(messages)
