"""litellm is called without what nobody asked for, and with it where somebody listens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.provider import LoopbackProvider
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.upstream import litellm_import
from turnout.upstream.litellm_calls import LiteLLMProvider
from turnout.upstream.litellm_tuning import listened

MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]


@pytest.fixture
def listener() -> Iterator[list[str]]:
    """What a callback of the app's own, registered with litellm, was told."""
    litellm = litellm_import.load_litellm()
    heard: list[str] = []

    async def hear(kwargs: Any, answer: Any, start: Any, end: Any) -> None:
        heard.append(kwargs["model"])

    litellm.success_callback.append(hear)
    yield heard
    for name in ("success_callback", "_async_success_callback"):
        setattr(litellm, name, [callback for callback in getattr(litellm, name) if callback is not hear])


async def _call(provider: LoopbackProvider) -> dict[str, Any]:
    called = {"params": {"api_base": provider.base_url}}
    tiers = {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}}
    plug = LiteLLMProvider(Settings.of({"tiers": tiers, "models": {"openai/small": called}}))
    try:
        return await plug.complete(ProviderCall(model="openai/small", messages=tuple(MESSAGES)))
    finally:
        await plug.close()


def test_what_litellm_registers_for_itself_is_no_listener() -> None:
    """Its class for Gemini names `cache` for good: from then on every call would go the long way."""
    litellm = litellm_import.load_litellm()
    before = {name: list(getattr(litellm, name)) for name in ("success_callback", "callbacks")}
    try:
        litellm.success_callback.append("cache")
        assert not listened(litellm)
        litellm.callbacks.append("langfuse")
        assert listened(litellm)
    finally:
        for name, callbacks in before.items():
            setattr(litellm, name, callbacks)


def test_this_litellm_can_be_quieted() -> None:
    """The rehearsal went well, so a plain call carries a log that writes nothing."""
    litellm_import.load_litellm()
    actual = litellm_import.tuning("openai/small", MESSAGES, False)
    assert actual["litellm_logging_obj"].response_cost_calculator(None) is None


def test_calls_of_tools_are_left_to_litellm() -> None:
    """Its own set-up mends the ids of tool calls that another provider made."""
    litellm_import.load_litellm()
    asked = [*MESSAGES, {"role": "tool", "tool_call_id": "1", "content": "4"}]
    assert litellm_import.tuning("openai/small", asked, False) == {}


async def _heard(provider: LoopbackProvider, heard: list[str]) -> None:
    import asyncio

    await _call(provider)
    for _ in range(200):
        if heard:
            return
        await asyncio.sleep(0.01)


def test_a_callback_registered_with_litellm_is_still_called(provider: LoopbackProvider, listener: list[str]) -> None:
    """Whoever listens to litellm hears every call, as without Turnout."""
    import asyncio

    asyncio.run(_heard(provider, listener))
    assert listener == ["small"]


def test_the_first_call_imports_nothing_more(provider: LoopbackProvider) -> None:
    """All that a first call would load is loaded by `load`, not under a user's request, and what litellm keeps
    for good is spared by the collector."""
    code = f"""
import asyncio, gc, sys
from turnout.upstream import litellm_import
litellm = litellm_import.load_litellm()
before = set(sys.modules)
messages = [{{"role": "user", "content": "hello"}}]
asyncio.run(litellm.acompletion(
    model="openai/small", messages=messages, api_base={provider.base_url!r}, api_key="-", max_retries=0,
    **litellm_import.tuning("openai/small", messages, False)))
print(len(set(sys.modules) - before), gc.get_freeze_count() > 100_000)
"""
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert completed.stdout.split() == ["0", "True"]
