"""What the openai SDK sees through the door, whichever provider answers and by whichever transport it is called.

Each provider speaks its own wire (tests/support/scripted_provider); what comes out is OpenAI's, the same for all four.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

import openai
from tests.support.scripted_provider import ERROR_KINDS, Answer, Failure, Reply, ScriptedServer, Tokens, Tool
from tests.support.wire_fuzz.doors import nothing
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.testing import FixedScorer

MODELS = {
    "openai": ("openai/gpt-4o-mini", "/v1"),
    "anthropic": ("anthropic/claude-sonnet-4-5", ""),
    "gemini": ("gemini/gemini-2.5-flash", "/v1beta"),
    "cohere": ("cohere/command-a-03-2025", "/v2/chat"),
}
# Others that speak OpenAI's wire, read by classes of litellm's.
OTHERS = {
    "groq": ("groq/llama-3.3-70b-versatile", "/v1"),
    "mistral": ("mistral/mistral-small-latest", "/v1"),
    "openrouter": ("openrouter/acme/small", "/v1"),
}
MESSAGES: Any = [{"role": "user", "content": "What is 2 + 2?"}]
_PARAMETERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
TOOLS: Any = [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": _PARAMETERS}}]
TOKENS = Tokens(prompt=20, completion=9)
# What the provider's own error is to the caller: a fault of the request is told as such, ours and theirs as 503.
TOLD = {
    "bad_request": (400, "invalid_request_error"),
    "context_length": (400, "context_length_exceeded"),
    "wrong_key": (503, "upstream_unavailable"),
    "no_credit": (503, "upstream_unavailable"),
    "forbidden": (503, "upstream_unavailable"),
    "unknown_model": (503, "upstream_unavailable"),
    "too_large": (413, "request_too_large"),
    "rate_limited": (503, "upstream_unavailable"),
    "server_error": (503, "upstream_unavailable"),
    "overloaded": (503, "upstream_unavailable"),
}
# Of the app's account: in no answer.
OURS = ("sk-abc", "org-1", "proj_1", "x-api-key", "credit balance", "Plans & Billing", "platform.openai.com")

Ask = Callable[[openai.AsyncOpenAI, str], Awaitable[Any]]


@pytest.fixture(params=["direct", "litellm"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=MODELS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(server: ScriptedServer, provider: str, transport: str, reply: Reply, work: Ask, **sections: Any) -> Any:
    """What the work gives, with the SDK before the door and this reply behind it."""
    name, base = {**MODELS, **OTHERS}[provider]
    config = {
        "tiers": {"cheap": {"models": [name]}, "expensive": {"models": ["openai/unused"]}},
        "models": {name: {"params": {"api_base": server.origin + base}}},
        "routing": {"threshold": 1.0},
        "retry": {"attempts": 1},
        "fallback": {"other_tier": "none"},
        "upstream": {"transport": transport},
        **sections,
    }
    server.script = lambda _: reply

    async def run() -> Any:
        turnout = Turnout(config, scorer=FixedScorer(0.1))
        door: Any = TurnoutMiddleware(nothing, turnout=turnout)
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=door))
        async with (
            turnout,
            openai.AsyncOpenAI(api_key="-", base_url="http://app/v1", http_client=http, max_retries=0) as client,
        ):
            return await work(client, name)

    return asyncio.run(run())


async def whole(client: openai.AsyncOpenAI, model: str, **params: Any) -> Any:
    return await client.chat.completions.create(model=model, messages=MESSAGES, **params)


async def streamed(client: openai.AsyncOpenAI, model: str, **params: Any) -> Any:
    """What the SDK's own accumulator makes of the stream."""
    asked: dict[str, Any] = {"model": model, "messages": MESSAGES, "stream_options": {"include_usage": True}, **params}
    async with client.chat.completions.stream(**asked) as stream:
        return await stream.get_final_completion()


async def with_tools(client: openai.AsyncOpenAI, model: str) -> Any:
    return await whole(client, model, tools=TOOLS)


async def with_tools_streamed(client: openai.AsyncOpenAI, model: str) -> Any:
    return await streamed(client, model, tools=TOOLS)


@pytest.mark.parametrize("work", [whole, streamed])
def test_words_arrive_as_openai_says_them(server: ScriptedServer, provider: str, transport: str, work: Ask) -> None:
    """Text, finish and usage, whole and streamed."""
    answer = ask(server, provider, transport, Answer(text="It is four.", tokens=TOKENS), work)
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "It is four.", "stop")
    assert not choice.message.tool_calls
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (20, 9, 29)


@pytest.mark.parametrize("work", [with_tools, with_tools_streamed])
def test_tool_calls_arrive_as_openai_says_them(
    server: ScriptedServer, provider: str, transport: str, work: Ask
) -> None:
    """Two calls, in order, each with an id of its own and arguments that are JSON; no words beside them."""
    tools = (Tool(), Tool(arguments={"a": 3, "b": 4}, call_id="call_2"))
    answer = ask(server, provider, transport, Answer(tools=tools, tokens=TOKENS), work)
    (choice,) = answer.choices
    calls = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content
    assert [call.function.name for call in calls] == ["add", "add"]
    assert [json.loads(call.function.arguments) for call in calls] == [{"a": 2, "b": 2}, {"a": 3, "b": 4}]
    assert len({call.id for call in calls}) == 2
    assert answer.usage.total_tokens == 29


@pytest.mark.parametrize("work", [whole, streamed])
@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_errors_arrive_as_openai_says_them(
    server: ScriptedServer, provider: str, transport: str, kind: Any, work: Ask
) -> None:
    """By whose fault it is, in the SDK's own classes, with nothing of the app's account in it; `Retry-After` where
    waiting may help."""
    with pytest.raises(openai.APIStatusError) as raised:
        ask(server, provider, transport, Failure(kind=kind), work)
    error = raised.value
    status, code = TOLD[kind]
    # A provider that names the fault by a code of OpenAI's is taken at its word.
    code = "invalid_value" if (provider, kind) == ("openai", "bad_request") else code
    assert (error.status_code, error.code) == (status, code)
    assert not [word for word in OURS if word in str(error.body)]
    assert ("retry-after" in error.response.headers) is (error.status_code == 503)


@pytest.mark.parametrize("finish", ["length", "content_filter"])
@pytest.mark.parametrize("work", [whole, streamed])
def test_a_finish_other_than_stop_is_told(
    server: ScriptedServer, provider: str, transport: str, work: Ask, finish: str
) -> None:
    """Each provider's own word for it becomes OpenAI's."""
    if provider == "cohere" and finish == "content_filter":
        pytest.skip("Cohere has no such finish")

    async def lenient(client: openai.AsyncOpenAI, model: str) -> Any:
        try:
            return (await work(client, model)).choices[0].finish_reason
        except openai.LengthFinishReasonError:
            return "length"
        except openai.ContentFilterFinishReasonError:
            return "content_filter"

    assert ask(server, provider, transport, Answer(finish=finish), lenient) == finish
