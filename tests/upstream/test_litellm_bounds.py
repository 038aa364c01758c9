"""How much of an answer is read through litellm, on each provider's wire."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from tests.support.scripted_provider import Raw, ScriptedServer
from turnout.attempt_errors import NoAnswer, ProviderRateLimited
from turnout.openai.json_size import MOST_NESTED
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.upstream.litellm_bounds import AnswerCount
from turnout.upstream.litellm_calls import LiteLLMProvider

BOUND = 20_000
MODELS = ["openai/m", "anthropic/claude-x", "gemini/gemini-x", "cohere/command-x", "mistral/m", "ollama_chat/m"]
EVENTS = {"content-type": "text/event-stream"}


def plug(server: ScriptedServer, model: str) -> LiteLLMProvider:
    base = server.origin + ("/v1" if model in ("openai/m", "mistral/m") else "")
    sections = {
        "tiers": {"cheap": {"models": [model]}, "expensive": {"models": ["openai/dear"]}},
        "models": {model: {"params": {"api_base": base}, "api_key_env": "K"}},
        "server": {"max_answer_bytes": BOUND},
    }
    return LiteLLMProvider(Settings.of(sections), {"K": "k"})


async def asked(provider: LiteLLMProvider, model: str, *, stream: bool) -> list[Any]:
    call = ProviderCall(model=model, messages=({"role": "user", "content": "x"},))
    try:
        if stream:
            return [chunk async for chunk in provider.stream(call)]
        return [await provider.complete(call)]
    finally:
        await provider.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_no_more_than_the_bound_is_read_on_any_wire(server: ScriptedServer, model: str, stream: bool) -> None:
    """Of an answer, and of an event without end: no circuit hears of it, a caller may be the cause."""
    body = (b"data: " if stream else b"") + b'{"a": "' + b"a" * BOUND + b'"}'
    server.script = lambda _: Raw(pieces=(body,), headers=EVENTS if stream else JSON)
    with pytest.raises(NoAnswer, match=f"longer than {BOUND} bytes"):
        asyncio.run(asked(plug(server, model), model, stream=stream))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_no_more_of_an_errors_body_is_read_than_the_bound(server: ScriptedServer, model: str, stream: bool) -> None:
    """litellm takes one that it may not read for an empty one, of some streams: its status still counts."""
    body = json.dumps({"error": {"message": "slow" * BOUND}}).encode()
    server.script = lambda _: Raw(pieces=(body,), status=429, headers=JSON)
    with pytest.raises((NoAnswer, ProviderRateLimited)) as caught:
        asyncio.run(asked(plug(server, model), model, stream=stream))
    assert "slowslow" not in caught.value.message


JSON = {"content-type": "application/json"}


def test_no_more_of_embeddings_is_read_than_the_bound(server: ScriptedServer) -> None:
    """They always go through litellm."""
    vector = {"index": 0, "embedding": [0.5] * BOUND}
    server.script = lambda _: Raw(pieces=(json.dumps({"data": [vector], "model": "m"}).encode(),), headers=JSON)

    async def scenario() -> None:
        provider = plug(server, "openai/m")
        with pytest.raises(NoAnswer, match=f"longer than {BOUND} bytes"):
            await provider.embed(ProviderCall(model="openai/m", messages=(), inputs=("x",)))
        await provider.close()

    asyncio.run(scenario())


def test_another_apps_own_calls_of_litellm_are_not_bounded(server: ScriptedServer) -> None:
    """Though they go over the same clients."""
    import litellm

    message = {"role": "assistant", "content": "a" * 2 * BOUND}
    body = {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    server.script = lambda _: Raw(pieces=(json.dumps(body).encode(),), headers=JSON)

    async def scenario() -> Any:
        provider = plug(server, "openai/m")
        call = ProviderCall(model="openai/m", messages=({"role": "user", "content": "x"},))
        with pytest.raises(NoAnswer):
            await provider.complete(call)
        answer = await litellm.acompletion(
            model="openai/m", messages=[{"role": "user", "content": "x"}], api_base=f"{server.origin}/v1", api_key="k"
        )
        await provider.close()
        return answer

    assert len(asyncio.run(scenario()).choices[0].message.content) == 2 * BOUND


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r"])
@pytest.mark.parametrize("length", [1, 3, 1000])
def test_a_streams_events_are_counted_one_by_one(end: str, length: int) -> None:
    """However they are cut into pieces; what has no end is one event."""
    ends = re.compile(rb"\r?\n\r?\n|\r\r")
    events = (f"data: {'a' * 50}{end}" * 20).encode()
    count = AnswerCount(100, ends)
    for at in range(0, len(events), length):
        count.add(events[at : at + length])
    with pytest.raises(NoAnswer):
        count.add(b"a" * 101)
    whole = AnswerCount(100, None)
    with pytest.raises(NoAnswer, match="100 bytes"):
        whole.add(events)


def test_values_are_counted_over_pieces() -> None:
    """Of one event; those of the next are its own."""
    count = AnswerCount(10**9, re.compile(rb"\n"))
    for _ in range(3):
        count.add(b"[" * MOST_NESTED)
        count.add(b"\n")
    count.add(b"[" * MOST_NESTED)
    with pytest.raises(NoAnswer, match="too many values"):
        count.add(b"{")
