"""Tier entries with parameters of their own: one model at two efforts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.scripted_provider import Failure, ScriptedServer
from turnout.errors import SettingsError
from turnout.settings import Settings
from turnout.turnout import Turnout
from turnout.upstream.bulkhead import circuit_name
from turnout.upstream.prices import price_table
from turnout.upstream.token_limits import limit_table

MINI = "openai/gpt-5-mini"
LOW = {"model": MINI, "params": {"reasoning_effort": "low"}}
HIGH = {"model": MINI, "params": {"reasoning_effort": "high"}, "name": "thinker"}
TIERS = {"cheap": {"models": [LOW]}, "expensive": {"models": [HIGH]}}


def test_an_entry_is_a_model_of_its_own_name() -> None:
    """With its model's section, prices, windows and circuit."""
    settings = Settings.from_mapping({"tiers": TIERS, "models": {MINI: {"timeout_s": 7}, "thinker": {"timeout_s": 9}}})
    names = settings.model_names
    assert names == (f"{MINI}@low", "thinker")
    assert [settings.model(name).timeout_s for name in names] == [7, 9]
    row = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "max_input_tokens": 1000}
    assert [price.input for price in price_table(settings, {"gpt-5-mini": row}).values()] == [1, 1]
    assert {limit.input for limit in limit_table(settings, {"gpt-5-mini": row}).values()} == {1000}
    assert {circuit_name(name, settings.model(name)) for name in names} == {MINI}


def test_an_entry_s_name_holds_no_key_and_no_address() -> None:
    """Callers read it: how the model answers and where it stands is a part of it, and nothing else."""
    secret = {
        "aws_access_key_id": "AKIAXX",
        "aws_secret_access_key": "S1",
        "azure_ad_token": "S2",
        "api_base": "http://x",
    }
    entry = {"model": MINI, "params": {**secret, "vertex_credentials": "S3", "aws_region_name": "eu", "temperature": 0}}
    settings = Settings.from_mapping({"tiers": {"cheap": {"models": [entry]}, "expensive": {"models": ["openai/o"]}}})
    assert settings.model_names == (f"{MINI}@eu,0", "openai/o")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"params": {}}, r"tiers\.cheap\.models\[0\]: .* names its model"),
        ({"model": MINI, "effort": "low"}, r"tiers\.cheap\.models\[0\]: effort"),
        ({"model": MINI, "weight": 0}, "weight"),
        ({"model": MINI, "weight": "much"}, "weight"),
        ({"model": MINI, "api_key_env": "sk-123"}, "api_key_env"),
        ({"model": MINI, "params": "low"}, r"tiers\.cheap\.models\[0\]\.params"),
        ({"model": MINI, "name": "a\nb"}, r"tiers\.cheap\.models\[0\]\.name"),
        ({"model": MINI, "name": "auto"}, "auto"),
    ],
)
def test_a_wrong_entry_is_named(entry: dict[str, Any], message: str) -> None:
    """Refused at start."""
    with pytest.raises(SettingsError, match=message):
        Settings.from_mapping({"tiers": {"cheap": {"models": [entry]}, "expensive": {"models": ["openai/o"]}}})


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_the_provider_is_asked_for_the_model_with_the_entrys_effort(transport: str) -> None:
    """And the caller's own explicit effort wins; the entry's name is what the outcome tells."""
    with ScriptedServer() as server:
        config = {
            "tiers": TIERS,
            "models": {MINI: {"params": {"api_base": server.origin + "/v1"}}},
            "routing": {"threshold": 0.5},
            "upstream": {"transport": transport},
        }

        async def main() -> list[str]:
            async with Turnout(config) as t:
                names = [(await t.complete("a", model=tier)).outcome.model for tier in ("cheap", "thinker")]
                await t.complete("b", model="cheap", reasoning_effort="medium")
                return names

        assert asyncio.run(main()) == [f"{MINI}@low", "thinker"]
        sent = [(request.body["model"], request.body["reasoning_effort"]) for request in server.received]
        assert sent == [("gpt-5-mini", "low"), ("gpt-5-mini", "high"), ("gpt-5-mini", "medium")]


def test_entries_that_share_a_load_have_names_keys_and_circuits_of_their_own() -> None:
    """Their addresses are in no name; where they would be called alike, they are numbered."""
    entries = [
        {"model": MINI, "weight": 2, "api_key_env": "KEY_A", "params": {"api_base": "http://10.0.0.1/v1"}},
        {"model": MINI, "weight": 1, "api_key_env": "KEY_B", "params": {"api_base": "http://10.0.0.2/v1"}},
    ]
    settings = Settings.from_mapping({"tiers": {"cheap": {"models": entries}, "expensive": {"models": ["openai/o"]}}})
    cheap = settings.tier_models("cheap")
    assert cheap == (MINI, f"{MINI}#2")
    assert [settings.model(name).api_key_env for name in cheap] == ["KEY_A", "KEY_B"]
    assert {settings.deployment(name) for name in cheap} == {MINI}
    assert [circuit_name(name, settings.model(name)) for name in cheap] == list(cheap)


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_servers_share_the_load_and_one_that_fails_leaves_it_to_the_others(transport: str) -> None:
    """In their books: three to one, and all at the one that works; its circuit alone is open."""
    with ScriptedServer() as first, ScriptedServer() as second:
        entries = [
            {"model": "openai/m", "name": name, "weight": weight, "params": {"api_base": server.origin + "/v1"}}
            for name, weight, server in (("one", 3, first), ("two", 1, second))
        ]
        config = {
            "tiers": {"cheap": {"models": entries}, "expensive": {"models": ["openai/o"]}},
            "routing": {"threshold": 1.0},
            "cache": {"enabled": False},
            "retry": {"attempts": 1},
            "breaker": {"failures": 2, "reset_s": 60},
            "upstream": {"transport": transport},
        }

        async def main() -> None:
            async with Turnout(config) as t:
                named = [(await t.complete(f"q{number}")).outcome.model for number in range(16)]
                assert (named.count("one"), named.count("two")) == (12, 4)
                assert (len(first.received), len(second.received)) == (12, 4)
                first.queue(*[Failure(kind="server_error")] * 2)
                later = [(await t.complete(f"r{number}")).outcome for number in range(12)]
                assert {outcome.model for outcome in later} == {"two"}
                assert (len(first.received), len(second.received)) == (14, 16)

        asyncio.run(main())
