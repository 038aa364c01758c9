"""A model's own parameters in the settings (`params`): which have a known bound, and which part of them goes into a
request. Pure.

They are sent with every call, so where a budget or a token limit applies they are held by the same white list as a
caller's. What litellm reads itself, to find the model or to price it, is on a list beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from turnout.openai.requests import CHECKED, PARAMETERS
from turnout.pricing import Price
from turnout.quota.bounded import unbounded_parameters
from turnout.settings import Model, Settings
from turnout.settings.reader import SeveralWrong

# litellm's own arguments: where a model is, how it is let in, what of a request is passed on. None of them is sent.
_PLACE = frozenset({
    "additional_drop_params", "allowed_openai_params", "api_base", "api_type", "api_version", "base_model", "base_url",
    "client_id", "client_secret", "custom_llm_provider", "deployment_id", "drop_params", "extra_headers",
    "force_timeout", "headers", "litellm_credential_name", "merge_reasoning_content_in_choices", "mock_response",
    "model_id", "model_info", "no-log", "organization", "project", "project_id", "region_name", "request_timeout",
    "responses_api_version", "rpm", "search_context_cost_per_query", "space_id", "ssl_verify", "stream_timeout",
    "supports_system_message", "tags", "tenant_id", "token", "tpm", "verbose",
})  # fmt: skip
_PLACES = ("aws_", "azure_", "oci_", "vertex_", "watsonx_")
# litellm's parameters for a price of one's own, as upstream/prices.py reads them.
_PRICE = re.compile(
    r"(?:cache_(?:creation|read)_input_token_cost|(?:in|out)put_cost_per_(?:(?:audio|image|reasoning)_)?token)(?:_.+)?"
)
# Marks of what to cache, whose writing the bound counts.
_MARKS = frozenset({"cache_control", "cache_control_injection_points"})
# Of models that give texts their vectors.
_EMBEDDING = frozenset({"dimensions", "encoding_format", "input_type", "task_type"})
# Whose value the bound reckons with.
_COUNTED = (
    *("best_of", "functions", "max_completion_tokens", "max_tokens", "modalities", "n", "prediction", "service_tier"),
    "tools",
)
_CAPS = frozenset({"max_completion_tokens", "max_tokens"})
_REMOVE = "remove it, or the budgets and token limits"


def own_parameters(model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of a model's `params` goes into a request: OpenAI's own parameters, and all others with what stands in
    `extra_body`."""
    sent = {name: value for name, value in model.params.items() if value is not None and not _is_place(name)}
    body = sent.pop("extra_body", None)
    params = {name: value for name, value in sent.items() if name in PARAMETERS}
    extra = {name: value for name, value in sent.items() if name not in PARAMETERS}
    return params, {**extra, **(body if isinstance(body, Mapping) else {})}


def require_bounded_params(
    settings: Settings, *, bounded: bool, prices: Callable[[], Mapping[str, Price]] | None
) -> None:
    """Raises SettingsError for every parameter of a model's that has no known bound. bounded: a budget or a token limit
    applies to all models, not only to those whose own `rate` counts tokens. prices: where a budget applies."""
    problems = []
    for name in settings.every_model:
        model = settings.model(name)
        # What a judge costs is reserved in the checks' own budget.
        has_bound = bounded or name == settings.judge_model or any(rate.unit == "tokens" for rate in model.rate)
        if not model.params or not has_bound:
            continue
        allowed = _MARKS | (_EMBEDDING if name in settings.embedding_models else frozenset())
        price = None if prices is None else prices().get(name)
        problems += [f'models."{name}".params.{problem}' for problem in _problems(model, price, allowed)]
    if problems:
        raise SeveralWrong(problems)


def _problems(model: Model, price: Price | None, allowed: frozenset[str]) -> Iterator[str]:
    """Each parameter that has no bound, with why and what to do. price: None where none is needed, or known yet."""
    body = model.params.get("extra_body", {})
    if not isinstance(body, Mapping):
        yield "extra_body: must be a table"
        body = {}
    for name in sorted(body.keys() & PARAMETERS.keys()):
        # The openai SDK lets it go before the cap that is sent.
        yield f"extra_body.{name}: goes before what a budget or a token limit sends: write it beside extra_body"
    if _CAPS & {*_listed(model.params.get("additional_drop_params"))}:
        yield "additional_drop_params: leaves out the cap that a budget or a token limit sends: remove it from there"
    params, extra = own_parameters(model)
    for name in _COUNTED:
        for given in (params, extra):
            if name in given and (problem := (PARAMETERS.get(name) or CHECKED[name])(given[name])):
                del given[name]
                yield f"{name}: {problem}"
    known = allowed | PARAMETERS.keys()
    for what, name in unbounded_parameters(params, {key: extra[key] for key in extra if key not in known}):
        if name != "service_tier":
            yield f"{name}: {what} has no known bound, and a budget or a token limit applies here: {_REMOVE}"
        elif price is not None and not _prices_tier(model, price, params[name]):
            yield (
                f"{name}: no price is known for a call that is served so, and a budget is set: set "
                "input_usd_per_million and output_usd_per_million to it"
            )


def _prices_tier(model: Model, price: Price, tier: str) -> bool:
    """Whether what it costs to be served in this way is known: from litellm's table, or by the settings' own price."""
    own = model.input_usd_per_million is not None or "input_cost_per_token" in model.params
    return own or tier in dict(price.service_tiers)


def _listed(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []


def _is_place(name: str) -> bool:
    return name in _PLACE or name.startswith(_PLACES) or _PRICE.fullmatch(name) is not None
