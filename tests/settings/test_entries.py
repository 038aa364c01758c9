"""Tier entries with parameters of their own: one model at two efforts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.scripted_provider import ScriptedServer
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


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"params": {}}, r"tiers\.cheap\.models\[0\]: .* names its model"),
        ({"model": MINI, "effort": "low"}, r"tiers\.cheap\.models\[0\]: effort"),
        ({"model": MINI, "weight": 2}, r"tiers\.cheap\.models\[0\]: weight"),
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
