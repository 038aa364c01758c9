"""The command line itself: versions, wrong names, exit codes, JSON of every command."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path

import pytest

from turnout import __version__
from turnout.cli import COMMANDS, EXIT_CODES, main
from turnout.cli.arguments import actions_of
from turnout.cli.labelled_lines import labelled, wrapped
from turnout.install_line import line_for

# By command: arguments that are right but for the settings, an input or an output that is not there, and the exit code.
NO_SETTINGS: dict[str, list[str]] = {
    "serve": [], "worker": [], "submit": ["here.jsonl", "-o", "out.jsonl"], "warm": ["here.jsonl"], "jobs": ["list"],
    "cache": ["purge", "--all"], "spend": [], "report": ["-o", "r.html"], "alerts": ["test"], "check": [],
    "label": ["here.jsonl", "-o", "out.jsonl", "--check", "mine:right", "--rate", "60/minute", "--yes"],
}  # fmt: skip
NO_INPUT: dict[str, list[str]] = {
    "inspect": ["none.csv"], "train": ["none.csv", "-o", "s"], "train-cache": ["none.csv", "-o", "v"],
    "evaluate": ["none.csv"], "score": ["text", "--scorer", "none"], "submit": ["none.jsonl", "-o", "out.jsonl"],
    "warm": ["none.jsonl", "--user", "me"], "report": ["-o", "r.html", "--log", "none.jsonl"], "doctor": ["http://127.0.0.1:9"],
}  # fmt: skip
NO_FOLDER: dict[str, list[str]] = {
    "train": ["here.csv", "-o", "none/s"], "train-cache": ["here.csv", "-o", "none/v"],
    "evaluate": ["here.csv", "--report", "none/r.html"], "submit": ["here.jsonl", "-o", "none/out.jsonl"],
    "report": ["-o", "none/r.html", "--log", "here.jsonl"], "init": ["none"],
    "label": ["here.jsonl", "-o", "none/out.jsonl", "--check", "mine:right", "--rate", "60/minute", "--yes"],
}  # fmt: skip
SETTINGS = '[tiers.cheap]\nmodels = ["openai/a"]\n[tiers.expensive]\nmodels = ["openai/b"]\n[queue]\n[redis]\nurl = "redis://127.0.0.1:9"\n'
# Neither settings nor files can be wrong.
NEITHER = {"demo", "completion"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one: settings and logs that are right."""
    (tmp_path / "turnout.toml").write_text(SETTINGS)
    (tmp_path / "here.jsonl").write_text('{"prompt": "a", "cheap_quality": 0, "expensive_quality": 1}\n')
    (tmp_path / "here.csv").write_text("prompt,cheap_quality,expensive_quality\na,0,1\n")
    (tmp_path / "mine.py").write_text("def right(prompt, answer, row):\n    return True\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def failed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """The exit code, once standard output holds JSON alone and standard error its message."""
    code = main([*arguments, "--json"])
    told = capsys.readouterr()
    report = json.loads(told.out)
    if "error" in report:
        assert report["error"]["exit_code"] == code
        assert f"turnout: {report['error']['message']}" in told.err
    return code


def test_the_tables_hold_every_command() -> None:
    """A new one is added to them."""
    assert set(NO_SETTINGS) | set(NO_INPUT) | set(NO_FOLDER) | NEITHER == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_is_not_there_is_wrong_use(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, whatever else is missing."""
    assert failed([name, "--zzz"], capsys) == 2


@pytest.mark.parametrize("name", NO_SETTINGS)
def test_settings_that_are_not_there_are_a_failure(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1."""
    assert failed([name, *NO_SETTINGS[name], "--config", "none.toml"], capsys) == 1


@pytest.mark.parametrize("name", NO_INPUT)
def test_an_input_that_is_not_there_is_a_failure(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1."""
    assert failed([name, *NO_INPUT[name]], capsys) == 1


@pytest.mark.parametrize("name", NO_FOLDER)
def test_an_output_that_cannot_be_is_wrong_use(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, before any work is done."""
    assert failed([name, *NO_FOLDER[name]], capsys) == 2


def test_a_wrong_option_is_told_the_nearest_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where a required one is missing; a value that looks like an option is none, nor is a shortened option."""
    assert main(["train", "x.csv", "--optput", "s"]) == 2
    assert "no option --optput, did you mean --output?" in capsys.readouterr().err
    assert main(["check", "--jsn"]) == 2
    assert "did you mean --json?" in capsys.readouterr().err
    assert main(["--verison"]) == 2
    assert "did you mean --version?" in capsys.readouterr().err
    assert main(["evaluate", "none.csv", "--see", "1", "--scorer=default"]) == 1
    capsys.readouterr()
    assert main(["--json", "check"]) == 2
    assert "write it after: turnout COMMAND --json" in capsys.readouterr().err


def test_a_wrong_name_is_told_the_nearest_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2; where none is near, all of them."""
    for name, expected in (("trian", "did you mean train?"), ("zzz", "there are demo, ")):
        assert main([name, "x.csv"]) == 2
        assert expected in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, exit code 0."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"turnout {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_tells_its_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In its help."""
    parser = argparse.ArgumentParser()
    import_module(f"turnout.cli.{name.replace('-', '_')}").add_arguments(parser)
    assert "--json" in parser.format_help()
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert EXIT_CODES in " ".join(capsys.readouterr().out.split())


def test_a_choice_that_there_is_not_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """An action as well as an option's value; all of them where none is near."""
    assert main(["jobs", "lst"]) == 2
    assert "there is no 'lst'; did you mean list?" in capsys.readouterr().err
    assert main(["jobs"]) == 2
    assert "required: action (list, show, retry, cancel, purge); see" in capsys.readouterr().err
    assert main(["jobs", "list", "--status", "xyz"]) == 2
    assert "it is one of queued, running" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_no_number_of_a_command_is_negative(name: str) -> None:
    """Nor is it a word: what argparse would take by itself is no type of an argument."""
    parser = argparse.ArgumentParser()
    import_module(f"turnout.cli.{name.replace('-', '_')}").add_arguments(parser)
    for action in actions_of(parser):
        if action.type is None:
            continue
        for text in ("-1", "x", "nan"):
            with pytest.raises(argparse.ArgumentTypeError):
                action.type(text)  # type: ignore[operator]


def test_a_number_out_of_its_bounds_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """The option is named, and the bounds."""
    for arguments, bounds in (
        (["jobs", "list", "--limit", "-1"], "--limit: '-1' is not a whole number from 1 to 1000000000"),
        (["jobs", "list", "--limit", "0"], "--limit: '0' is not a whole number from 1 to"),
        (["submit", "x", "-o", "y", "--priority", "10"], "--priority: '10' is not a whole number from 0 to 9"),
        (["label", "x", "-o", "y", "--limit", "9" * 5000], f"--limit: '{'9' * 40}' is not a whole number from 1 to"),
        (["serve", "--port", "70000"], "--port: '70000' is not a whole number from 0 to 65535"),
        (["worker", "--processes", "0"], "--processes: '0' is not a whole number from 1 to"),
        (["worker", "--drain-s", "inf"], "--drain-s: 'inf' is not a number of seconds from 0 to 86400"),
        (["demo", "--seed", "-1"], "--seed: '-1' is not a whole number from 0 to 4294967295"),
    ):
        assert main(arguments) == 2
        assert bounds in capsys.readouterr().err


def test_no_command_at_all_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, as for other wrong use."""
    assert main([]) == 2
    told = capsys.readouterr().err
    assert all(f"    {name}" in told for name in COMMANDS)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (None, "pip install 'turnout[plots]'"),
        ('{"url": "https://x/turnout.whl", "archive_info": {}}', "pip install 'turnout[plots]'"),
        ('{"url": "file:///a%20b", "dir_info": {}}', "pip install '/a b[plots]'"),
        ('{"url": "file:///a", "dir_info": {"editable": true}}', "pip install -e '/a[plots]'"),
    ],
)
def test_an_extra_is_installed_from_where_turnout_came(source: str | None, line: str) -> None:
    """A clone's is not the registry's."""
    assert line_for("plots", source) == line


def test_what_is_longer_than_the_terminal_is_wrapped_below_itself() -> None:
    """A little further in; what fits, and all where there is no terminal, stays as it is."""
    text = "2 settings are wrong:\n  a   b\n  routing.keep_quality must be between 0 and 1"
    assert wrapped(text, None) == text
    assert wrapped(text, 40).splitlines() == [
        "2 settings are wrong:",
        "  a   b",
        "  routing.keep_quality must be between 0",
        "    and 1",
    ]


def test_a_line_is_wrapped_beside_its_label_for_a_terminal_alone() -> None:
    """Names stay whole; without a terminal each finding is one line, for grep."""
    text = "openai/gpt-4o-mini: 0.15 in, 0.6 out, USD per million tokens"
    assert labelled("price:", text, 11, 50).splitlines() == [
        "price:     openai/gpt-4o-mini: 0.15 in, 0.6 out,",
        "           USD per million tokens",
    ]
    assert labelled("price:", text, 11, None) == f"price:     {text}"
    assert labelled("price:", text, 11, 20) == f"price:     {text}"
