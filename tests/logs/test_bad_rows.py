"""Rows that were skipped: named, counted, and where they are the most, told by their commonest reason."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from turnout.cli import main
from turnout.errors import LogError
from turnout.logs.bad_rows import KINDS, BadRows
from turnout.logs.labelled import read_logs
from turnout.logs.reader import Columns
from turnout.logs.values import Scale
from turnout.training import evaluate, fit
from turnout.training.data_checks import data_checks


def file(path: Path, rows: list[tuple[object, ...]]) -> Path:
    """Labelled logs of these rows."""
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([("prompt", "cheap_quality", "expensive_quality"), *rows])
    return path


def percent(path: Path) -> Path:
    """Qualities of 0 to 100: the rows of 0 and 0 alone are in range."""
    rows: list[tuple[object, ...]] = [(f"prompt {row}", 0, 0) for row in range(60)]
    return file(path, [*rows, *((f"prompt {row}", row % 99 + 2, 100) for row in range(251)), ("", 0, 1)])


def test_the_commonest_reason_is_counted_whatever_the_value() -> None:
    """The first of its kind stands for all."""
    bad = BadRows()
    for row in range(9):
        bad.add(f"a.csv:{row}", f"cheap_quality is {row + 2}, outside [0, 1]")
        bad.add(f"a.csv:{row}", f"weight is '{chr(97 + row)}', not a number" if row % 2 else "prompt is empty")
    assert bad.skipped == 18
    assert bad.commonest == "cheap_quality is 2, outside [0, 1]"
    assert (
        bad.warning(rows=17) == "18 of 35 rows were skipped, 9 of them as this one: cheap_quality is 2, outside [0, 1]"
    )
    assert bad.warning(rows=18) == ""
    assert BadRows().warning(rows=0) == ""


def test_no_text_of_a_row_is_told_of_all() -> None:
    """Columns may be shifted, so a text may be a prompt; this ends in a scorer file."""
    for wrong in ("'Dear Ms Doe'", '"it\'s Doe"', "'both \\' and \" Doe'"):
        bad = BadRows()
        bad.add("a.csv:2", f"cheap_quality is {wrong}, not a number")
        assert bad.commonest == "cheap_quality is '...', not a number"
        assert "Doe" in bad.named[0]


def test_reasons_that_never_repeat_fill_no_memory() -> None:
    """A million kinds of nonsense are counted as other ones."""
    bad = BadRows()
    for row in range(KINDS + 500):
        bad.add("a", "".join(chr(97 + int(digit)) for digit in str(row)))
    assert (bad.skipped, bad.kinds) == (KINDS + 500, KINDS)


@pytest.mark.parametrize(("end", "share"), [(5, 1.0), (10, 1.0), (100, 1.0), (1000, 1.0), (5, 0.05)])
def test_another_scale_is_refused_with_the_flag_to_pass(tmp_path: Path, end: int, share: float) -> None:
    """From a few per cent of the rows on: rows of 0 and 1 of ten would pass for wrong and right, and train."""
    rows = [(f"p {row}", row % (end + 1), (row + 1) % (end + 1)) for row in range(7 * (end + 1))]
    unit = [(f"u {row}", row % 2, 1) for row in range(round(len(rows) * (1 / share - 1)))]
    with pytest.raises(LogError, match=rf"another scale; pass --scale 0:{end}, or"):
        read_logs([file(tmp_path / "scale.csv", [*unit, *rows])])
    logs = read_logs([file(tmp_path / "scale.csv", rows)], columns=Columns(scale=Scale(0, end)))
    assert len(logs) == len(rows)
    assert logs.cheap.max() == logs.expensive.max() == 1.0


def test_a_scale_where_lower_is_better(tmp_path: Path) -> None:
    """The first number is the worst grade."""
    logs = read_logs(
        [file(tmp_path / "grades.csv", [("a", 1, 5), ("b", 5, 3)])], columns=Columns(scale=Scale.parse("5:1"))
    )
    assert (logs.cheap.tolist(), logs.expensive.tolist()) == ([1.0, 0.0], [0.0, 0.5])


def test_a_few_qualities_above_one_are_bad_rows(tmp_path: Path) -> None:
    """A slip of one is skipped and named."""
    logs = read_logs([file(tmp_path / "slips.csv", [*[(f"p {row}", row % 2, 1) for row in range(10)], ("x", 7, 1)])])
    assert (len(logs), logs.skipped) == (10, 1)
    assert "cheap_quality is 7, outside [0, 1]" in logs.bad[0]


def test_most_rows_skipped_is_a_doubt_and_stands_in_the_error(tmp_path: Path) -> None:
    """ "0 in every row" alone would send one looking in the wrong place."""
    rows = [*[(f"p {row}", 1, 1) for row in range(60)], *[(f"q {row}", "fine", 1) for row in range(252)]]
    logs = read_logs([file(tmp_path / "words.csv", rows)])
    reason = r"252 of 312 rows were skipped, 252 of them.*cheap_quality is '\.\.\.', not a number"
    with pytest.raises(LogError, match=rf"is 0 in every row.*{reason}"):
        fit.train(logs)
    with pytest.raises(LogError, match=rf"is 0 in every row.*{reason}"):
        fit.train(replace(logs, weights=np.arange(60) + 1.0).evened())
    assert any("252 of 312 rows were skipped" in doubt for doubt in data_checks(logs))
    few = [(f"p {row}", row % 2, 1) for row in range(10)]
    logs = read_logs([file(tmp_path / "few.csv", [*few, *[("x", "fine", 1)] * 11])])
    for refused in (fit.train, evaluate.cross_validated):
        with pytest.raises(LogError, match=r"10 good rows are too few.*11 of 21 rows were skipped.*is '\.\.\.', not"):
            refused(logs)


def test_no_good_row_names_the_files_and_the_commonest_reason(tmp_path: Path) -> None:
    """Also where a file holds nothing but its header."""
    paths = [file(tmp_path / f"{name}.csv", [("", 0, 1)]) for name in "abcdefg"]
    with pytest.raises(LogError, match=r"none\.csv: is empty"):
        read_logs([file(tmp_path / "none.csv", [])])
    with pytest.raises(LogError, match=r"a\.csv, .*b\.csv, .*c\.csv and 4 more: no good row"):
        read_logs(paths)
    bad = file(tmp_path / "bad.csv", [("", 0, 1), *[("x", "fine", 1)] * 3])
    with pytest.raises(LogError, match=r"bad\.csv: no good row.*bad\.csv:2: prompt is empty.*3 of them.*not a number"):
        read_logs([bad])


def test_weights_of_nothing_name_the_file(tmp_path: Path) -> None:
    """By its path."""
    path = tmp_path / "w.csv"
    path.write_text("prompt,cheap_quality,expensive_quality,weight\na,0,1,0\n")
    with pytest.raises(LogError, match=r"w\.csv: every row has a weight of 0"):
        read_logs([path])


def test_the_command_tells_it_once_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below the rows that it names one by one."""
    assert main(["train", str(percent(tmp_path / "p.csv")), "-o", str(tmp_path / "s")]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "251 of 312 rows have a quality outside of their scale, from 0 to 100" in last
    assert "--scale 0:100" in last
