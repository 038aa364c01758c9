"""What is billed, against litellm's own `completion_cost`, in each provider's form of usage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from turnout.openai.usage import read_usage
from turnout.settings import Settings
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
