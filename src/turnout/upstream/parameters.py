"""Which of a caller's parameters each model is sent: as they are, under the place where its provider reads them, left
out where that changes no answer, or refused where it would.

litellm's own list of what a model takes (`get_supported_openai_params`) decides; it is read once a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from turnout.attempt_errors import Unsupported
from turnout.openai.requests import SHAPELESS
from turnout.ports.runtime import ProviderCall

# Left out, they change no answer: `prediction` makes it faster, the others are for a provider's accounts and cache.
_DROPPABLE = SHAPELESS | {"prediction"}
# Values that say what every model does anyway.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "stop": ([],),
    "top_logprobs": (0,),
}
# litellm maps these for every provider, or says itself that it cannot.
_LEFT_TO_LITELLM = frozenset({"max_tokens", "max_completion_tokens", "functions", "function_call", "extra_body"})
# A provider's own parameters that its class takes as arguments, and nowhere else.
_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "anthropic": frozenset({"thinking", "top_k"}),
    "bedrock": frozenset({"thinking", "top_k"}),
    "cohere_chat": frozenset({"k", "p", "safety_mode"}),
    "gemini": frozenset({"thinking", "top_k"}),
    "vertex_ai": frozenset({"thinking", "top_k"}),
}
# Their classes send a literal `extra_body`, which the provider refuses.
_NO_EXTRA_BODY = frozenset({"anthropic", "bedrock", "cohere_chat"})
# They take every parameter of OpenAI's, whatever litellm knows of the model.
_OPENAIS_OWN = frozenset({"azure", "openai"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one model takes. names: OpenAI's parameters; None where nobody knows, and all are sent."""

    provider: str
    names: frozenset[str] | None


class ParameterBook:
    """Fits calls to what their models take. arguments: each model's own, as `acompletion` takes them. deployments: what
    litellm calls each."""

    def __init__(self, arguments: Mapping[str, Mapping[str, Any]], deployments: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._deployments = deployments
        self._taken: dict[str, Taken] = {}

    def fitted(self, litellm: Any, call: ProviderCall) -> ProviderCall:
        """The call as its model takes it; what was left out stands in its progress. Raises Unsupported."""
        taken = self._taken.get(call.model)
        if taken is None:
            taken = self._taken[call.model] = _taken(
                litellm, self._deployments[call.model], self._arguments[call.model]
            )
        params, dropped = fit(taken, call.params)
        if dropped:
            call.progress.dropped = dropped
        return call if params is call.params else replace(call, params=params)


def fit(taken: Taken, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The parameters to send, and the names of those left out. Raises Unsupported. Pure."""
    names, extra = taken.names, params.get("extra_body") or {}
    if not extra and (names is None or params.keys() <= names):
        return params, ()
    kept: dict[str, Any] = {}
    body: dict[str, Any] = {}
    dropped: list[str] = []
    for name, value in params.items():
        if name == "extra_body":
            continue
        if names is None or name in names:
            kept[name] = value
        elif name in _DROPPABLE and taken.provider in _OPENAIS_OWN:
            body[name] = value
        elif name in _DROPPABLE or value in _NEUTRAL.get(name, ()):
            dropped.append(name)
        else:
            raise _refused(name)
    for name, value in extra.items():
        if name in _ARGUMENTS.get(taken.provider, ()):
            kept[name] = value
        elif name in _DROPPABLE and names is not None and name not in names and taken.provider not in _OPENAIS_OWN:
            dropped.append(name)
        elif taken.provider in _NO_EXTRA_BODY:
            raise _refused(name)
        else:
            body[name] = value
    return ({**kept, "extra_body": body} if body else kept), tuple(sorted(dropped))


def _refused(name: str) -> Unsupported:
    return Unsupported(f"this model does not take the parameter {name}", param=name)


def _taken(litellm: Any, name: str, arguments: Mapping[str, Any]) -> Taken:
    place = {key: arguments[key] for key in ("api_base", "custom_llm_provider") if key in arguments}
    model, provider, _, _ = litellm.get_llm_provider(name, **place)
    if arguments.get("drop_params") or litellm.drop_params:
        # The app's own word: litellm leaves out what a model does not take.
        return Taken(provider=provider, names=None)
    names = litellm.get_supported_openai_params(model=model, custom_llm_provider=provider)
    if names is None:
        return Taken(provider=provider, names=None)
    allowed = arguments.get("allowed_openai_params") or ()
    return Taken(provider=provider, names=frozenset({*names, *allowed, *_LEFT_TO_LITELLM}))


def named(error: Unsupported, params: Mapping[str, Any]) -> Unsupported:
    """The error, with the parameter that its text names where it names one of these."""
    if error.param is None:
        error.param = next((name for name in params if re.search(rf"\b{re.escape(name)}\b", error.message)), None)
    return error
