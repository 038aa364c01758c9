"""A command whose output nobody reads to its end: `turnout ... | head -1`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCORE = ["score", "Please add 1 and 2"]


def left_alone(*argv: str, unbuffered: bool) -> tuple[int, str]:
    """The exit code and standard error of the command where its reader has already left."""
    reading, writing = os.pipe()
    os.close(reading)
    environ = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "turnout", *argv],
            stdout=writing, stderr=subprocess.PIPE, env=environ, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize("unbuffered", [False, True])
def test_a_reader_that_leaves_is_no_traceback(unbuffered: bool) -> None:
    """Be it told while the command prints, or only when all is written out."""
    code, actual = left_alone(*SCORE, unbuffered=unbuffered)
    assert code == 1
    assert "Traceback" not in actual
    assert "BrokenPipe" not in actual


def test_a_help_that_nobody_reads_is_no_traceback() -> None:
    """It ends by SystemExit, with its text not yet written out."""
    code, actual = left_alone("score", "--help", unbuffered=False)
    assert code == 1
    assert "BrokenPipe" not in actual
