"""What is billed, against litellm's own `completion_cost`, in each provider's form of usage."""

from __future__ import annotations

import asyncio
import copy
from decimal import Decimal
from typing import Any

import pytest

from turnout import Turnout
from turnout.openai.usage import read_usage, reported_cost
from turnout.pricing import Price
from turnout.records import Usage
from turnout.settings import Settings
from turnout.testing import FixedScorer, Says, ScriptedProvider
from turnout.upstream import litellm_import
from turnout.upstream.prices import price_table

OPENAI = {
    "prompt_tokens": 3000,
    "completion_tokens": 500,
    "total_tokens": 3500,
    "prompt_tokens_details": {"cached_tokens": 2048, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 320, "audio_tokens": 0},
}
ANTHROPIC = {
    "prompt_tokens": 9000,
    "completion_tokens": 400,
    "total_tokens": 9400,
    "cache_read_input_tokens": 6000,
    "cache_creation_input_tokens": 2000,
    "prompt_tokens_details": {"cached_tokens": 6000, "cache_creation_tokens": 2000},
}
HOUR = {
    **ANTHROPIC,
    "prompt_tokens_details": {
        "cached_tokens": 6000,
        "cache_creation_tokens": 2000,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 1500},
    },
}
GEMINI = {
    "prompt_tokens": 5000,
    "completion_tokens": 900,
    "total_tokens": 5900,
    "prompt_tokens_details": {"cached_tokens": 4096, "text_tokens": 904},
    "completion_tokens_details": {"reasoning_tokens": 700, "text_tokens": 200},
}
HEARD = {
    "prompt_tokens": 2000,
    "completion_tokens": 100,
    "total_tokens": 2100,
    "prompt_tokens_details": {"audio_tokens": 1500, "text_tokens": 500},
}
SPOKEN = {
    "prompt_tokens": 1000,
    "completion_tokens": 800,
    "total_tokens": 1800,
    "prompt_tokens_details": {"audio_tokens": 600, "text_tokens": 400},
    "completion_tokens_details": {"audio_tokens": 700, "text_tokens": 100},
}
LONG = {
    **GEMINI,
    "prompt_tokens": 300_000,
    "total_tokens": 300_900,
    "prompt_tokens_details": {"cached_tokens": 250_000},
}

BEDROCK = {
    "inputTokens": 1000, "outputTokens": 400, "totalTokens": 9400, "cacheReadInputTokens": 6000,
    "cacheWriteInputTokens": 2000,
}  # fmt: skip
BEDROCK_HOUR = {**BEDROCK, "cacheDetails": [{"ttl": "5m", "inputTokens": 500}, {"ttl": "1h", "inputTokens": 1500}]}
# Reasoning stands in the total alone.
XAI = {
    "prompt_tokens": 3000, "completion_tokens": 100, "total_tokens": 3900, "num_sources_used": 0,
    "prompt_tokens_details": {"text_tokens": 3000, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 2000},
    "completion_tokens_details": {"reasoning_tokens": 800, "audio_tokens": 0, "accepted_prediction_tokens": 0},
}  # fmt: skip
MISTRAL = {
    "prompt_tokens": 3000, "completion_tokens": 500, "total_tokens": 3500, "num_cached_tokens": 2048,
    "prompt_tokens_details": {"cached_tokens": 2048},
}  # fmt: skip
OPENROUTER = {
    "prompt_tokens": 3000, "completion_tokens": 500, "total_tokens": 3500, "cost": 0.0321, "is_byok": False,
    "prompt_tokens_details": {"cached_tokens": 2048, "cache_write_tokens": 0, "audio_tokens": 0},
    "cost_details": {"upstream_inference_cost": None}, "completion_tokens_details": {"reasoning_tokens": 320},
}  # fmt: skip
DEEPSEEK = {
    "prompt_tokens": 3000, "completion_tokens": 500, "total_tokens": 3500, "prompt_cache_hit_tokens": 2048,
    "prompt_cache_miss_tokens": 952, "prompt_tokens_details": {"cached_tokens": 2048},
    "completion_tokens_details": {"reasoning_tokens": 320},
}  # fmt: skip
GROQ = {
    "queue_time": 0.01, "prompt_time": 0.02, "completion_time": 0.3, "total_time": 0.33, "prompt_tokens": 3000,
    "completion_tokens": 500, "total_tokens": 3500, "prompt_tokens_details": {"cached_tokens": 2048},
    "completion_tokens_details": {"reasoning_tokens": 320},
}  # fmt: skip
FIREWORKS = {
    "prompt_tokens": 3000, "completion_tokens": 500, "total_tokens": 3500,
    "prompt_tokens_details": {"cached_tokens": 2048},
}  # fmt: skip
RAW: list[tuple[str, dict[str, Any]]] = [
    ("bedrock/anthropic.claude-3-7-sonnet-20250219-v1:0", BEDROCK),
    ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", BEDROCK_HOUR),
    ("xai/grok-4.3", XAI),
    ("xai/grok-4.3", {**XAI, "cost_in_usd_ticks": 37_756_000}),
    ("mistral/mistral-large-latest", MISTRAL),
    # Its newest models cost half off peak, which litellm bills by the clock; here they cost the whole price.
    ("deepseek/deepseek-chat", DEEPSEEK),
    ("groq/openai/gpt-oss-120b", GROQ),
    ("fireworks_ai/accounts/fireworks/models/deepseek-r1", FIREWORKS),
]

CASES = [
    ("openai/gpt-4o-mini", OPENAI, ""),
    ("openai/gpt-5", OPENAI, ""),
    ("openai/gpt-5", OPENAI, "flex"),
    ("openai/gpt-5", OPENAI, "priority"),
    ("anthropic/claude-sonnet-4-5", ANTHROPIC, ""),
    ("anthropic/claude-sonnet-4-5", HOUR, ""),
    ("gemini/gemini-2.5-flash", GEMINI, ""),
    ("gemini/gemini-2.5-pro", LONG, ""),
    ("gemini/gemini-2.5-flash", HEARD, ""),
    ("openai/gpt-audio", SPOKEN, ""),
    ("deepseek/deepseek-chat", {**OPENAI, "prompt_cache_hit_tokens": 2048, "completion_tokens_details": None}, ""),
]


@pytest.mark.parametrize(("model", "usage", "tier"), CASES)
def test_the_bill_is_litellms_to_the_nano_dollar(model: str, usage: dict[str, Any], tier: str) -> None:
    """Cached reads, writes for five minutes and an hour, thinking, sound, long prompts, service tiers."""
    litellm = litellm_import.load_litellm()
    response = litellm.ModelResponse(model=model.partition("/")[2], usage=litellm.Usage(**usage))
    theirs = litellm.completion_cost(response, model=model, service_tier=tier or None)
    settings = Settings.from_mapping({"tiers": {"cheap": {"models": [model]}, "expensive": {"models": ["openai/o"]}}})
    price = price_table(settings, litellm.model_cost)[model]
    ours, fault = read_usage({"usage": usage, "service_tier": tier or "default"})
    assert ours is not None
    assert not fault
    assert abs(price.cost(ours) - Decimal(repr(theirs))) < Decimal("1e-9")
    if tier != "priority" and usage is not SPOKEN:
        # Those two are refused where a budget applies.
        worst = price.worst_case(ours.prompt_tokens, ours.completion_tokens, media=True, long_written=True)
        assert worst >= price.cost(ours)


def mapped(provider: str, raw: dict[str, Any]) -> Any:
    """litellm's usage of an answer with this one."""
    litellm = litellm_import.load_litellm()
    if provider == "bedrock":
        return litellm.AmazonConverseConfig().transform_usage(raw)
    if provider == "xai":
        raw = copy.deepcopy(raw)
        litellm.XAIChatConfig.fold_reasoning_tokens_into_completion(raw)
        if "cost_in_usd_ticks" in raw:
            raw["cost"] = raw["cost_in_usd_ticks"] / 1e10
    return litellm.Usage(**raw)


@pytest.mark.parametrize(("model", "raw"), RAW, ids=[f"{model}-{at}" for at, (model, _) in enumerate(RAW)])
def test_what_a_provider_says_itself_is_billed_as_litellm_bills_it(model: str, raw: dict[str, Any]) -> None:
    """Read as it came, or as litellm writes it where it alone reads that wire."""
    litellm = litellm_import.load_litellm()
    provider = model.partition("/")[0]
    usage = mapped(provider, raw)
    response = litellm.ModelResponse(model=model.partition("/")[2], usage=usage)
    theirs = litellm.completion_cost(response, model=model, custom_llm_provider=provider)
    fields = response.model_dump()["usage"] if provider == "bedrock" else raw
    ours, fault = read_usage({"usage": fields})
    assert ours is not None
    assert not fault or provider == "xai"
    charged = price_of(model).charged(ours, reported_cost(fields))
    assert abs(charged - Decimal(repr(theirs))) < Decimal("1e-9")


def price_of(model: str, **section: Any) -> Price:
    tiers = {"cheap": {"models": [model]}, "expensive": {"models": ["openai/o"]}}
    settings = Settings.from_mapping({"tiers": tiers, "models": {model: section}})
    return price_table(settings, litellm_import.load_litellm().model_cost)[model]


def test_a_charge_that_is_reported_counts_where_its_provider_bills_so() -> None:
    """A server of one's own may tell what it likes; what no call can cost is no report; a key of the app's own is
    charged beside OpenRouter's, of which litellm's table has no prices."""
    usage, fault = read_usage({"usage": OPENROUTER})
    assert usage is not None
    assert (usage.cached_tokens, usage.reasoning_tokens, fault) == (2048, 320, "")
    charge = reported_cost(OPENROUTER)
    assert charge == Decimal("0.0321")
    own: dict[str, Any] = {"input_usd_per_million": 1, "output_usd_per_million": 2}
    assert price_of("openrouter/acme/small", **own).charged(usage, charge) == charge
    tokens = Decimal("0.004")
    assert price_of("openrouter/acme/small", **own).charged(usage, None) == tokens
    assert price_of("openrouter/acme/small", **own, params={"api_base": "http://a"}).charged(usage, charge) == tokens
    assert price_of("openai/small", **own).charged(usage, charge) == tokens
    details = {"upstream_inference_cost": 0.5}
    assert reported_cost({**OPENROUTER, "is_byok": True, "cost_details": details}) == Decimal("0.5321")
    assert reported_cost({"cost": {"total_cost": 0.25}}) == Decimal("0.25")
    for nothing in (None, True, -1, "0.1", float("nan"), float("inf"), 1e9, {}):
        assert reported_cost({"cost": nothing}) is None
    assert reported_cost({"cost_in_usd_ticks": 37_756_000}) == Decimal("0.0037756")


def test_the_charge_that_is_reported_is_the_attempts_cost() -> None:
    """Whole and streamed, through the whole of Turnout."""
    model = "openrouter/acme/small"
    section = {"input_usd_per_million": 1, "output_usd_per_million": 2}
    config = {
        "tiers": {"cheap": {"models": [model]}, "expensive": {"models": ["openai/o"]}},
        "models": {model: section, "openai/o": section},
        "budgets": {"total": "1/day"},
        "cache": {"enabled": False},
    }
    provider = ScriptedProvider()
    provider.say(model, Says("ok", usage=OPENROUTER))

    async def main() -> list[Decimal]:
        async with Turnout(config, provider=provider, scorer=FixedScorer(0.1)) as turnout:
            whole = await turnout.complete("hi", model=model)
            stream = turnout.stream("hi", model=model)
            async for _ in stream:
                pass
            return [whole.outcome.cost_usd, stream.outcome.cost_usd]

    assert asyncio.run(main()) == [Decimal("0.0321")] * 2


def test_prices_by_a_prompts_length_hold_for_the_whole_call() -> None:
    """Of models that litellm lists by ranges, whose first price alone would bill a long prompt too low."""
    price = price_of("dashscope/qwen-plus-latest")
    assert (price.input, price.output, price.reasoning) == (Decimal("0.4"), Decimal("1.2"), Decimal("4.0"))
    ((above, dearer),) = price.above
    assert (above, dearer.input, dearer.output) == (256_000, Decimal("1.2"), Decimal("3.6"))
    usage = Usage(prompt_tokens=300_000, completion_tokens=10)
    assert price.cost(usage) == (300_000 * dearer.input + 10 * dearer.output) / 1_000_000


def test_a_search_is_billed_beside_the_tokens() -> None:
    """By the table's price of a search of medium size."""
    litellm = litellm_import.load_litellm()
    model = "anthropic/claude-sonnet-4-5"
    settings = Settings.from_mapping({"tiers": {"cheap": {"models": [model]}, "expensive": {"models": ["openai/o"]}}})
    price = price_table(settings, litellm.model_cost)[model]
    plain, _ = read_usage({"usage": ANTHROPIC})
    searched, _ = read_usage({"usage": {**ANTHROPIC, "server_tool_use": {"web_search_requests": 3}}})
    assert plain is not None
    assert searched is not None
    assert price.cost(searched) - price.cost(plain) == Decimal("0.03")


def test_a_section_overrides_the_tables_cache_prices() -> None:
    """With or without prices of its own for input and output, at every length."""
    own = {"cached_input_usd_per_million": 1, "cache_write_usd_per_million": 7, "reasoning_usd_per_million": 9}
    mapping = {
        "tiers": {"cheap": {"models": ["gemini/gemini-2.5-pro"]}, "expensive": {"models": ["openai/o"]}},
        "models": {"gemini/gemini-2.5-pro": own},
    }
    bundled = litellm_import.bundled_prices()
    assert bundled is not None
    price = price_table(Settings.from_mapping(mapping), bundled)["gemini/gemini-2.5-pro"]
    for one in (price, price.above[0][1]):
        assert (one.cached, one.written, one.reasoning) == (1, 7, 9)
    assert price.input == Decimal("1.25")
