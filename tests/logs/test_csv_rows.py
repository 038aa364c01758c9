"""Tables with something above, behind or beside them: no row of them is shifted, and none is lost without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from turnout.errors import LogError
from turnout.logs.labelled import Logs, read_logs

HEADER = "prompt,cheap_quality,expensive_quality\n"
ROWS = "".join(f"question {n},{n % 2},1\n" for n in range(6))


def read(tmp_path: Path, text: str) -> Logs:
    path = tmp_path / "log.csv"
    path.write_text(text)
    return read_logs([path])


def questions(logs: Logs) -> list[Any]:
    return [query.messages[-1]["content"] for query in logs.queries]


@pytest.mark.parametrize(
    "above",
    [
        "# exported on Monday\n",
        '# by "me, and\n# from here\n\n',
        "#\n",
        "# prompt of the user, then grades\n",
        "\n\n# blank lines first\n",
    ],
)
def test_comments_above_the_header_are_no_table(tmp_path: Path, above: str) -> None:
    """A quote in them opens nothing, and lines count on from them."""
    logs = read(tmp_path, f"{above}{HEADER}{ROWS}bad,x,1\n")
    assert (questions(logs), logs.cheap.tolist()) == ([f"question {n}" for n in range(6)], [0, 1] * 3)
    assert f"log.csv:{above.count(chr(10)) + 8}: cheap_quality is 'x'" in logs.bad[0]
    assert read(tmp_path, (above + HEADER + ROWS).replace(",", ";")).cheap.tolist() == [0, 1] * 3


@pytest.mark.parametrize("mark", ["# ", "#", "#,"])
def test_a_header_may_begin_with_the_mark_of_a_comment(tmp_path: Path, mark: str) -> None:
    """As numpy writes it, and as a column of row numbers is called."""
    rows = "".join(f"{n},{row}" for n, row in enumerate(ROWS.splitlines(True))) if mark == "#," else ROWS
    assert read(tmp_path, f"# a comment\n{mark}{HEADER}{rows}").cheap.tolist() == [0, 1] * 3
    assert read(tmp_path, f"{mark}{HEADER}{rows}").cheap.tolist() == [0, 1] * 3


def test_a_row_that_begins_with_the_mark_is_a_row(tmp_path: Path) -> None:
    """A prompt may be a heading."""
    assert questions(read(tmp_path, f"{HEADER}# Title,0,1\n#2,1,1\n")) == ["# Title", "#2"]


@pytest.mark.parametrize("ending", [",", ",,", ", "])
def test_rows_that_end_in_a_comma_are_whole(tmp_path: Path, ending: str) -> None:
    """Where each of them does, and the header does not."""
    logs = read(tmp_path, HEADER + ROWS.replace("\n", f"{ending}\n") + "short,1,\n")
    assert (questions(logs)[:6], logs.cheap.tolist()[:6], logs.skipped) == (
        [f"question {n}" for n in range(6)],
        [0, 1] * 3,
        1,
    )


def test_a_comma_at_the_end_of_some_rows_is_an_open_question(tmp_path: Path) -> None:
    """They may hold a comma that is not quoted: without a rule no field is known."""
    logs = read(tmp_path, f"{HEADER}{ROWS}1,0,1,\n")
    assert (len(logs), logs.skipped) == (6, 1)
    with pytest.raises(LogError, match="4 fields where the header names 3"):
        read(tmp_path, f"{HEADER}1,0,1,\n2,0,1,\n")
