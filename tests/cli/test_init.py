"""`turnout init`: what it finds out by itself, the file that it writes, the line that it names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from turnout.cli import main
from turnout.cli.init import PAIRS, tiers_of
from turnout.cli.log_input import price_of
from turnout.cli.project_scan import KEYS, Project, scan
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
    assert project == Project(providers=("anthropic",), unloaded=("anthropic",), has_redis=True)
    assert tiers_of(project) == PAIRS["anthropic"]


@pytest.mark.parametrize(
    ("variable", "provider"), [("GROQ_API_KEY", "groq"), ("AZURE_API_KEY", "azure"), ("CO_API_KEY", "cohere_chat")]
)
def test_every_provider_s_key_is_known(tmp_path: Path, variable: str, provider: str) -> None:
    """By the name that litellm reads; each has a pair of models, and OpenAI's goes first."""
    assert scan(tmp_path, {variable: "x"}).providers == (provider,)
    assert scan(tmp_path, {variable: "x", "OPENAI_API_KEY": "x"}).providers == ("openai", provider)
    assert set(KEYS.values()) == set(PAIRS)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.py", "from dotenv import load_dotenv"),
        ("a.py", "import environs"),
        ("a.py", 'class S(BaseSettings):\n    model_config = SettingsConfigDict(env_file=".env")'),
        ("a.py", 'model_config = {"env_file": ".env"}'),
        ("compose.yml", "services: {app: {env_file: .env}}"),
        ("Procfile", "web: uvicorn app:app --env-file .env"),
    ],
)
def test_a_key_in_a_file_counts_where_something_loads_it(
    tmp_path: Path, file: str, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is told that nothing does, and what would."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("GROQ_API_KEY=x\n")
    assert main(["init", str(tmp_path), "--yes"]) == 0
    told = capsys.readouterr().err
    assert "keys:   none" in told
    assert "groq in .env, which nothing here loads: export it" in told
    (tmp_path / "turnout.toml").unlink()
    (tmp_path / file).write_text(text)
    report = reported(tmp_path, capsys)
    assert (report["keys"], report["keys_not_loaded"]) == (["groq"], [])


@pytest.mark.parametrize(
    "source",
    [
        'client = OpenAI(base_url="http://127.0.0.1:11434/v1")',
        'llm = ChatOpenAI(openai_api_base="http://127.0.0.1:11434/v1")',
        'litellm.completion(model=M, api_base="http://127.0.0.1:11434/v1")',
        'URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1")',
    ],
)
def test_another_address_in_the_code_is_in_the_settings(
    tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """For each model of OpenAI's; Turnout's own address, and a provider's that is asked by name, are none."""
    (tmp_path / "a.py").write_text(f'{source}\nM = "gpt-4o"\n')
    assert main(["init", str(tmp_path), "--yes"]) == 0
    found = capsys.readouterr().err
    assert "server: http://127.0.0.1:11434/v1, in place of OpenAI's; no key is sent there" in found
    assert "a guess" not in found
    settings = Settings.from_toml(tmp_path / "turnout.toml")
    for name in settings.model_names:
        assert settings.model(name).params == {"api_base": "http://127.0.0.1:11434/v1"}
    for known in ("http://turnout/v1", "https://api.groq.com/openai/v1"):
        (tmp_path / "a.py").write_text(f'client = OpenAI(base_url="{known}")\n')
        assert scan(tmp_path, {}).address == ""
    keys = {"OPENAI_API_KEY": "x", "GROQ_API_KEY": "x"}
    assert scan(tmp_path, keys).providers == ("groq", "openai"), "whom the code asks goes first"
    assert scan(tmp_path, {"OPENAI_BASE_URL": "http://10.0.0.1/v1"}).address == "http://10.0.0.1/v1"


def test_a_client_of_the_sdk_is_told_how_to_be_routed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mounted alone, nothing would be routed: the code would go on to ask the provider by itself."""
    (tmp_path / "a.py").write_text("import openai\nfrom openai import OpenAI\nclient = openai.AsyncOpenAI()\n")
    assert main(["init", str(tmp_path), "--yes"]) == 0
    told = capsys.readouterr().out
    assert "(a.py, line 3)" in told
    assert 'AsyncOpenAI(api_key="-", base_url="http://turnout/v1", http_client=httpx.AsyncClient(transport=' in told
    (tmp_path / "turnout.toml").unlink()
    (tmp_path / "a.py").write_text("client = OpenAI(http_client=mine)\n")
    assert reported(tmp_path, capsys)["clients"] == []


def test_the_pairs_are_models_that_litellm_prices() -> None:
    """The second at least as dear as the first."""
    for cheap, expensive in PAIRS.values():
        assert (price_of(cheap) or 9) <= (price_of(expensive) or 0)


def test_no_folder_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    assert main(["init", str(tmp_path / "none")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_tiers_that_the_code_does_not_name_are_told_as_a_guess(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that nobody takes them for found."""
    (tmp_path / "a.py").write_text('client = OpenAI()\nclient.chat.completions.create(model="llama3.1:8b")\n')
    assert main(["init", str(tmp_path), "--yes"]) == 0
    assert "a guess: the code names no model that is known" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "code", "written"), [("n\n", 1, False), ("\n", 0, True), ("", 2, False)])
def test_without_yes_nothing_is_written_that_nobody_agreed_to(
    tmp_path: Path, answer: str, code: int, written: bool
) -> None:
    """In a pipe too; where nobody can be asked it says which option to pass."""
    done = subprocess.run(
        [sys.executable, "-m", "turnout", "init", str(tmp_path)], input=answer, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert (tmp_path / "turnout.toml").exists() is written
    assert ("pass --yes" in done.stderr) is (code == 2)
