"""The table of the client matrix: what stays, and what it says of a client that cannot be run in process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.clients import matrix


def cells_of(text: str, client: str) -> list[str]:
    """The cells of a client's row, after its name."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {client} |"))
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def test_the_rows_of_clients_that_were_not_asked_for_stay_and_each_stands_below_its_own_over_http(
    tmp_path: Path,
) -> None:
    """A run of one client leaves both rows of another as they were."""
    page = tmp_path / "clients.md"
    first = {name: ("1.0", {"chat": "ok"}) for name in ("openai 3, in process", "openai 3", "llm")}
    page.write_text(matrix.table(first, {}), "utf-8")
    text = matrix.table({"openai 3": ("2.0", {"chat": "Refused"})}, matrix.lines_of(page))
    rows = [line.split(" | ")[:3] for line in text.splitlines()[2:]]
    assert rows == [
        ["| openai 3", "2.0", "no"],
        ["| openai 3, in process", "1.0", "yes"],
        ["| llm", "1.0", "yes"],
    ]


def test_a_client_that_cannot_be_installed_beside_turnout_is_a_row_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip finds no versions that fit together: no failure of the run, and no blank."""

    def install(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        said = "ERROR: ResolutionImpossible: for help visit the documentation"
        return subprocess.CompletedProcess(command, 1 if "-e" in command else 0, stderr=said)

    monkeypatch.setattr(subprocess, "run", install)
    row = matrix.in_process("instructor", "instructor", "instructor_client.py", tmp_path, "http://provider")
    assert row == ("cannot be installed beside Turnout", {})


def test_an_installation_that_fails_otherwise_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that is not reached says nothing about the client."""

    def install(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1 if "install" in command else 0, stderr="no route to host")

    monkeypatch.setattr(subprocess, "run", install)
    with pytest.raises(RuntimeError, match="no route to host"):
        matrix.in_process("instructor", "instructor", "instructor_client.py", tmp_path, "http://provider")


def test_what_takes_no_http_client_says_so_and_is_not_taken_for_a_failure(tmp_path: Path) -> None:
    """A whole client in the version's column, one of a client's parts in its cell."""
    rows = {
        "llm, in process": matrix.in_process("llm", "llm", "llm_client.py", tmp_path, "http://provider"),
        "LangChain, in process": ("1.7.4", {"chat": "ok", "messages": matrix.NO_WAY_IN}),
    }
    text = matrix.table(rows, {})
    assert cells_of(text, "llm, in process")[0] == "takes no HTTP client"
    assert set(cells_of(text, "llm, in process")[1:]) == {""}
    cells = cells_of(text, "LangChain, in process")
    assert (cells[1], cells[1 + matrix.CHECKS.index("messages")]) == ("yes", "takes no HTTP client")
