"""What is said of a model without litellm is what litellm says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from turnout.settings import Settings
from turnout.upstream import litellm_import
from turnout.upstream.direct.deployments import PLACES, NotDirectError, deployment
from turnout.upstream.direct.without_litellm import PLAIN, ModelFacts, facts_of

TABLE = litellm_import.bundled_prices() or {}


def settings(name: str, section: Mapping[str, Any] | None = None) -> Settings:
    tiers = {"cheap": {"models": [name]}, "expensive": {"models": ["openai/another"]}}
    return Settings.of({"tiers": tiers, "models": {name: section or {}}})


def chat_models(provider: str) -> list[str]:
    rows = TABLE.items()
    listed = [name for name, row in rows if row.get("litellm_provider") == provider and row.get("mode") == "chat"]
    return sorted({f"{provider}/{name.removeprefix(f'{provider}/')}" for name in listed})


def from_litellm(name: str) -> ModelFacts:
    litellm = litellm_import.load_litellm()
    try:
        deployment(litellm, name, {})
        reason = None
    except NotDirectError as error:
        reason = str(error)
    found = litellm.validate_environment(model=name)
    return ModelFacts(reason, () if found["keys_in_environment"] else tuple(found["missing_keys"]))


@pytest.mark.parametrize("provider", PLAIN)
def test_litellm_says_the_same(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the models that its table lists, with a key and without."""
    for variable in PLACES[provider].keys:
        monkeypatch.delenv(variable, raising=False)
    # A part of them: the whole table takes seconds.
    names = [name for name in chat_models(provider)[::5] if facts_of(settings(name), name, TABLE, os.environ)]
    assert names
    for key in (None, "sk-test"):
        if key:
            monkeypatch.setenv(PLACES[provider].keys[0], key)
        for name in names:
            assert facts_of(settings(name), name, TABLE, os.environ) == from_litellm(name), name


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("openai/o3-pro", {}),
        ("openai/mine", {}),
        ("azure/gpt-4o", {}),
        ("openai/gpt-4o", {"params": {"drop_params": True}}),
        ("openai/gpt-4o", {"responses": True}),
        ("openai/gpt-4o", {"params": {"base_url": "http://127.0.0.1:9/v1"}}),
    ],
)
def test_where_it_is_not_certain_litellm_is_asked(name: str, section: dict[str, Any]) -> None:
    """A model of another kind, unlisted, or with parameters that litellm reads."""
    assert facts_of(settings(name, section), name, TABLE, {"OPENAI_API_KEY": "sk-test"}) is None


def test_check_imports_no_litellm_for_plain_models(tmp_path: Path) -> None:
    """The seconds of its import are spent where it is asked alone."""
    config = tmp_path / "turnout.toml"
    config.write_text('[tiers.cheap]\nmodels = ["openai/gpt-4o-mini"]\n[tiers.expensive]\nmodels = ["openai/gpt-4o"]\n')
    check = f"main(['check', '--config', {str(config)!r}])"
    script = f"import sys; from turnout.cli import main; print({check}, 'litellm' in sys.modules)"
    environ = {**os.environ, "OPENAI_API_KEY": "sk-test"}
    out = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True).stdout
    assert "transport: openai/gpt-4o: direct" in out
    assert out.splitlines()[-1] == "0 False"
