"""What litellm would say of a model that is asked in the plainest way, known without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnout.settings import Settings
from turnout.upstream.direct.deployments import NO_KEY, OPENAI_PARAMS, PLACE_PARAMS, PLACES, first_set

# Of these litellm's answers are the same for every model of theirs that its table lists as a chat model; compared with
# litellm itself by the tests.
PLAIN = ("openai", "anthropic", "gemini", "mistral", "groq", "deepseek")
# Variables that lead a plain model another way, or let it in without a key.
_ELSEWHERE = ("USE_LITELLM_PROXY", "ANTHROPIC_AUTH_TOKEN")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """reason: why it goes through litellm, None where it is called directly. missing_keys: the variables of which
    one is needed and none is set."""

    reason: str | None
    missing_keys: tuple[str, ...]


def facts_of(settings: Settings, name: str, table: Mapping[str, Any], environ: Mapping[str, str]) -> ModelFacts | None:
    """Of one configured model; None where litellm is to be asked. table: litellm's prices."""
    model = settings.model(name)
    provider, _, bare = settings.deployment(name).partition("/")
    elsewhere = "api_base" in model.params
    if provider not in PLAIN or any(variable in environ for variable in _ELSEWHERE):
        return None
    if model.responses or model.params.keys() - OPENAI_PARAMS - PLACE_PARAMS or "base_url" in model.params:
        return None
    if not _is_chat(provider, bare, table, elsewhere=elsewhere):
        return None
    place = PLACES[provider]
    if any(environ.get(variable) == "" for variable in place.keys):
        return None
    if model.api_key_env or elsewhere or first_set(environ, place.keys):
        return ModelFacts(None, ())
    return ModelFacts(NO_KEY, place.keys)


def _is_chat(provider: str, bare: str, table: Mapping[str, Any], *, elsewhere: bool) -> bool:
    """Whether it is surely asked for chat completions: listed so, or of a server of one's own and not listed."""
    row = table.get(f"{provider}/{bare}") or table.get(bare)
    if row is None:
        return elsewhere and provider == "openai" and not bare.startswith(("responses/", "ft:"))
    return bool(row.get("litellm_provider") == provider and row.get("mode") == "chat")
