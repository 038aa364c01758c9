"""`turnout score`: what it says of a text, and what it was not asked rightly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.routing.test_scorer import trained
from turnout.cli import main


@pytest.fixture
def scorer(tmp_path: Path) -> str:
    """A file trained on the groups shop and school."""
    trained().save(tmp_path / "s")
    return str(tmp_path / "s")


def test_the_default_scorer_tells_no_gain_and_no_novelty(capsys: pytest.CaptureFixture[str]) -> None:
    """It has measured neither; nor are there reasons that weigh nothing."""
    assert main(["score", "Prove it", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["expected_gain"], report["novelty"], report["novel"]) == (None, None, None)
    assert 0.0 <= report["score"] <= 1.0
    assert main(["score", "Prove it"]) == 0
    text = capsys.readouterr().out
    assert "novelty" not in text
    assert "expected gain" not in text
    assert "towards" in text
    assert "0.000" not in text


def test_a_file_tells_both(scorer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And the words of the text among its reasons, the group too."""
    assert main(["score", "Please add 1 and 2", "--scorer", scorer, "--group", "shop"]) == 0
    captured = capsys.readouterr()
    assert "expected gain" in captured.out
    assert "novelty" in captured.out
    assert "the group 'shop'" in captured.out
    assert captured.err == ""


@pytest.mark.parametrize("known", [True, False])
def test_a_group_that_the_logs_never_held_is_named(
    known: bool, scorer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error; standard output stays the JSON, and the same as without a group."""
    file = ["--scorer", scorer] if known else []
    assert main(["score", "Please add 1 and 2", "--json", *file]) == 0
    without = capsys.readouterr()
    assert without.err == ""
    assert main(["score", "Please add 1 and 2", "--json", *file, "--group", "shopp"]) == 0
    captured = capsys.readouterr()
    assert "'shopp' counts as none" in captured.err
    assert captured.out == without.out


def test_a_group_that_matters_is_asked_for(scorer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without one the text's tier in each group of the logs is told, and the option; with one, and of a file whose logs
    had one group alone, nothing is."""
    command = ["score", "Please add 1 and 2", "--scorer", scorer]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "--group shop: " in told
    assert "--group school: " in told
    assert main([*command, "--json"]) == 0
    by_group = json.loads(capsys.readouterr().out)["by_group"]
    assert main([*command, "--json", "--group", "shop"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (by_group["shop"], report["by_group"]) == ({"score": report["score"], "tier": report["tier"]}, {})
    assert main([*command, "--group", "shop"]) == 0
    assert "--group" not in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_wrong_use(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """2, and nothing on standard output."""
    assert main(["score", text]) == 2
    captured = capsys.readouterr()
    assert "empty" in captured.err
    assert captured.out == ""
