"""How many tokens each configured model reads and writes at most: the settings', else litellm's bundled table."""

from __future__ import annotations

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
            self._limits = limit_table(self._settings, _bundled())
        return self._limits.get(name, NO_LIMITS)


def limit_table(settings: Settings, bundled: Mapping[str, Any]) -> dict[str, TokenLimits]:
    """Limits by configured name. `bundled` is litellm's `model_cost`."""
    return {
        name: _limits(settings.model(name), bundled.get(name) or bundled.get(name.partition("/")[2]) or {})
        for name in settings.model_names
    }


def _bundled() -> Mapping[str, Any]:
    if litellm_import.loaded():
        table: Mapping[str, Any] = litellm_import.load().model_cost
        return table
    return litellm_import.bundled_prices() or {}


def _limits(model: Model, row: Mapping[str, Any]) -> TokenLimits:
    return TokenLimits(
        input=model.max_input_tokens or _count(row.get("max_input_tokens")),
        output=model.max_output_tokens or _count(row.get("max_output_tokens")),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
