"""`turnout train-cache`: a verifier file from labelled pairs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.caching.semantic.test_verifier import write_pairs
from turnout.caching.semantic.verifier import load_verifier
from turnout.cli import main


def test_it_writes_exactly_the_file_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And tells what it is worth; over its own kind it writes again, over anything else never."""
    pairs, file = write_pairs(tmp_path / "pairs.csv", "x,,1"), tmp_path / "my.verifier"
    for _ in range(2):
        assert main(["train-cache", str(pairs), "-o", str(file), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["pairs"], summary["skipped"], summary["file"]) == (400, 1, str(file))
    assert load_verifier(file).summary["embedder"] == "wordllama"
    assert main(["train-cache", str(pairs), "-o", str(pairs)]) == 2
    assert main(["train-cache", str(pairs), "-o", str(file), "--strict"]) == 1


def test_what_is_no_file_of_pairs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1."""
    (tmp_path / "x.csv").write_text("a,b\n")
    assert main(["train-cache", str(tmp_path / "x.csv"), "-o", str(tmp_path / "v")]) == 1
    assert "text_a" in capsys.readouterr().err
    assert not (tmp_path / "v").exists()
