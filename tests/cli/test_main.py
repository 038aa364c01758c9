"""The command line itself: versions, wrong names, exit codes, JSON of every command."""

from __future__ import annotations

import argparse
from importlib import import_module

import pytest

from turnout import __version__
from turnout.cli import COMMANDS, EXIT_CODES, main

# They print nothing on standard output.
SILENT = {"worker"}


def test_a_wrong_name_is_told_the_nearest_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2; where none is near, all of them."""
    for name, expected in (("trian", "did you mean train?"), ("zzz", "there are demo, ")):
        with pytest.raises(SystemExit) as ended:
            main([name, "x.csv"])
        assert ended.value.code == 2
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
    assert "--json" in parser.format_help() or name in SILENT
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert EXIT_CODES in " ".join(capsys.readouterr().out.split())
