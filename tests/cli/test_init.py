"""`turnout init`: what it finds out by itself, the file that it writes, the line that it names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnout.cli import main
from turnout.cli.init import PAIRS, tiers_of
from turnout.cli.log_input import price_of
from turnout.cli.project_scan import Project, scan
from turnout.settings import Settings

FASTAPI = 'from fastapi import FastAPI\n\napp = FastAPI(\n    title="x"\n)\nMODEL = "gpt-4o"\n'
FLASK = "from flask import Flask\n\ndef create_app():\n    api = Flask(__name__)\n    return api\n"
DJANGO = "from django.core.wsgi import get_wsgi_application\n\napplication = get_wsgi_application()\n"


def reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert main(["init", str(folder), "--json"]) == 0
    report: dict[str, object] = json.loads(capsys.readouterr().out)
    return report


@pytest.mark.parametrize(
    ("source", "line", "added"),
    [
        (FASTAPI, 5, 'app.add_middleware(TurnoutMiddleware, config="turnout.toml")'),
        (FLASK, 4, '    api.wsgi_app = TurnoutMiddleware(api.wsgi_app, config="turnout.toml")'),
        (DJANGO, 3, 'application = TurnoutMiddleware(application, config="turnout.toml")'),
    ],
    ids=["fastapi", "flask in a factory", "django"],
)
def test_the_line_to_add_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, line: int, added: str
) -> None:
    """After the app is made, indented as it is; what is installed or a test is not the app."""
    (tmp_path / "service").mkdir()
    (tmp_path / "service/main.py").write_text(source)
    for folder in ("tests", ".venv", "node_modules"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text(FASTAPI)
    report = reported(tmp_path, capsys)
    door = "asgi" if "fastapi" in source else "wsgi"
    indent = " " * (len(added) - len(added.lstrip()))
    expected = {
        "file": "service/main.py",
        "line": line,
        "lines": [f"{indent}from turnout.{door} import TurnoutMiddleware", added],
    }
    assert report["add"] == expected


def test_the_file_is_right_and_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every commented line of it is a right setting, too."""
    assert main(["init", str(tmp_path), "--yes"]) == 0
    assert "turnout check" in capsys.readouterr().out
    path = tmp_path / "turnout.toml"
    settings = Settings.from_toml(path)
    assert settings.tiers.cheap.models == ("openai/gpt-4o-mini",)
    assert settings.routing.max_expensive_share == 0.3
    uncommented = [line.removeprefix("# ") if is_setting(line) else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(line for line in uncommented if "keep_quality" not in line))
    assert Settings.from_toml(path).budgets.total
    before = path.read_text()
    assert main(["init", str(tmp_path), "--yes"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert path.read_text() == before


def is_setting(line: str) -> bool:
    """Whether a commented line is TOML."""
    return line.startswith("# [") or (line.startswith("# ") and " = " in line.partition("#")[2].partition("#")[0])


def test_the_tiers_are_what_the_code_names(tmp_path: Path) -> None:
    """The cheapest and the dearest of it; the other half of a pair for one alone; by the key at hand for none."""
    (tmp_path / "a.py").write_text('A = ["gpt-4o", "claude-haiku-4-5", "text-embedding-3-small"]\n')
    project = scan(tmp_path, {})
    assert set(project.models) == {"gpt-4o", "claude-haiku-4-5"}
    assert tiers_of(project) == ("anthropic/claude-haiku-4-5", "openai/gpt-4o")
    (tmp_path / "a.py").write_text('A = "gpt-4o"\n')
    assert tiers_of(scan(tmp_path, {})) == ("openai/gpt-4o-mini", "openai/gpt-4o")
    (tmp_path / "a.py").write_text("")
    (tmp_path / ".env").write_text("ANTHROPIC_API_KEY=sk-secret\nREDIS_URL=redis://x\n")
    project = scan(tmp_path, {"OPENAI_API_KEY": ""})
    assert project == Project(apps=(), models=(), providers=("anthropic",), has_redis=True)
    assert tiers_of(project) == PAIRS["anthropic"]


def test_the_pairs_are_models_that_litellm_prices() -> None:
    """The second at least as dear as the first."""
    for cheap, expensive in PAIRS.values():
        assert (price_of(cheap) or 9) <= (price_of(expensive) or 0)


def test_no_folder_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    assert main(["init", str(tmp_path / "none")]) == 2
    assert "is no folder" in capsys.readouterr().err
