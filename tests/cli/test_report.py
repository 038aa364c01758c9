"""`turnout report`: the page as a file, from the request log and from Redis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.redis_server import RedisServer
from tests.support.status_doors import TOKEN, Behind
from turnout.attempt_errors import ProviderFailed
from turnout.cli import main

TOML = """
[tiers.cheap]
models = ["openai/small"]
[tiers.expensive]
models = ["openai/large"]
[models."openai/small"]
input_usd_per_million = 1
output_usd_per_million = 2
[models."openai/large"]
input_usd_per_million = 10
output_usd_per_million = 20
"""
SAME = ("requests", "cost_usd", "cost_all_expensive_usd", "saving_usd", "saving_parts_usd", "cache", "errors", "tiers")


def traffic(behind: Behind) -> dict[str, Any]:
    for text in ("easy one", "hard one", "easy one", "hard two"):
        assert behind.chat(text).status_code == 200
    asked = behind.ask("POST", "/v1/embeddings", json={"model": "openai/small", "input": "a text"})
    assert asked.status_code == 200, asked.text
    # The other tier answers what the expensive one cannot.
    behind.provider.say("openai/large", ProviderFailed("x", status=500))
    assert behind.chat("hard three").headers["x-turnout-tier"] == "cheap"
    figures = behind.status("48h")
    for part in ("tiers", "models"):
        assert sum(row["cost_usd"] for row in figures[part].values()) == pytest.approx(figures["cost_usd"])
    behind.close()
    return figures


def written(folder: Path, settings: str, *more: str) -> dict[str, Any]:
    """What the report holds."""
    (folder / "turnout.toml").write_text(TOML + settings, "utf-8")
    output = folder / "report.html"
    assert main(["report", "--config", str(folder / "turnout.toml"), "-o", str(output), *more]) == 0
    figures: dict[str, Any] = json.loads(output.read_text("utf-8").partition('id="data">')[2].partition("</script>")[0])
    return figures


def test_the_log_gives_the_figures_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Money to the micro-dollar; a line that is none of the log's is passed over."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    log = tmp_path / "requests.jsonl"
    page = traffic(Behind("asgi", log={"path": str(log)}))
    with log.open("a") as file:
        file.write('{"half\n[]\n{"time": 3}\n')
    report = written(tmp_path, '[log]\npath = "requests.jsonl"\n')
    assert {name: report[name] for name in SAME} == {name: page[name] for name in SAME}
    assert report["scope"] == "requests.jsonl"
    assert len(report["decisions"]) == 6
    semantic = written(tmp_path, '[log]\npath = "requests.jsonl"\n[cache.semantic]\nenabled = true\n')
    assert semantic["scope"].startswith("requests.jsonl (requests alone, without what")


def test_redis_gives_the_figures_of_all_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    """Without a key of a provider, and without the token."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    redis = {"url": redis_server.url, "prefix": "report", "timeout_s": 2.0}
    page = traffic(Behind("asgi", redis=redis))
    report = written(tmp_path, f'[redis]\nurl = "{redis_server.url}"\nprefix = "report"\n')
    assert {name: report[name] for name in SAME} == {name: page[name] for name in SAME}
    assert report["scope"] == "all workers"


def test_with_neither_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2; a log that is not there is 1."""
    (tmp_path / "turnout.toml").write_text(TOML, "utf-8")
    arguments = ["report", "--config", str(tmp_path / "turnout.toml"), "-o", str(tmp_path / "r.html")]
    assert main(arguments) == 2
    assert "/turnout/status" in capsys.readouterr().err
    assert main([*arguments, "--log", str(tmp_path / "none.jsonl")]) == 1
    assert not (tmp_path / "r.html").exists()


def test_another_s_file_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report of ours is."""
    (tmp_path / "turnout.toml").write_text(TOML, "utf-8")
    page = tmp_path / "index.html"
    page.write_text("<html>mine</html>", "utf-8")
    log = tmp_path / "none.jsonl"
    arguments = ["report", "--config", str(tmp_path / "turnout.toml"), "-o", str(page), "--log", str(log)]
    assert main(arguments) == 2
    assert page.read_text("utf-8") == "<html>mine</html>"
