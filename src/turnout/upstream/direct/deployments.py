"""What the direct transport needs to call one configured model, looked up once: litellm's class, address and key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# OpenAI's parameters that every version of litellm maps per provider by `get_optional_params`.
OPENAI_PARAMS = frozenset({
    "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "n", "parallel_tool_calls",
    "presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "temperature", "thinking",
    "tool_choice", "tools", "top_logprobs", "top_p", "user",
})  # fmt: skip
# What a model's settings may hold besides: where it is and how it is let in.
PLACE_PARAMS = frozenset({"api_base", "base_url", "api_key", "extra_headers"})
NO_KEY = "no key is set; litellm may find one"
# Levels that litellm maps the same way with and without its wrapper.
_EFFORTS = frozenset({"low", "medium", "high"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where litellm looks for a provider's key and address: environment variables in order, then the default.
    sdk: litellm calls it by the openai SDK. keyless: it may be called without a key."""

    keys: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    default: str | None = None
    sdk: bool = False
    keyless: bool = False


PLACES: Mapping[str, Place] = {
    "openai": Place(
        keys=("OPENAI_API_KEY",), bases=("OPENAI_BASE_URL", "OPENAI_API_BASE"), default="https://api.openai.com/v1",
        sdk=True,
    ),
    "perplexity": Place(keys=("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"), sdk=True),
    "deepseek": Place(keys=("DEEPSEEK_API_KEY",)),
    "groq": Place(keys=("GROQ_API_KEY",), bases=("GROQ_API_BASE",), default="https://api.groq.com/openai/v1"),
    "mistral": Place(keys=("MISTRAL_API_KEY",), bases=("MISTRAL_API_BASE",), default="https://api.mistral.ai/v1"),
    "xai": Place(keys=("XAI_API_KEY",)),
    "openrouter": Place(
        keys=("OPENROUTER_API_KEY", "OR_API_KEY"), bases=("OPENROUTER_API_BASE",),
        default="https://openrouter.ai/api/v1",
    ),
    "hosted_vllm": Place(keys=("HOSTED_VLLM_API_KEY",), bases=("HOSTED_VLLM_API_BASE",), keyless=True),
    "together_ai": Place(keys=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY")),
    "fireworks_ai": Place(keys=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY")),
    "cohere_chat": Place(
        keys=("COHERE_API_KEY", "CO_API_KEY"), bases=("COHERE_API_BASE",), default="https://api.cohere.com/v2/chat",
    ),
    "anthropic": Place(
        keys=("ANTHROPIC_API_KEY",), bases=("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
        default="https://api.anthropic.com/v1/messages",
    ),
    "gemini": Place(keys=("GOOGLE_API_KEY", "GEMINI_API_KEY"), bases=("GEMINI_API_BASE",)),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One configured model. model: as its provider knows it; params: its own OpenAI parameters."""

    name: str
    model: str
    provider: str
    config: Any
    place: Place
    api_key: str | None
    api_base: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


class NotDirectError(Exception):
    """This model or request is litellm's own to call; the message says why."""


def deployment(
    litellm: Any, name: str, arguments: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> Deployment:
    """The deployment that a model's arguments of `acompletion` describe. Raises NotDirectError."""
    for key in arguments:
        if key not in OPENAI_PARAMS and key not in PLACE_PARAMS:
            raise NotDirectError(f"its parameter {key} is litellm's to read")
    given_base = arguments.get("api_base") or arguments.get("base_url")
    given_key = arguments.get("api_key")
    model, provider, found_key, base = litellm.get_llm_provider(name, api_base=given_base, api_key=given_key)
    place = PLACES.get(provider)
    if place is None:
        raise NotDirectError(f"the provider {provider} has no proven class")
    config = litellm.utils.ProviderConfigManager.get_provider_chat_config(
        model=model, provider=litellm.LlmProviders(provider)
    )
    if config is None:
        raise NotDirectError(f"litellm has no class for {provider}")
    if _bridged(litellm, model, provider):
        raise NotDirectError("it is asked over the provider's Responses endpoint")
    environ = os.environ if environ is None else environ
    api_key = given_key or found_key or first_set(environ, place.keys)
    if not api_key and not place.keyless:
        raise NotDirectError(NO_KEY)
    return Deployment(
        name=name,
        model=model,
        provider=provider,
        config=config,
        place=place,
        api_key=api_key,
        api_base=given_base or base or first_set(environ, place.bases) or place.default,
        headers={str(name): str(value) for name, value in (arguments.get("extra_headers") or {}).items()},
        params={key: value for key, value in arguments.items() if key in OPENAI_PARAMS},
    )


def first_set(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The value of the first of these variables that is set, or None."""
    return next((environ[name] for name in names if environ.get(name)), None)


def _bridged(litellm: Any, model: str, provider: str, **request: Any) -> bool:
    """Whether litellm turns this chat completion into a request of the Responses API."""
    check: Callable[..., tuple[Mapping[str, Any], str]] | None = getattr(
        litellm.main, "responses_api_bridge_check", None
    )
    if check is None or provider not in ("openai", "azure", "xai"):
        return False
    info, _ = check(model=model, custom_llm_provider=provider, **request)
    return info.get("mode") == "responses"


def check_request(litellm: Any, target: Deployment, params: Mapping[str, Any]) -> None:
    """Raises NotDirectError for a request's parameters that the classes alone do not map as litellm does."""
    for key in params:
        if key not in OPENAI_PARAMS and not (key == "extra_body" and target.place.sdk):
            raise NotDirectError(f"the parameter {key} is litellm's to map")
    effort = params.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        raise NotDirectError("a reasoning_effort beyond low, medium and high is litellm's to map")
    if params.get("tools") and target.provider == "openai":
        asked = {key: params[key] for key in ("tools", "reasoning_effort") if key in params}
        if _bridged(litellm, target.model, target.provider, **asked):
            raise NotDirectError("tools of this model are asked over the provider's Responses endpoint")


# Settings of litellm's own module that change a call in ways that only its wrapper knows.
_GLOBALS = (
    "api_base", "api_key", "headers", "organization", "model_alias_map", "model_fallbacks", "client_session",
    "aclient_session", "cache", "add_function_to_prompt", "route_all_chat_openai_to_responses",
)  # fmt: skip


def check_globals(litellm: Any) -> None:
    """Raises NotDirectError where litellm's module is set up in a way that only its wrapper honours."""
    for name in _GLOBALS:
        if getattr(litellm, name, None):
            raise NotDirectError(f"litellm.{name} is set")
