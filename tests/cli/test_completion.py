"""Shell completion: what the scripts offer, as the shells ask for it."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from turnout.cli import COMMANDS, main


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def offered(completion: str, *words: str) -> list[str]:
    """What bash is offered at the last of these words."""
    line = " ".join(f"'{word}'" for word in words)
    told = "compopt() { echo no-files; }; "
    asked = f"{told}COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _turnout; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", f"{completion}\n{asked}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_bash_is_offered_commands_options_and_choices(capsys: pytest.CaptureFixture[str]) -> None:
    """Options where the word begins with a dash, else the words; where none fits, bash offers files."""
    bash = script("bash", capsys)
    assert offered(bash, "turnout", "") == list(COMMANDS)
    assert offered(bash, "turnout", "tra")[0] == "train"
    assert "--strict" in offered(bash, "turnout", "train", "--s")
    assert offered(bash, "turnout", "train", "logs") == []
    assert "purge" in offered(bash, "turnout", "jobs", "p")
    assert offered(bash, "turnout", "completion", "") == ["bash", "zsh", "fish"]
    assert offered(bash, "turnout", "nothing", "") == []
    assert "--child" not in bash, "what is hidden in help is hidden here"


def test_what_an_option_takes_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    """Its choices, files where it takes one, nothing where it takes a text; written with = too."""
    bash = script("bash", capsys)
    assert offered(bash, "turnout", "train", "--embedding", "") == ["auto", "wordllama", "none"]
    assert offered(bash, "turnout", "train", "--embedding", "=", "w") == ["wordllama"]
    assert offered(bash, "turnout", "jobs", "list", "--status", "f") == ["failed"]
    assert offered(bash, "turnout", "check", "--config", "") == [], "bash offers files"
    assert offered(bash, "turnout", "train", "-o", "") == []
    assert offered(bash, "turnout", "serve", "--host", "") == ["no-files"]


def test_zsh_takes_bash_s_script_and_fish_has_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A line an option; quotes in a help do not end it."""
    assert script("zsh", capsys).startswith("autoload -U +X bashcompinit")
    fish = script("fish", capsys)
    for name in COMMANDS:
        assert f"-f -a {name} -d '" in fish
    for line in fish.splitlines():
        assert line.replace("\\'", "").count("'") % 2 == 0, line
    if shutil.which("fish"):
        assert subprocess.run(["fish", "--no-execute", "/dev/stdin"], input=fish, text=True).returncode == 0


def test_json_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """By command."""
    assert main(["completion", "bash", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert set(known) == set(COMMANDS)
    assert known["completion"]["words"] == ["bash", "zsh", "fish"]
    assert known["check"]["values"] == {"--config": ["FILE"]}
