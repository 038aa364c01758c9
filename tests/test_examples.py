"""The examples and the README's blocks run as they stand."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
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


@pytest.fixture
def example(tmp_path: Path, provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Runs an example's file over settings that lead to the loopback provider; gives its names."""
    (tmp_path / "turnout.toml").write_text(TOML.format(url=provider.base_url))
    monkeypatch.setenv("TURNOUT_CONFIG", str(tmp_path / "turnout.toml"))

    def run(name: str) -> Any:
        return SimpleNamespace(**runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name=name))

    return run


Q = {"question": "hi"}


def test_the_jobs_example(example: Callable[[str], Any], tmp_path: Path) -> None:
    """Its page comes; what it does, submit and follow, gives the words as they come and the answer at the end."""
    app = example("jobs_app").app
    with (tmp_path / "turnout.toml").open("a") as file:
        file.write("[queue]\n")
    question = {"messages": [{"role": "user", "content": "why?"}], "stream": True}
    with TestClient(app) as client:
        page = client.get("/").text
        assert "/v1/chat/completions" in page
        assert "x-turnout-job-secret" in page
        response = client.post("/v1/chat/completions", json=question, headers={"prefer": "respond-async"})
        assert response.status_code == 202
        secret = {"x-turnout-job-secret": response.headers["x-turnout-job-secret"]}
        events = client.get(response.headers["location"] + "/events", headers=secret).text
        assert "event: chunk" in events
        assert '"status":"done"' in events


def test_the_fastapi_example(example: Callable[[str], Any], provider: LoopbackProvider) -> None:
    """Both its routes answer, and tell of an outage with its status."""
    with TestClient(example("fastapi_app").app) as client:
        assert client.get("/ask", params=Q).json()["answer"] == "It is four."
        assert client.get("/tell", params=Q).text.strip() == "It is four."
        provider.modes["small"] = provider.modes["large"] = "500"
        for path in ("/ask", "/tell"):
            outage = client.get(path, params={"question": "and now?"})
            assert (outage.status_code, outage.json()["error"]["code"]) == (503, "upstream_unavailable")
            assert int(outage.headers["retry-after"]) >= 1


def test_the_flask_example(example: Callable[[str], Any], provider: LoopbackProvider) -> None:
    """Both its routes answer, and tell of an outage with its status."""
    client = example("flask_app").app.test_client()
    assert client.get("/ask", query_string=Q).json["answer"] == "It is four."
    assert client.get("/tell", query_string=Q).text.strip() == "It is four."
    provider.modes["small"] = provider.modes["large"] = "500"
    for path in ("/ask", "/tell"):
        outage = client.get(path, query_string={"question": "and now?"})
        assert (outage.status_code, int(outage.headers["retry-after"]) >= 1) == (503, True)


def test_the_django_example(tmp_path: Path, provider: LoopbackProvider) -> None:
    """Under WSGI and under ASGI, plain views and awaited ones. In a process of its own: Django is set up once."""
    (tmp_path / "turnout.toml").write_text(TOML.format(url=provider.base_url))
    code = """
import asyncio, httpx
import examples.django_app as app
http = httpx.Client(transport=httpx.WSGITransport(app.wsgi), base_url="http://app")
print(http.get("/").json(), http.get("/ask?question=hi").json())
async def awaited():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://app") as http:
        print([(await http.get(f"/ask-{kind}?question=hi")).json() for kind in ("async", "thread")])
asyncio.run(awaited())
"""
    environ = {**os.environ, "TURNOUT_CONFIG": str(tmp_path / "turnout.toml")}
    environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, timeout=120)
    actual = "{'answer': 'It is four.', 'tier': 'cheap'}"
    assert done.stdout == f"{{'path': '/'}} {actual}\n[{actual}, {actual}]\n", done.stderr


def test_the_openai_handler_example(example: Callable[[str], Any], provider: LoopbackProvider) -> None:
    """The SDK's calls are routed in-process: `gpt-4o` is no model here."""
    with TestClient(example("openai_handler").app) as client:
        assert client.get("/ask", params=Q).json() == {"answer": "It is four.", "model": "small-2026"}
        assert client.get("/tell", params={"question": "again"}).text.strip() == "It is four."
    assert provider.calls == {"small": 2}


def test_the_langchain_example(example: Callable[[str], Any]) -> None:
    """Its awaited route and its blocking one."""
    with TestClient(example("langchain_app").app) as client:
        for route in ("/ask", "/ask-thread"):
            assert client.get(route, params=Q).json() == {"answer": "It is four.", "model": "small-2026"}


def test_the_sub_path_example(example: Callable[[str], Any]) -> None:
    """Inside and outside."""
    with TestClient(example("starlette_subpath").app) as client:
        assert client.get("/").json() == {"turnout": False}
        assert client.get("/assistant/ask", params=Q).json() == {"answer": "It is four.", "tier": "cheap"}
        assert client.get("/assistant/v1/models").status_code == 200
        assert client.get("/v1/models").status_code == 404


def test_the_readmes_app(tmp_path: Path, provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mounting block, over a settings file of its name."""
    (tmp_path / "turnout.toml").write_text(TOML.format(url=provider.base_url))
    monkeypatch.chdir(tmp_path)
    block = next(block for block in _blocks("python") if "add_middleware" in block)
    (tmp_path / "app.py").write_text(block)
    app: Any = runpy.run_path(str(tmp_path / "app.py"))["app"]
    with TestClient(app) as client:
        assert client.get("/ask", params={"question": "hi"}).json()["answer"] == "It is four."
        provider.modes["small"] = provider.modes["large"] = "500"
        assert client.get("/ask", params={"question": "and now?"}).status_code == 503


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
