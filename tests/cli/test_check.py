"""`turnout check`: which keys are missing, and with --call what each model answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.provider import LoopbackProvider
from turnout.cli import main


def settings(folder: Path, *, api_base: str = "") -> str:
    params = f'params = {{ api_base = "{api_base}" }}\n' if api_base else ""
    prices = "input_usd_per_million = 1\noutput_usd_per_million = 2\n"
    sections = "".join(f'[models."openai/{name}"]\n{params}{prices}' for name in ("small", "large"))
    path = folder / "turnout.toml"
    path.write_text('[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
                    f"[routing]\nthreshold = 0.5\n{sections}")  # fmt: skip
    return str(path)


def test_a_key_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not "good" then; by the default path of the settings file, too."""
    settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert "key:       openai/small: OPENAI_API_KEY is not set" in out
    assert out.splitlines()[-1] != "good"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "good"


def test_call_tells_time_and_cost(
    tmp_path: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """One call each, of few tokens."""
    assert main(["check", "--call", "--config", settings(tmp_path, api_base=provider.base_url)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("call:")]
    assert [line.split()[1] for line in lines] == ["openai/small:", "openai/large:"]
    assert all("answered in" in line and "USD" in line for line in lines)


def test_call_tells_an_error_without_any_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that nobody listens at is told with its address; the command fails."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-mine")
    path = settings(tmp_path, api_base="http://127.0.0.1:9/v1")
    assert main(["check", "--call", "--config", path]) == 1
    out = capsys.readouterr().out
    assert "call:      openai/small: not_connected" in out
    assert "secret-of-mine" not in out


def test_the_semantic_cache_is_told_with_embedder_dimension_and_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the settings have it."""
    config = tmp_path / "turnout.toml"
    config.write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        "[cache.semantic]\nenabled = true\n"
    )
    main(["check", "--config", str(config)])
    told = capsys.readouterr().out
    assert "vectors by wordllama, of 256" in told
    assert "numpy up to 10000 questions of a scope, usearch above" in told
