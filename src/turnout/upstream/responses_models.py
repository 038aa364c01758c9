"""Which models are asked over their provider's own Responses endpoint, and what the others are asked instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from turnout.attempt_errors import Unsupported
from turnout.openai.response_items import chat_messages, missing_place
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.settings.sections import RESPONSES_PARAMS
from turnout.upstream import litellm_import

# Whose own endpoint it is by default, and the variables that lead to another server.
_OWN: Mapping[str, tuple[str, ...]] = {"openai/": ("OPENAI_BASE_URL", "OPENAI_API_BASE"), "azure/": ()}
# OpenAI's models that speak chat completions alone.
_CHAT_ALONE = re.compile(r"audio|search-preview|realtime|transcribe|tts")
_PATH = "/v1/responses"


class ResponsesModels:
    """The configured models of which `name in models` is true are asked so. Looked up once; reads litellm's table
    from its file (20 ms) where a model may be one by default."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._names: frozenset[str] | None = None

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __bool__(self) -> bool:
        return bool(self._all())

    def _all(self) -> frozenset[str]:
        if self._names is None:
            table = cache(litellm_import.model_table)
            self._names = frozenset(name for name in self._settings.model_names if self._is_one(name, table))
        return self._names

    def _is_one(self, name: str, table: Callable[[], Mapping[str, Any]]) -> bool:
        model, deployment = self._settings.model(name), self._settings.deployment(name)
        if model.responses is not None:
            return model.responses
        prefix = next((prefix for prefix in _OWN if deployment.startswith(prefix)), None)
        elsewhere = "api_base" in model.params or "base_url" in model.params
        if prefix is None or elsewhere or self._settings.upstream.transport != "direct":
            return False
        if any(self._environ.get(variable) for variable in _OWN[prefix]) or not model.params.keys() <= RESPONSES_PARAMS:
            return False
        row = table().get(deployment) or table().get(deployment.partition("/")[2]) or {}
        endpoints = row.get("supported_endpoints")
        return _PATH in endpoints if endpoints else not _CHAT_ALONE.search(deployment)


def as_chat(call: ProviderCall) -> ProviderCall:
    """The call as a model of chat completions takes it. Raises Unsupported where it asks for what only a Responses
    endpoint has."""
    if call.beside_chat is None:
        return call
    if (param := missing_place(call.messages, call.params, call.beside_chat)) is not None:
        raise Unsupported("this model is not asked over a Responses endpoint", param=param)
    return replace(call, messages=chat_messages(call.messages), beside_chat=None)
