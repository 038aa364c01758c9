"""`turnout init`: what it finds out by itself, the file that it writes, the line that it names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from turnout.cli import main
from turnout.cli.client_lines import client_lines
from turnout.cli.log_input import price_of
from turnout.cli.model_calls import SdkClient
from turnout.cli.project_scan import KEYS, Project, scan
from turnout.cli.tier_choice import PAIRS, tiers_of
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


def chosen(folder: Path, environ: dict[str, str] | None = None) -> tuple[str, str]:
    tiers = tiers_of(scan(folder, environ or {}))
    return tiers.cheap, tiers.expensive


def test_the_tiers_are_what_the_code_names(tmp_path: Path) -> None:
    """The cheapest and the dearest of it; the other half of a pair for one alone; by the key at hand for none."""
    (tmp_path / "a.py").write_text('A = ["gpt-4o", "claude-haiku-4-5", "text-embedding-3-small"]\n')
    assert {model.name for model in scan(tmp_path, {}).models} == {"openai/gpt-4o", "anthropic/claude-haiku-4-5"}
    assert chosen(tmp_path) == ("anthropic/claude-haiku-4-5", "openai/gpt-4o")
    (tmp_path / "a.py").write_text('A = "gpt-4o"\n')
    assert chosen(tmp_path) == ("openai/gpt-4o-mini", "openai/gpt-4o")
    (tmp_path / "a.py").write_text("")
    (tmp_path / ".env").write_text("ANTHROPIC_API_KEY=sk-secret\nREDIS_URL=redis://x\n")
    project = scan(tmp_path, {"OPENAI_API_KEY": ""})
    assert project == Project(providers=("anthropic",), unloaded=("anthropic",), has_redis=True)
    assert chosen(tmp_path) == PAIRS["anthropic"]


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
    assert "server: http://127.0.0.1:11434/v1\n        in place of a provider's own; no key is sent there" in found
    assert "a guess: openai/gpt-4o-mini" in found
    settings = Settings.from_toml(tmp_path / "turnout.toml")
    for name in settings.model_names:
        assert settings.model(name).params == {"api_base": "http://127.0.0.1:11434/v1"}
    for known in ("http://turnout/v1", "https://api.groq.com/openai/v1"):
        (tmp_path / "a.py").write_text(f'client = OpenAI(base_url="{known}")\n')
        assert scan(tmp_path, {}).address == ""
    keys = {"OPENAI_API_KEY": "x", "GROQ_API_KEY": "x"}
    assert scan(tmp_path, keys).providers == ("groq", "openai"), "whom the code asks goes first"
    assert scan(tmp_path, {"OPENAI_BASE_URL": "http://10.0.0.1/v1"}).address == "http://10.0.0.1/v1"


OPENAI = "import os\nfrom openai import OpenAI\n"
ASK = "client.chat.completions.create(model={model}, messages=[])\n"


@pytest.mark.parametrize(
    ("sources", "model", "address"),
    [
        (
            {"a.py": f'{OPENAI}client = OpenAI(base_url="http://localhost:11434/v1")\n{ASK.format(model=repr("a:8b"))}'},
            "openai/a:8b",
            "http://localhost:11434/v1",
        ),
        (
            {"a.py": f'{OPENAI}client = OpenAI(base_url="https://openrouter.ai/api/v1")\n{ASK.format(model=repr("x/y"))}'},
            "openrouter/x/y",
            "",
        ),
        (
            {
                "svc/config.py": 'import os\nBASE = os.getenv("BASE", "http://10.0.0.1") + "/v1"\nMODEL = "mine-7b"\n',
                "svc/main.py": f"{OPENAI}from . import config\nfrom svc.config import BASE\n"
                f"client = OpenAI(base_url=BASE)\n{ASK.format(model='config.MODEL')}",
            },
            "openai/mine-7b",
            "http://10.0.0.1/v1",
        ),
        ({"a.py": 'from litellm import acompletion as ask\nask("azure/mine", messages=[])\n'}, "azure/mine", ""),
        ({"a.py": 'import litellm\nD = "mine"\nlitellm.completion(f"azure/{D}", messages=[])\n'}, "azure/mine", ""),
        (
            {
                "a.py": "from openai import AzureOpenAI\nclass Service:\n    def __init__(self):\n"
                '        self.llm = AzureOpenAI(azure_endpoint="https://x.openai.azure.com")\n'
                '    def ask(self, model="mine"):\n        self.llm.chat.completions.create(model=model)\n'
            },
            "azure/mine",
            "https://x.openai.azure.com",
        ),
        (
            {
                "a.py": f"{OPENAI}class Settings(BaseSettings):\n    model: str = 'mine-70b'\n    url: str = 'http://vllm/v1'\n"
                f"settings = Settings()\nclient = OpenAI(base_url=settings.url)\n{ASK.format(model='settings.model')}"
            },
            "openai/mine-70b",
            "http://vllm/v1",
        ),
        ({"a.py": 'import ollama\nollama.chat(model="qwen3:8b")\n'}, "openai/qwen3:8b", "http://localhost:11434/v1"),
        (
            {".env": "OPENAI_BASE_URL=http://10.0.0.1/v1\nMODEL=mine\n", "a.py": f"{OPENAI}client = OpenAI()\n"
             + ASK.format(model='os.environ["MODEL"]')},
            "openai/mine",
            "http://10.0.0.1/v1",
        ),
    ],
    ids=["ollama", "openrouter", "constants elsewhere", "positional", "put together", "azure", "class defaults",
         "ollama's own client", "a .env file"],
)  # fmt: skip
def test_a_model_is_known_by_the_client_that_is_asked_for_it(
    tmp_path: Path, sources: dict[str, str], model: str, address: str
) -> None:
    """Whatever it is called, and wherever its name and the server's address are written down."""
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    (found,) = scan(tmp_path, {}).models
    assert (found.name, found.server.address) == (model, address)
    tiers = tiers_of(scan(tmp_path, {}))
    assert model in (tiers.cheap, tiers.expensive)
    assert model not in tiers.guessed
    assert main(["init", str(tmp_path), "--yes"]) == 0
    settings = Settings.from_toml(tmp_path / "turnout.toml")
    assert settings.model(model).params.get("api_base", "") == address


@pytest.mark.parametrize(
    ("model", "pair"),
    [
        ("gpt-4.1", ("openai/gpt-4.1-mini", "openai/gpt-4.1")),
        ("gpt-4.1-2025-04-14", ("openai/gpt-4.1-mini", "openai/gpt-4.1-2025-04-14")),
        ("gpt-4.1-mini", ("openai/gpt-4.1-mini", "openai/gpt-4.1")),
        ("claude-opus-4-5", ("anthropic/claude-haiku-4-5", "anthropic/claude-opus-4-5")),
        ("gemini/gemini-2.5-pro", ("gemini/gemini-2.5-flash", "gemini/gemini-2.5-pro")),
    ],
)
def test_the_other_half_of_a_pair_is_of_the_same_family(tmp_path: Path, model: str, pair: tuple[str, str]) -> None:
    """Where litellm's table has one there, at half the price or twice."""
    (tmp_path / "a.py").write_text(f'MODEL = "{model}"\n')
    assert chosen(tmp_path) == pair


def test_models_of_one_s_own_server_are_ordered_by_size_and_cost_nothing(tmp_path: Path) -> None:
    """One alone is the cheap tier; the expensive one is then a guess, and is not asked there."""
    ask = f'{OPENAI}client = OpenAI(base_url="http://localhost:11434/v1")\n{ASK.format(model=repr("a:8b"))}'
    (tmp_path / "a.py").write_text(ask)
    tiers = tiers_of(scan(tmp_path, {"ANTHROPIC_API_KEY": "x"}))
    assert (tiers.cheap, tiers.expensive) == ("openai/a:8b", PAIRS["anthropic"][1])
    assert (tiers.guessed, set(tiers.servers)) == ((tiers.expensive,), {tiers.cheap})
    (tmp_path / "a.py").write_text(ask + ASK.format(model=repr("a:70b")))
    assert chosen(tmp_path) == ("openai/a:8b", "openai/a:70b")
    assert main(["init", str(tmp_path), "--yes"]) == 0
    assert Settings.from_toml(tmp_path / "turnout.toml").model("openai/a:8b").input_usd_per_million == 0


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("from openai import OpenAI\nc = OpenAI()", ["OpenAI(", "httpx.Client("]),
        ("import openai\nc = openai.AsyncOpenAI()", ["AsyncOpenAI(", "httpx.AsyncClient("]),
        ("from openai import AsyncAzureOpenAI\nc = AsyncAzureOpenAI()", [" AsyncOpenAI(", "httpx.AsyncClient("]),
        (
            "from anthropic import Anthropic\nc = Anthropic()",
            ["Anthropic(", '"http://turnout",', "httpx2.Client("],
        ),
        ("from langchain_openai import ChatOpenAI\nc = ChatOpenAI()", ["ChatOpenAI(", "http_async_client="]),
        ("from langchain_anthropic import ChatAnthropic\nc = ChatAnthropic()", ["ChatOpenAI(", "http_client="]),
        ("from llama_index.llms.openai import OpenAI\nc = OpenAI('gpt-4o')", ["OpenAI(model=", "async_http_client="]),
        ('import litellm\nlitellm.completion("gpt-4o", [])', ['completion("turnout/auto", ...)']),
    ],
)
def test_each_kind_of_client_is_told_how_to_be_routed(
    tmp_path: Path, source: str, told: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mounted alone, nothing would be routed: the code would go on to ask the provider by itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(source)
    assert main(["init", "--yes"]) == 0
    lines = "".join(capsys.readouterr())
    assert "in a.py:2." in lines
    for text in told:
        assert text in lines
    assert max(map(len, lines.splitlines())) <= 80


def test_what_is_routed_already_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its transport, its address or its name."""
    (tmp_path / "a.py").write_text(
        f"{OPENAI}import litellm\nclient = OpenAI(http_client=mine)\nother = OpenAI(base_url='http://turnout/v1')\n"
        "litellm.completion('turnout/auto', [])\n"
    )
    assert reported(tmp_path, capsys)["clients"] == []


@pytest.mark.parametrize(
    "library",
    [("openai", "OpenAI"), ("anthropic", "Anthropic"), ("langchain", "ChatOpenAI"), ("litellm", "completion")],
)
def test_the_told_line_routes_the_calls(library: tuple[str, str]) -> None:
    """As it is printed: run in a process of its own, against a scripted provider."""
    client = SdkClient(library=library[0], name=library[1], file="a.py", line=1)
    (paragraph,) = client_lines([client])
    line = "".join(each.strip() for each in paragraph.splitlines()[2:])
    done = subprocess.run([sys.executable, "-c", ROUTED, library[0], line], capture_output=True, text=True)
    assert done.stdout.strip() == "four", done.stderr


ROUTED = """
import sys, httpx, turnout
if sys.argv[1] == "litellm":
    import litellm
from turnout.clock import SystemClock
from turnout.testing import Says, ScriptedProvider
from turnout.wsgi import TurnoutMiddleware
tiers = {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}}
config = {"tiers": tiers, "routing": {"scorer": "default", "max_expensive_share": 0.3}}
said = ScriptedProvider({"openai/a": [Says("four")], "openai/b": [Says("four")]}, clock=SystemClock())
mounted = turnout.Turnout(config, provider=said)
app = TurnoutMiddleware(lambda environ, start: [], turnout=mounted)
library, line = sys.argv[1:]
ask = [{"role": "user", "content": "two and two?"}]
if library == "litellm":
    print(eval(line.replace("...", "messages=ask")).choices[0].message.content)
elif library == "langchain":
    from langchain_openai import ChatOpenAI
    print(eval(line.replace("model=...", "model='gpt-4o'")).invoke("two and two?").content)
elif library == "anthropic":
    import httpx2
    from anthropic import Anthropic
    print(eval(line).messages.create(model="claude-x", max_tokens=9, messages=ask).content[0].text)
else:
    from openai import OpenAI
    print(eval(line).chat.completions.create(model="gpt-4o", messages=ask).choices[0].message.content)
"""


@pytest.mark.parametrize("both", [True, False])
def test_django_s_wsgi_entry_goes_before_its_asgi_one(
    tmp_path: Path, both: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project has both from the start, and runserver serves the first; the other is told too."""
    for kind in ("asgi", "wsgi") if both else ("asgi",):
        (tmp_path / f"{kind}.py").write_text(DJANGO.replace("wsgi", kind))
    assert main(["init", str(tmp_path), "--yes"]) == 0
    told = capsys.readouterr().out
    assert ("or, where asgi.py is what is served, add to asgi.py" in told) is both
    assert ("add to wsgi.py" in told) is both


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
