"""The usage of providers that have counts and charges of their own, by both ways out, whole and streamed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.scripted_provider import ScriptedServer
from tests.upstream.test_bills import DEEPSEEK, GROQ, MISTRAL, OPENROUTER, XAI
from tests.wire.test_odd_answers import raw
from turnout.openai.usage import read_usage, reported_cost
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.upstream.transports import provider_from

USAGES: dict[str, dict[str, Any]] = {
    "xai/grok-4.3": {**XAI, "cost_in_usd_ticks": 37_756_000, "server_side_tool_usage_details": {"web_search_calls": 2}},
    "openrouter/acme/small": {**OPENROUTER, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}},
    "mistral/mistral-large-latest": MISTRAL,
    "deepseek/deepseek-chat": DEEPSEEK,
    "groq/openai/gpt-oss-120b": GROQ,
}


@pytest.fixture(scope="module")
def server() -> Any:
    with ScriptedServer() as running:
        yield running


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("model", USAGES)
def test_counts_and_charges_come_as_they_were_told(server: ScriptedServer, transport: str, model: str) -> None:
    """What litellm's classes make of them on the way changes no bill."""
    tiers = {"cheap": {"models": [model]}, "expensive": {"models": ["openai/o"]}}
    models = {model: {"params": {"api_base": server.origin + "/v1"}}}
    way = provider_from(Settings.of({"tiers": tiers, "models": models, "upstream": {"transport": transport}}))
    usage = USAGES[model]

    def call() -> ProviderCall:
        return ProviderCall(model=model, messages=({"role": "user", "content": "x"},))

    async def both() -> list[Any]:
        await way.load()
        server.script = lambda _: raw(False, {"content": "ok"}, usage)
        whole = (await way.complete(call()))["usage"]
        server.script = lambda _: raw(True, {"content": "ok"}, usage)
        streamed = [chunk["usage"] async for chunk in way.stream(call()) if chunk.get("usage")]
        await way.close()
        return [whole, streamed[-1]]

    for told in asyncio.run(both()):
        assert read_usage({"usage": told}).usage == read_usage({"usage": usage}).usage
        assert reported_cost(told) == reported_cost(usage)
