"""Labelled logs: every format, and a bad row is named by file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from turnout.errors import LogError
from turnout.logs.labelled import read_logs

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
        logs = read_logs([tmp_path / name])
        assert [query.messages[0]["content"] for query in logs.queries] == [row["prompt"] for row in ROWS]
        assert logs.gain.tolist() == [0.5, -1.0]
        assert logs.groups == ["g", ""]
        assert not logs.has_costs


def test_bad_rows_are_named_counted_and_skipped(tmp_path: Path) -> None:
    """Or fatal where that is asked for."""
    file = tmp_path / "bad.csv"
    file.write_text(_csv("good,0,1\nlow,-1,1\nword,x,1\n,0,1\nshort,1\n"))
    logs = read_logs([file])
    assert (len(logs), logs.skipped) == (1, 4)
    assert logs.bad[0] == f"{file}:3: cheap_quality is -1, outside [0, 1]"
    assert "not a number" in logs.bad[1]
    assert logs.bad[2].endswith(":5: prompt is empty")
    with pytest.raises(LogError, match=r"bad\.csv:3"):
        read_logs([file], strict=True)


def test_broken_json_lines_lose_nothing_else(tmp_path: Path) -> None:
    """A cut last line is one bad row."""
    file = tmp_path / "cut.jsonl"
    file.write_text(json.dumps(ROWS[0]) + '\n{"prompt": "cu')
    assert (len(read_logs([file])), read_logs([file]).skipped) == (1, 1)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"what,answer\nx,y\n", "no column prompt or messages; it has what, answer; .*--prompt COLUMN"),
        ("a.csv", b"question,answer\nx,y\n", "read as prompts in question, .*turnout label"),
        ("a.csv.gz", b"\x1f\x8bnot gzip", "cannot be read"),
        ("a.parquet", b"PAR1 not parquet", "not a Parquet file"),
        ("a.csv", b"prompt,cheap_quality,expensive_quality\n", "is empty"),
        ("a.csv", b"\xff\xfe\x00", "is empty"),
        ("a.csv", "prompt,cheap_quality,expensive_quality\na".encode("utf-16")[:-1], "cut short or no UTF-16"),
        ("a.pkl", b"\x80\x04\x95", "is a Python pickle, which runs code"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0", "save the sheet as CSV"),
        ("a.csv", b"", "is empty"),
        ("a.jsonl", b"\n", "is empty"),
        ("a.csv", b"prompt,prompt,cheap_quality,expensive_quality\n", "'prompt' stands twice"),
        ("a.csv", b"Prompt,cheap_qualty,dear\na,0,1\n", "--cheap cheap_qualty --expensive dear"),
        ("a.jsonl", b'{"prompt": "a", "cheap": 1}\n', "read as prompts in prompt, .*turnout label"),
        ("a.csv", b"prompt,cheap_quality,expensive_quality,weight\na,0,1,0\n", "weight of 0"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    """Its name and the reason, no traceback."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LogError, match=expected):
        read_logs([tmp_path / name])


def test_a_conversation_can_be_a_row(tmp_path: Path) -> None:
    """`messages` instead of `prompt`, also as JSON text in a CSV."""
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    file = tmp_path / "m.jsonl"
    file.write_text(json.dumps({"messages": messages, "cheap_quality": 0, "expensive_quality": 1}))
    assert read_logs([file]).queries[0].messages == tuple(messages)


def test_a_cut_gzip_a_directory_and_the_line_it_came_to(tmp_path: Path) -> None:
    """A file that ends early is not half the logs in silence."""
    rows = "".join(f"prompt number {number},0,1\n" for number in range(20_000))
    whole = gzip.compress(_csv(rows).encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LogError, match=r"cut\.csv\.gz: the compressed file is cut short"):
        read_logs([tmp_path / "cut.csv.gz"])
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(LogError, match="is a directory"):
        read_logs([tmp_path / "dir.csv"])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (b"\xe9t\xe9,0,1", "prompt is not valid UTF-8"),
        (b"a,nan,1", "cheap_quality is missing"),
        (b"a,0,inf", "expensive_quality is inf, outside"),
        (b"a,85,90", "cheap_quality is 85, outside"),
        (b"a,,1", "cheap_quality is missing"),
        (b"   ,0,1", "prompt is empty"),
        (b"one, two,0,1", "4 fields where the header names 3"),
    ],
)
def test_each_thing_wrong_with_a_row_has_its_words(tmp_path: Path, row: bytes, expected: str) -> None:
    """And the rows around it are read, the line counted from the row's beginning."""
    file = tmp_path / "a.csv"
    file.write_bytes(_csv('"two\nlines",0,1\n').encode() + row + b"\nlast,1,1\n")
    logs = read_logs([file])
    assert (len(logs), logs.skipped) == (2, 1)
    assert logs.bad[0].startswith(f"{file}:4: ")
    assert expected in logs.bad[0]


def test_a_sample_is_even_deterministic_and_checks_every_row(tmp_path: Path) -> None:
    """Of 4,000 rows 200 are held, in their order; the bad row is found wherever it stands."""
    file = tmp_path / "many.csv"
    rows = [f"{number},{number / 4000},1" for number in range(4000)]
    rows[3500] = "bad,7,1"
    file.write_text(_csv("\n".join(rows)))
    logs, again, other = (read_logs([file], most=200, seed=seed) for seed in (1, 1, 2))
    assert (len(logs), logs.rows, logs.skipped) == (200, 3999, 1)
    assert logs.cheap.tolist() == again.cheap.tolist() != other.cheap.tolist()
    assert logs.cheap.tolist() == sorted(logs.cheap.tolist())
    # The mean of 200 of a uniform is off by more than four standard errors once in 16,000 seeds.
    assert logs.cheap.mean() == pytest.approx(0.5, abs=4 * 0.289 / 200**0.5)
    assert [query.messages[0]["content"] for query in logs.queries] == [f"{round(c * 4000)}" for c in logs.cheap]


def test_a_weight_is_given_out_as_rows(tmp_path: Path) -> None:
    """As many rows as before, each as often as its weight says, to within one."""
    file = tmp_path / "w.csv"
    file.write_text("prompt,cheap_quality,expensive_quality,weight\n"
                    + "".join(f"{number},{number / 100},1,{number % 4}\n" for number in range(100)))  # fmt: skip
    logs = read_logs([file])
    even = logs.evened()
    assert len(even) == 100
    for number in range(100):
        times = int((even.cheap == number / 100).sum())
        assert abs(times - (number % 4) * 100 / logs.weight.sum()) < 1
    assert np.ptp(even.weight) == 0
