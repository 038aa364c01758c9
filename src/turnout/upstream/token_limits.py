"""What each configured model takes: how many tokens it reads and writes at most (the settings', else litellm's bundled
table), whether its window holds the answer too, and its abilities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from turnout.openai.usage import NO_LIMITS, TokenLimits
from turnout.settings import Model, Settings
from turnout.upstream import litellm_import


class LimitBook:
    """The limits by configured name, looked up once. Where litellm is not imported yet, its table is read from its
    file, which takes some 20 ms."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits: dict[str, TokenLimits] | None = None

    def __call__(self, name: str) -> TokenLimits:
        """The limits of this model."""
        if self._limits is None:
            self._limits = limit_table(self._settings, litellm_import.model_table())
        return self._limits.get(name, NO_LIMITS)


def limit_table(settings: Settings, bundled: Mapping[str, Any]) -> dict[str, TokenLimits]:
    """Limits by configured name. `bundled` is litellm's `model_cost`."""
    limits = {}
    for name in settings.every_model:
        listed = settings.deployment(name)
        row = bundled.get(listed) or bundled.get(listed.partition("/")[2]) or {}
        limits[name] = _limits(listed, settings.model(name), row)
    return limits


# Whose window holds prompt and answer together, as they document it; of the others output is never added.
_SHARED = frozenset({"anthropic", "azure", "bedrock", "bedrock_converse", "openai"})
# OpenAI's models from here on tell a window for input alone.
_INPUT_ALONE = re.compile(r"(^|/)(gpt-[5-9]|codex)")
# An ability, and the word for it in litellm's table.
_ABILITIES = {
    "images": "supports_vision",
    "tools": "supports_function_calling",
    "json_schema": "supports_response_schema",
    "reasoning": "supports_reasoning",
}


def _limits(name: str, model: Model, row: Mapping[str, Any]) -> TokenLimits:
    window = _count(row.get("max_input_tokens"))
    shared = row.get("litellm_provider") in _SHARED and not _INPUT_ALONE.search(name)
    return TokenLimits(
        input=model.max_input_tokens or window,
        output=model.max_output_tokens or _count(row.get("max_output_tokens")),
        # A window of the settings' own is for input, as its name says.
        shared=shared and model.max_input_tokens is None,
        cache_least=_count(row.get("prompt_cache_min_tokens")) or 1024,
        abilities=frozenset(ability for ability, key in _ABILITIES.items() if row.get(key)) if row else None,
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
