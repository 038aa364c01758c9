"""One conversation, over chat completions, Messages and Responses: one decision, one cache entry, one bill."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest

from tests.support.apps import scripted_settings
from tests.support.scripted_provider import Answer, Received, ScriptedServer, Tokens, Tool
from tests.support.wire_fuzz.doors import nothing
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.context import user_key
from turnout.ports.admission import Settlement
from turnout.quota.policies import Policies

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ARGUMENTS = '{"a":2}'
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "max_tokens": 40,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is 2 + 2?"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": ARGUMENTS}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "4"},
            {"role": "user", "content": "And 3 + 3?"},
        ],
        "tools": [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": SCHEMA}}],
    },
    "/v1/messages": {
        "max_tokens": 40,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "What is 2 + 2?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "call_1", "name": "add", "input": json.loads(ARGUMENTS)},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "4"}]},
            {"role": "user", "content": "And 3 + 3?"},
        ],
        "tools": [{"name": "add", "description": "Adds.", "input_schema": SCHEMA}],
    },
    "/v1/responses": {
        "max_output_tokens": 40,
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": "What is 2 + 2?"},
            {"role": "assistant", "content": "Let me see."},
            {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": ARGUMENTS},
            {"type": "function_call_output", "call_id": "call_1", "output": "4"},
            {"role": "user", "content": "And 3 + 3?"},
        ],
        "tools": [{"type": "function", "name": "add", "description": "Adds.", "parameters": SCHEMA}],
    },
}
ANSWERS = {
    "text": Answer(text="It is six.", tokens=Tokens(prompt=20, completion=9)),
    "tool": Answer(
        text="",
        tools=(Tool(name="add", call_id="call_2"),),
        finish="tool_calls",
        tokens=Tokens(prompt=20, completion=9),
    ),
}


class World:
    """An app whose users ask one provider; what that one was sent is kept."""

    def __init__(self, turnout: Turnout, client: httpx.AsyncClient) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self._turnout, self._client = turnout, client

    async def ask(self, path: str, user: str, *, stream: bool = False, fresh: bool = False) -> httpx.Response:
        headers = {"x-user-id": user, **({"cache-control": "no-store"} if fresh else {})}
        body = {"model": "auto", "temperature": 0.5, **ASKED[path], **({"stream": True} if stream else {})}
        response = await self._client.post(path, json=body, headers=headers)
        assert response.status_code == 200, response.text
        return response

    async def spent(self, user: str) -> int:
        """In nano-USD, of the user's budget; nothing of it is still reserved."""
        claims = Policies(self._turnout.settings).of_key(user_key(user), self._turnout.clock.time())
        (state,) = await self._turnout._stores.gate.leave(Settlement(key=None, lease="", budgets=tuple(claims)))
        assert state.reserved == 0
        return state.spent


def run(server: ScriptedServer, answer: Answer, scenario: Callable[[World], Awaitable[None]]) -> None:
    """Runs a scenario with the default scorer."""
    config = scripted_settings(server.origin, identity={"user_header": "x-user-id"}, budgets={"per_user": "1/day"})

    async def main() -> None:
        turnout = Turnout({**config, "routing": {"threshold": 0.5}})
        door: Any = TurnoutMiddleware(nothing, turnout=turnout)
        async with turnout, httpx.AsyncClient(transport=httpx.ASGITransport(app=door), base_url="http://app") as client:
            world = World(turnout, client)

            def reply(received: Received) -> Answer:
                world.sent.append(received.body)
                return answer

            server.script = reply
            await scenario(world)

    asyncio.run(main())


def decision(response: httpx.Response) -> tuple[str, ...]:
    return tuple(response.headers[f"x-turnout-{name}"] for name in ("tier", "model", "score"))


def told(path: str, response: httpx.Response) -> tuple[str, Any]:
    """The text and the tool calls of a whole answer."""
    body = response.json()
    if path == "/v1/chat/completions":
        message = body["choices"][0]["message"]
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or []]
        return message["content"] or "", [(name, json.loads(arguments)) for name, arguments in calls]
    if path == "/v1/messages":
        text = "".join(block["text"] for block in body["content"] if block["type"] == "text")
        return text, [(block["name"], block["input"]) for block in body["content"] if block["type"] == "tool_use"]
    text = "".join(part["text"] for item in body["output"] for part in item.get("content", ()))
    calls = [item for item in body["output"] if item["type"] == "function_call"]
    return text, [(call["name"], json.loads(call["arguments"])) for call in calls]


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_whoever_asks_first_the_others_find_its_answer(server: ScriptedServer, kind: str) -> None:
    """Whole and streamed, each in its own words: one call, one decision, and its cost alone."""

    async def scenario(world: World) -> None:
        for number, first in enumerate(ASKED):
            for stream in (False, True):
                user = f"ann{number}{stream}"
                asked = await world.ask(first, user, stream=stream)
                spent = await world.spent(user)
                assert spent > 0
                answers = {path: await world.ask(path, user) for path in ASKED}
                assert {hit.headers["cache-status"] for hit in answers.values()} == {"turnout; hit"}
                assert {decision(hit) for hit in answers.values()} == {decision(asked)}
                streams = {path: await world.ask(path, user, stream=True) for path in ASKED}
                assert {hit.headers["cache-status"] for hit in streams.values()} == {"turnout; hit"}
                assert await world.spent(user) == spent
                texts = [told(path, answer) for path, answer in answers.items()]
                assert texts[0] == texts[1] == texts[2]
                assert texts[0][0 if kind == "text" else 1]
        assert len(world.sent) == 2 * len(ASKED)

    run(server, ANSWERS[kind], scenario)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_asked_afresh_it_is_the_same_request_the_same_decision_and_the_same_bill(
    server: ScriptedServer, stream: bool
) -> None:
    """But for the name of the cap, which is the caller's."""

    async def scenario(world: World) -> None:
        decisions, bills = set(), set()
        for path in ASKED:
            decisions.add(decision(await world.ask(path, path, stream=stream, fresh=True)))
            bills.add(await world.spent(path))
        assert len(decisions) == 1
        assert len(bills) == 1
        assert bills != {0}
        caps = [body.pop("max_tokens", None) or body.pop("max_completion_tokens") for body in map(dict, world.sent)]
        assert caps == [40, 40, 40]
        rest = [{name: body[name] for name in body if not name.startswith("max_")} for body in world.sent]
        assert rest[0] == rest[1] == rest[2]

    run(server, ANSWERS["text"], scenario)
