"""The way out through litellm, against a loopback provider."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket

import pytest

from tests.support.apps import settings
from tests.support.provider import LoopbackProvider
from tests.support.scripted_provider import Raw, ScriptedServer
from turnout import portal
from turnout.attempt_errors import AttemptError, NotConnected
from turnout.errors import SettingsError
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.upstream import litellm_import
from turnout.upstream.litellm_calls import LiteLLMProvider
from turnout.upstream.transports import provider_from


@pytest.fixture(params=["direct", "litellm"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each way out to the providers."""
    name: str = request.param
    return name


CALL = ProviderCall(model="openai/small", messages=({"role": "user", "content": "x"},))


def test_closing_one_loops_clients_leaves_another_loops_alone(provider: LoopbackProvider) -> None:
    """Two apps in one process, each on its own loop: one ends, the other goes on, on the very client it had."""
    out = LiteLLMProvider(Settings.of(settings(provider.base_url)), {})

    async def call() -> set[int]:
        assert (await out.complete(CALL))["choices"]
        cache = litellm_import.load_litellm().in_memory_llm_clients_cache
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
    ("name", "expected"),
    [("opnai/gpt-4o", r'did you mean "openai/gpt-4o"'), ("gpt4mini", r'write it as "openai/gpt4mini"')],
)
def test_a_model_of_no_known_provider_is_refused_at_start(transport: str, name: str, expected: str) -> None:
    """Before the first request, by name and with the nearest right one; never told to a caller as its fault."""
    tiers = {"cheap": {"models": [name]}, "expensive": {"models": ["openai/large"]}}
    with pytest.raises(SettingsError, match=expected):
        asyncio.run(provider_from(Settings.of({"tiers": tiers, "upstream": {"transport": transport}}), {}).load())


def test_a_refused_connection_is_told_apart_from_a_lost_one(transport: str) -> None:
    """Nothing was sent, so a budget is not charged for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    plug = provider_from(Settings.of(settings(base, upstream={"transport": transport})), {})

    async def scenario() -> None:
        try:
            await plug.complete(ProviderCall(model="openai/small", messages=({"role": "user", "content": "x"},)))
        finally:
            await plug.close()

    with pytest.raises(NotConnected):
        asyncio.run(scenario())


@pytest.mark.parametrize("mode", ["500", "503", "429", "reset"])
def test_litellm_and_the_sdk_below_it_retry_nothing(provider: LoopbackProvider, mode: str) -> None:
    """One attempt is one call, plain or streamed: the chain's retries are the only ones."""
    provider.modes["small"] = mode
    out = LiteLLMProvider(Settings.of(settings(provider.base_url)), {})

    async def scenario() -> None:
        try:
            with pytest.raises(AttemptError):
                await out.complete(CALL)
            with pytest.raises(AttemptError):
                async for _ in out.stream(CALL):
                    pass
        finally:
            await out.close()

    asyncio.run(scenario())
    assert provider.calls == {"small": 2}


@pytest.mark.parametrize("key", [None, ""])
def test_a_named_key_that_is_not_set_is_refused_at_start(key: str | None) -> None:
    """By the setting and the variable that it names; an empty one counts as not set."""
    config = settings("http://127.0.0.1:9/v1")
    config["models"] = {"openai/small": {"api_key_env": "SMALL_KEY"}}
    environ = {} if key is None else {"SMALL_KEY": key}
    with pytest.raises(SettingsError, match=r"SMALL_KEY.*not set"):
        LiteLLMProvider(Settings.of(config), environ)


def test_tools_need_no_optional_client_of_litellm(provider: LoopbackProvider) -> None:
    """A plain install has no MCP client: a request with tools is answered all the same."""
    out = LiteLLMProvider(Settings.of(settings(provider.base_url)), {})
    tools = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]

    async def scenario() -> None:
        try:
            body = await out.complete(dataclasses.replace(CALL, params={"tools": tools}))
            assert body["choices"]
        finally:
            await out.close()

    asyncio.run(scenario())
    assert provider.bodies[0]["tools"] == tools


def test_a_callers_extra_parameters_stand_beside_the_settings_own(provider: LoopbackProvider) -> None:
    """And go before those of the same name."""
    own = {"chat_template_kwargs": {"enable_thinking": False}, "top_k": 9}
    tiers = {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}}
    params = {"api_base": provider.base_url, "extra_body": own}
    out = LiteLLMProvider(Settings.of({"tiers": tiers, "models": {"openai/small": {"params": params}}}), {})

    async def scenario() -> None:
        try:
            await out.complete(dataclasses.replace(CALL, params={"extra_body": {"top_k": 5}}))
        finally:
            await out.close()

    asyncio.run(scenario())
    assert {**own, "top_k": 5}.items() <= provider.bodies[-1].items()


def test_the_body_names_the_model_that_really_answered(provider: LoopbackProvider) -> None:
    """Whole and streamed: the provider's own name for it, not the one that was asked for."""
    out = LiteLLMProvider(Settings.of(settings(provider.base_url)), {})

    async def scenario() -> None:
        try:
            body = await out.complete(CALL)
            names = {chunk["model"] async for chunk in out.stream(CALL)}
            assert {body["model"]} == names == {"small-2026"}
        finally:
            await out.close()

    asyncio.run(scenario())


def test_an_answer_may_repeat_itself(server: ScriptedServer, transport: str) -> None:
    """litellm would end a stream of 100 equal chunks: what a caller asked for may be just that."""
    word = {"id": "c", "choices": [{"index": 0, "delta": {"content": "again "}, "finish_reason": None}]}
    last = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    events = [f"data: {json.dumps(each)}\n\n".encode() for each in [*[word] * 150, last]]
    raw = Raw(pieces=(*events, b"data: [DONE]\n\n"), headers={"content-type": "text/event-stream"})
    server.script = lambda _: raw

    async def read() -> str:
        config = {**settings(f"{server.origin}/v1"), "upstream": {"transport": transport}}
        out = provider_from(Settings.of(config), {})
        chunks = [chunk async for chunk in out.stream(CALL)]
        await out.close()
        return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])

    assert asyncio.run(read()) == "again " * 150
