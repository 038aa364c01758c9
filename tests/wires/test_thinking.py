"""Thinking that is asked for in Messages and Responses, at models that think and at those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.support.apps import scripted_settings
from tests.support.scripted_provider import Answer, ScriptedServer
from turnout import Turnout
from turnout.testing import FixedScorer
from turnout.upstream.thinking import lacks_thinking, sendable
from turnout.wires.messages_request import to_chat

ASK: Any = {"model": "auto", "max_tokens": 9000, "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
TOOL: Any = {"name": "add", "input_schema": {"type": "object", "properties": {}}}
USED: Any = {"type": "tool_use", "id": "t1", "name": "add", "input": {}}
RESULT: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "4"}]}
THINKING: Any = {"type": "enabled", "budget_tokens": 4000}
CLAUDE = "anthropic/claude-sonnet-4-5"

Ask = Callable[[httpx.AsyncClient], Awaitable[Any]]


def run(config: dict[str, Any], ask: Ask) -> Any:
    """What this gives over the transport of such a Turnout."""

    async def scenario() -> Any:
        turnout = Turnout(config, scorer=FixedScorer(0.1))
        async with turnout, httpx.AsyncClient(transport=turnout.transport(), base_url="http://turnout/v1") as client:
            return await ask(client)

    return asyncio.run(scenario())


def tiers(origin: str, cheap: str, expensive: str, **sections: Any) -> dict[str, Any]:
    places = {name: origin if name.startswith("anthropic/") else f"{origin}/v1" for name in (cheap, expensive)}
    models = {name: {"params": {"api_base": place}} for name, place in places.items()}
    both = {"cheap": {"models": [cheap]}, "expensive": {"models": [expensive]}}
    return {**scripted_settings(origin), "tiers": both, "models": models, **sections}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("messages", {**ASK, "thinking": THINKING}),
        ("messages", {**ASK, "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("responses", {"model": "auto", "input": "What is 2 + 2?", "reasoning": {"effort": "high"}}),
    ],
)
@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_a_model_that_does_not_think_is_asked_without(
    server: ScriptedServer, path: str, body: dict[str, Any], transport: str
) -> None:
    """It answers, in its own tier, though the other one thinks; what was left out is named."""
    server.script = lambda _: Answer(text="Four.")
    config = tiers(server.origin, "openai/gpt-4o-mini", "openai/gpt-5-mini", upstream={"transport": transport})
    reply: httpx.Response = run(config, lambda client: client.post(path, json=body))
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-turnout-tier"] == "cheap"
    assert reply.headers["x-turnout-dropped-params"] == "reasoning_effort"
    assert "reasoning_effort" not in server.received[-1].body


def test_a_model_that_thinks_is_asked_to(server: ScriptedServer) -> None:
    """As much as was asked for."""
    server.script = lambda _: Answer(text="Four.")
    config = tiers(server.origin, "openai/gpt-5-mini", "openai/gpt-4o")
    reply: httpx.Response = run(config, lambda client: client.post("messages", json={**ASK, "thinking": THINKING}))
    assert "x-turnout-dropped-params" not in reply.headers
    assert server.received[-1].body["reasoning_effort"] == "low"


@pytest.mark.parametrize("extension", [{}, {"turnout": {"optional": []}}])
def test_an_effort_in_a_chat_is_no_wish(server: ScriptedServer, extension: dict[str, Any]) -> None:
    """Where no model takes it, the request is refused by its name, unless the caller calls it optional."""
    server.script = lambda _: Answer(text="Four.")
    chat = {**ASK, "reasoning_effort": "high", **extension}
    config = scripted_settings(server.origin)
    refused: httpx.Response = run(config, lambda client: client.post("chat/completions", json=chat))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "reasoning_effort")
    chat["turnout"] = {"optional": ["reasoning_effort"]}
    assert run(config, lambda client: client.post("chat/completions", json=chat)).status_code == 200


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("own", [{}, {"reasoning_effort": "low"}])
def test_a_turn_that_began_without_thinking_goes_on_without(
    server: ScriptedServer, transport: str, own: dict[str, Any]
) -> None:
    """Anthropic refuses thinking there, whoever asked for it: the caller or the model's own section."""
    server.script = lambda _: Answer(text="Four.")
    config = tiers(server.origin, CLAUDE, "openai/gpt-4o", upstream={"transport": transport})
    config["models"][CLAUDE]["params"] |= own
    said = [*ASK["messages"], {"role": "assistant", "content": [USED]}, RESULT]
    asked = {} if own else {"thinking": THINKING}
    body = {**ASK, **asked, "messages": said, "tools": [TOOL]}
    reply: httpx.Response = run(config, lambda client: client.post("messages", json=body))
    assert reply.status_code == 200, reply.text
    assert "thinking" not in server.received[-1].body
    assert "reasoning_effort" in reply.headers["x-turnout-dropped-params"]


def test_a_turn_that_began_with_thinking_goes_on_with_it(server: ScriptedServer) -> None:
    """Its blocks go back as they came."""
    server.script = lambda _: Answer(text="Four.")
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig=="}
    said = [*ASK["messages"], {"role": "assistant", "content": [thought, USED]}, RESULT]
    body = {**ASK, "thinking": THINKING, "messages": said, "tools": [TOOL]}
    config = tiers(server.origin, CLAUDE, "openai/gpt-4o")
    assert run(config, lambda client: client.post("messages", json=body)).status_code == 200
    sent = server.received[-1].body
    assert sent["thinking"]["type"] == "enabled"
    assert sent["messages"][1]["content"][0] == thought


def test_a_turn_ends_where_the_user_speaks() -> None:
    """Not where he adds a word to a tool's result."""
    user, call = {"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{}]}
    said = {"role": "assistant", "content": "x"}
    thought, result = {**call, "thinking_blocks": [{}]}, {"role": "tool", "content": "x"}
    assert lacks_thinking([user, call, result])
    assert lacks_thinking([user, call, result, user])
    assert lacks_thinking([user, thought, result, said, user, call, result])
    assert not lacks_thinking([user, thought, result, user, call, result])
    assert not lacks_thinking([user, call, result, said, user])
    assert not lacks_thinking([user])


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ([], None),
        ([{"type": "thinking", "thinking": "hm", "signature": ""}], None),
        ([{"type": "thinking", "thinking": "hm", "signature": "s"}], {"role": "assistant", "content": ""}),
        ([{"type": "text", "text": "so"}], {"role": "assistant", "content": "so"}),
    ],
)
def test_a_turn_is_never_sent_empty(content: list[Any], sent: dict[str, Any] | None) -> None:
    """OpenAI takes no content of null beside no call, and no field that it does not know."""
    said = [*ASK["messages"], {"role": "assistant", "content": content}, {"role": "user", "content": "Go on."}]
    messages = sendable(tuple(to_chat({**ASK, "messages": said})["messages"]), "openai")
    assert list(messages[1:-1]) == ([] if sent is None else [sent])


@pytest.mark.parametrize(
    ("model", "transport", "effort", "thinks"),
    [
        (CLAUDE, "direct", "high", 4096),
        (CLAUDE, "litellm", "medium", 2048),
        (CLAUDE, "litellm", "low", 1024),
        ("openai/gpt-5-mini", "litellm", "high", None),
    ],
)
def test_the_default_cap_leaves_room_for_the_thinking_of_an_effort(
    server: ScriptedServer, model: str, transport: str, effort: str, thinks: int | None
) -> None:
    """Under a budget: Claude refuses a cap that its thinking fills, and others would have none left for the answer."""
    server.script = lambda _: Answer(text="Four.")
    sections = {"upstream": {"transport": transport}, "budgets": {"total": "50/day"}}
    config = tiers(server.origin, model, model.replace("sonnet", "opus").replace("-mini", ""), **sections)
    body = {"model": "cheap", "messages": ASK["messages"], "reasoning_effort": effort}
    reply: httpx.Response = run(config, lambda client: client.post("chat/completions", json=body))
    assert reply.status_code == 200, reply.text
    sent = server.received[-1].body
    assert sent.get("max_tokens", sent.get("max_completion_tokens")) == 1024 + (thinks or 4096)
    assert sent.get("thinking", {}).get("budget_tokens") == thinks
