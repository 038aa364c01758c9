"""Whose API a model is asked over is told by litellm, or before its import by the name and litellm's own table."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.settings import Settings
from turnout.upstream import litellm_import
from turnout.upstream.model_providers import ModelProviders

EXPECTED = {
    "gpt-4o-mini": "openai",
    "claude-sonnet-4-5": "anthropic",
    "openai/gpt-4o": "openai",
    "azure/mine": "azure",
    "openrouter/openai/gpt-4o": "openrouter",
    "no-such-model": "",
    "thinker": "openai",
    "mine": "deepseek",
}


def providers() -> ModelProviders:
    entries: list[Any] = [name for name in EXPECTED if name not in ("thinker", "mine")]
    entries.append({"model": "gpt-5-mini", "name": "thinker", "params": {"reasoning_effort": "high"}})
    entries.append({"model": "own-name", "name": "mine", "params": {"custom_llm_provider": "deepseek"}})
    return ModelProviders(
        Settings.from_mapping({"tiers": {"cheap": {"models": entries}, "expensive": {"models": ["openai/dear"]}}})
    )


@pytest.mark.parametrize("loaded", [False, True])
def test_a_models_provider_is_known_with_a_prefix_and_without(loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before litellm is imported as after; an entry's by its model, or by what its parameters say."""
    litellm_import.load_litellm()
    if not loaded:
        monkeypatch.setattr(litellm_import, "loaded", lambda: False)
    of = providers()
    assert {name: of(name) for name in EXPECTED} == EXPECTED
