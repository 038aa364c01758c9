"""The way out through litellm, against a loopback provider."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.support.apps import settings
from tests.support.provider import LoopbackProvider
from turnout import portal
from turnout.attempt_errors import NotConnected
from turnout.errors import SettingsError
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.upstream import litellm_import
from turnout.upstream.provider import LiteLLMProvider

CALL = ProviderCall(model="openai/small", messages=({"role": "user", "content": "x"},))


def test_closing_one_loops_clients_leaves_another_loops_alone(provider: LoopbackProvider) -> None:
    """Two apps in one process, each on its own loop: one ends, the other goes on, on the very client it had."""
    out = LiteLLMProvider(Settings.of(settings(provider.base_url)), {})

    async def call() -> set[int]:
        assert (await out.complete(CALL))["choices"]
        cache = litellm_import.load().in_memory_llm_clients_cache
        mine = cache.update_cache_key_with_event_loop("")
        return {id(client) for key, client in cache.cache_dict.items() if key.endswith(mine)}

    async def other() -> None:
        assert await call()
        await out.close()

    before = portal.run(portal.portal_loop(), call)
    asyncio.run(other())
    assert portal.run(portal.portal_loop(), call) == before
    portal.run(portal.portal_loop(), out.close)
    assert provider.calls == {"small": 3}


@pytest.mark.parametrize(
    ("name", "told"),
    [("opnai/gpt-4o", r'did you mean "openai/gpt-4o"'), ("gpt4mini", r'write it as "openai/gpt4mini"')],
)
def test_a_model_of_no_known_provider_is_refused_at_start(name: str, told: str) -> None:
    """Before the first request, by name and with the nearest right one; never told to a caller as its fault."""
    tiers = {"cheap": {"models": [name]}, "expensive": {"models": ["openai/large"]}}
    with pytest.raises(SettingsError, match=told):
        asyncio.run(LiteLLMProvider(Settings.of({"tiers": tiers}), {}).load())


def test_a_refused_connection_is_told_apart_from_a_lost_one() -> None:
    """Nothing was sent, so a budget is not charged for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    plug = LiteLLMProvider(Settings.of(settings(base)), {})

    async def scenario() -> None:
        try:
            await plug.complete(ProviderCall(model="openai/small", messages=({"role": "user", "content": "x"},)))
        finally:
            await plug.close()

    with pytest.raises(NotConnected):
        asyncio.run(scenario())
