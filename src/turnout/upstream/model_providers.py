"""Whose API each configured model is asked over, as litellm names it: `gpt-4o-mini` is `openai`'s, prefix or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.settings import Settings
from turnout.upstream import litellm_import


class ModelProviders:
    """The providers by configured name; "" where nobody knows. Before litellm is imported: by the name's prefix, else
    by litellm's table, which is read from its file (20 ms, once a model)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, str] = {}
        # Until litellm is imported.
        self._guessed: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """The provider of this model."""
        if name in self._known:
            return self._known[name]
        if litellm_import.loaded():
            self._known[name] = self._resolved(litellm_import.load_litellm(), name)
            return self._known[name]
        if name not in self._guessed:
            self._guessed[name] = self._guess(name)
        return self._guessed[name]

    def _guess(self, name: str) -> str:
        prefix, slash, _ = (deployment := self._settings.deployment(name)).partition("/")
        if given := self._settings.model(name).params.get("custom_llm_provider"):
            return str(given)
        if slash:
            return prefix
        # The table itself, some thousand models, is not kept.
        row = (litellm_import.bundled_prices() or {}).get(deployment) or {}
        return str(row.get("litellm_provider") or "")

    def _resolved(self, litellm: Any, name: str) -> str:
        try:
            return resolved_provider(litellm, self._settings.deployment(name), self._settings.model(name).params)
        except litellm.BadRequestError:
            # Whoever calls it says so; nothing of the provider's is known meanwhile.
            return ""


def resolved_provider(litellm: Any, deployment: str, arguments: Mapping[str, Any]) -> str:
    """The provider that litellm asks for a model called with these arguments. Raises litellm.BadRequestError where it
    knows none."""
    given = {key: arguments[key] for key in ("api_base", "custom_llm_provider") if key in arguments}
    return str(litellm.get_llm_provider(deployment, **given)[1])
