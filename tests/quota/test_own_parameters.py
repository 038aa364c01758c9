"""A model's own parameters in the settings: under a budget or a token limit they are bounded, or refused at start."""

from __future__ import annotations

import functools
from decimal import Decimal
from typing import Any

import pytest

from turnout.errors import SettingsError
from turnout.pricing import Price
from turnout.quota.cost_bounds import cost_bound, sent_caps
from turnout.quota.own_parameters import require_bounded_params
from turnout.quota.policies import Policies
from turnout.quota.token_bounds import TOOLS_TOKENS, Size
from turnout.settings import Model, Settings
from turnout.upstream import litellm_import
from turnout.upstream.prices import price_table

PRICE = Price(input=Decimal(1), output=Decimal(10))
OWN_PRICE = {"input_usd_per_million": 1, "output_usd_per_million": 10}
BUDGET = {"budgets": {"total": "1/day"}}
bundled = functools.cache(litellm_import.bundled_prices)
ADD = {"type": "function", "function": {"name": "add", "description": "d" * 500, "parameters": {}}}


def check(params: dict[str, Any], *, model: str = "openai/gpt-5", section: Any = None, **sections: Any) -> None:
    """Raises SettingsError for the parameters of this model in the settings."""
    section = section or {}
    sections = sections or ({} if "rate" in section else BUDGET)
    models = {model: {"params": params, **section}}
    tiers = {"cheap": {"models": ["openai/gpt-5"]}, "expensive": {"models": ["openai/gpt-4o"]}}
    settings = Settings.from_mapping({"tiers": tiers, "models": models, **sections})
    policies = Policies(settings)
    prices = functools.partial(price_table, settings, bundled() or {}) if policies.budgeted else None
    require_bounded_params(settings, bounded=policies.bounded, prices=prices)


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"web_search_options": {}}, "web_search_options: what web_search_options can cost"),
        ({"audio": {"voice": "a"}}, "audio: what audio can cost"),
        ({"modalities": ["text", "audio"]}, "modalities: what an answer that is not text can cost"),
        ({"tools": [ADD, {"type": "web_search"}]}, r"tools\[1\]: what a tool that runs at the provider can cost"),
        ({"extra_body": {"models": ["dear"]}}, "models: what models can cost"),
        ({"extra_body": {"max_tokens": 90_000}}, "extra_body.max_tokens: goes before what"),
        ({"extra_body": {"n": 9}}, "extra_body.n: goes before what"),
        ({"extra_body": 5}, "extra_body: must be a table"),
        ({"additional_drop_params": ["max_tokens"]}, "additional_drop_params: leaves out the cap"),
        ({"guardrails": ["a"]}, "guardrails: what guardrails can cost"),
        ({"prompt_id": "long"}, "prompt_id: what prompt_id can cost"),
        ({"context_window_fallback_dict": {}}, "context_window_fallback_dict: what"),
        ({"input_cost_per_second": 1}, "input_cost_per_second: what"),
        ({"n": "3"}, "n: must be an integer"),
        ({"max_tokens": 1.5}, "max_tokens: must be an integer"),
        ({"extra_body": {"best_of": 1000}}, "best_of: must be at most"),
        ({"dimensions": 4}, "dimensions: what dimensions can cost"),
    ],
)
def test_what_has_no_bound_is_refused_by_its_name(params: dict[str, Any], named: str) -> None:
    """Under a budget, under a limit of tokens, under the model's own; told for its model. Without any it is not."""
    with pytest.raises(SettingsError, match=rf'models\."openai/gpt-5"\.params\.{named}'):
        check(params)
    for limited in ({"limits": {"per_user": "9k tokens/hour"}}, {"endpoints": {"/x": {"rate": "9k tokens/hour"}}}):
        with pytest.raises(SettingsError, match=named):
            check(params, **limited)
    with pytest.raises(SettingsError, match=named):
        check(params, section={"rate": "9k tokens/minute"})
    check(params, limits={"per_user": "9/hour", "per_user_concurrent": 2})


def test_every_parameter_that_is_wrong_is_told() -> None:
    """Of all models together, each once, with what to do."""
    with pytest.raises(SettingsError) as raised:
        check({"audio": {}, "guardrails": [], "extra_body": {"n": 2}, "temperature": 0.1})
    first, *lines = str(raised.value).splitlines()
    assert first == "3 settings are wrong:"
    assert [line.count("remove it, or the budgets and token limits") for line in lines] == [0, 1, 1]


def test_what_has_a_bound_and_what_only_litellm_reads_goes_through() -> None:
    """Tools that the caller runs, efforts, thinking, marks of the cache; places, headers, prices of one's own."""
    check({
        "tools": [ADD], "n": 2, "max_tokens": 9, "reasoning_effort": "low", "temperature": 0.5, "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "service_tier": "flex", "response_format": {},
        "extra_body": {"chat_template_kwargs": {"enable_thinking": False}, "store": False}, "modalities": ["text"],
        "cache_control_injection_points": [{"location": "message", "role": "system"}], "prediction": None,
    })  # fmt: skip
    check({
        "api_base": "http://a/v1", "extra_headers": {"a": "b"}, "api_version": "1", "aws_region_name": "eu",
        "vertex_location": "global", "azure_ad_token": "t", "drop_params": True, "custom_llm_provider": "openai",
        "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_token_above_200k_tokens": 1e-6,
        "cache_read_input_token_cost": 1e-7, "additional_drop_params": ["temperature"],
    })  # fmt: skip
    embeds = {"input_usd_per_million": 1, "output_usd_per_million": 0}
    check({"dimensions": 4, "encoding_format": "float"}, model="openai/vectors", **BUDGET, section=embeds)


@pytest.mark.parametrize("tier", ["priority", "gold"])
def test_a_dearer_service_tier_needs_a_price(tier: str) -> None:
    """litellm's table has one of gpt-5's priority, and the settings may have any; a limit of tokens needs none."""
    sections = {"limits": {"per_user": "9k tokens/hour"}}
    check({"service_tier": tier}, **sections)
    check({"service_tier": tier}, **BUDGET, section=OWN_PRICE)
    if tier == "priority":
        check({"service_tier": tier})
    else:
        with pytest.raises(SettingsError, match=r"service_tier: no price is known.*set input_usd_per_million"):
            check({"service_tier": tier})


def test_the_settings_tools_and_texts_weigh_as_a_callers_do() -> None:
    """The caller's own go before those of the same name, and weigh alone."""
    model = Model(params={"tools": [ADD], "api_base": "http://" + "a" * 900})
    bound = cost_bound(model, PRICE, Size(100), {"max_tokens": 10}, {}, 1024)
    assert 100 + 2 * 500 + TOOLS_TOKENS < bound.prompt_tokens < 100 + 2 * 700 + TOOLS_TOKENS
    assert bound.cost == bound.prompt_tokens * 1000 + 10 * 10_000
    assert cost_bound(model, PRICE, Size(100), {"max_tokens": 10, "tools": [{}]}, {}, 1024).prompt_tokens == 100
    extra = Model(params={"extra_body": {"documents": ["x" * 300]}})
    assert cost_bound(extra, PRICE, Size(100), {"max_tokens": 10}, {}, 1024).prompt_tokens > 700


def test_the_settings_choices_caps_and_predictions_multiply_the_answer() -> None:
    """`n`, the largest cap, a predicted output that may be billed besides, `best_of` wherever it stands."""
    model = Model(params={"n": 3, "max_tokens": 50, "prediction": {"type": "content", "content": "y" * 100}})
    assert cost_bound(model, PRICE, Size(1), {}, {}, 1024).output_tokens > 3 * (50 + 100)
    assert cost_bound(model, PRICE, Size(1), {"n": 1, "prediction": {}}, {}, 1024).output_tokens == 50
    best = Model(params={"extra_body": {"best_of": 4}, "max_tokens": 50})
    assert cost_bound(best, PRICE, Size(1), {}, {}, 1024).output_tokens == 200


def test_thinking_that_is_asked_for_stands_beside_the_default_cap() -> None:
    """Anthropic refuses a cap that does not exceed it; the caller's own goes before the settings'."""
    thinks = {"type": "enabled", "budget_tokens": 2000}
    model = Model(params={"thinking": thinks})
    assert sent_caps(model, None, 1024, {}) == {"max_tokens": 3024}
    assert sent_caps(Model(), 2500, 1024, {"thinking": thinks}) == {"max_tokens": 2500}
    assert sent_caps(model, None, 1024, {"thinking": {"type": "disabled"}}) == {"max_tokens": 1024}
    assert sent_caps(model, None, 1024, {"max_tokens": 7}) == {}
    assert cost_bound(Model(), PRICE, Size(1), {}, {"thinking": thinks}, 1024).output_tokens == 3024
    for effort, tokens in (("high", 4096), ({"effort": "low"}, 1024), ("none", 0), (3, 0)):
        assert sent_caps(Model(params={"reasoning_effort": effort}), None, 1024, {}) == {"max_tokens": 1024 + tokens}
    assert cost_bound(Model(), PRICE, Size(1), {"reasoning_effort": "medium"}, {}, 1024).output_tokens == 3072


def test_an_hours_cache_in_the_settings_is_reserved_at_its_price() -> None:
    """In a tool's mark, and in litellm's own way of setting marks."""
    price = Price(input=Decimal(1), output=Decimal(1), long_written=Decimal(2))
    hour = {"type": "ephemeral", "ttl": "1h"}
    for params in (
        {"tools": [{**ADD, "cache_control": hour}]},
        {"cache_control_injection_points": [{"control": hour}]},
    ):
        bound = cost_bound(Model(params=params), price, Size(100), {"max_tokens": 1}, {}, 1024)
        assert bound.prompt_cost == bound.prompt_tokens * 2000
