"""The examples and the README's blocks run as they stand."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.apps import settings
from tests.support.provider import LoopbackProvider
from turnout.settings import Settings

ROOT = Path(__file__).parent.parent

TOML = """
[tiers.cheap]
models = ["openai/small"]
[tiers.expensive]
models = ["openai/large"]
[models."openai/small"]
params = {{ api_base = "{url}" }}
[models."openai/large"]
params = {{ api_base = "{url}" }}
[routing]
threshold = 0.5
"""


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)


def test_the_fastapi_example(tmp_path: Path, provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both its routes answer."""
    (tmp_path / "turnout.toml").write_text(TOML.format(url=provider.base_url))
    monkeypatch.setenv("TURNOUT_CONFIG", str(tmp_path / "turnout.toml"))
    app: Any = runpy.run_path(str(ROOT / "examples" / "fastapi_app.py"))["app"]
    with TestClient(app) as client:
        assert client.get("/ask", params={"question": "hi"}).json()["answer"] == "It is four."
        assert client.get("/tell", params={"question": "hi"}).text.strip() == "It is four."


def test_the_readmes_app(tmp_path: Path, provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mounting block, over a settings file of its name."""
    (tmp_path / "turnout.toml").write_text(TOML.format(url=provider.base_url))
    monkeypatch.chdir(tmp_path)
    block = next(block for block in _blocks("python") if "add_middleware" in block)
    (tmp_path / "app.py").write_text(block)
    app: Any = runpy.run_path(str(tmp_path / "app.py"))["app"]
    with TestClient(app) as client:
        assert client.get("/ask", params={"question": "hi"}).json()["answer"] == "It is four."


def test_the_readmes_flask_app(tmp_path: Path, provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other mounting block."""
    (tmp_path / "turnout.toml").write_text(TOML.format(url=provider.base_url))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(next(block for block in _blocks("python") if "wsgi_app" in block))
    app: Any = runpy.run_path(str(tmp_path / "app.py"))["app"]
    assert app.test_client().get("/ask?question=hi").json == {"answer": "It is four.", "tier": "cheap"}


def test_the_readmes_settings_are_taken(tmp_path: Path) -> None:
    """Every TOML block; one that shows a section alone, beside the two tiers."""
    tiers = '[tiers]\ncheap = { models = ["openai/small"] }\nexpensive = { models = ["openai/large"] }\n'
    for block in _blocks("toml"):
        (tmp_path / "turnout.toml").write_text(block if "[tiers" in block else tiers + block)
        Settings.from_toml(tmp_path / "turnout.toml")


def test_the_tests_own_settings_are_taken() -> None:
    """What the tests mount is right too."""
    assert Settings.of(settings("http://127.0.0.1:1/v1")).model_names == ("openai/small", "openai/large")
