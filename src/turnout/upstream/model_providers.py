"""Whose API each configured model is asked over, as litellm names it: `gpt-4o-mini` is `openai`'s, prefix or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.settings import Settings
from turnout.upstream import litellm_import


class ModelProviders:
    """The providers by configured name; "" where nobody knows. Before litellm is imported: by the name's prefix, else
    by litellm's table, which is read from its file (20 ms)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, str] = {}
        self._table: Mapping[str, Any] | None = None

    def __call__(self, name: str) -> str:
        """The provider of this model."""
        if name not in self._known:
            if not litellm_import.loaded():
                return self._listed(name)
            self._known[name] = _resolved(litellm_import.load_litellm(), self._settings, name)
        return self._known[name]

    def _listed(self, name: str) -> str:
        prefix, slash, _ = (deployment := self._settings.deployment(name)).partition("/")
        if given := self._settings.model(name).params.get("custom_llm_provider"):
            return str(given)
        if slash:
            return prefix
        if self._table is None:
            self._table = litellm_import.bundled_prices() or {}
        return str((self._table.get(deployment) or {}).get("litellm_provider") or "")


def _resolved(litellm: Any, settings: Settings, name: str) -> str:
    params = settings.model(name).params
    given = {key: params[key] for key in ("api_base", "custom_llm_provider") if key in params}
    try:
        return str(litellm.get_llm_provider(settings.deployment(name), **given)[1])
    except litellm.BadRequestError:
        # Whoever calls it says so; nothing of the provider's is known meanwhile.
        return ""
