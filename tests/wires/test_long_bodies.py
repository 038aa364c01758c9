"""Bodies within the limit in bytes that hold very many of something: refused before any of it is translated, and
translated in time that grows with their length alone."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.pipeline.world import world
from turnout.openai.requests import MAX_PARTS
from turnout.wires.responses_request import to_chat

USER = {"role": "user", "content": "x"}
CALL = {"type": "function_call", "call_id": "c", "name": "n", "arguments": ""}


def many(one: Any) -> list[Any]:
    """More than can be read; the last is none that could be translated."""
    return [one] * MAX_PARTS + [0]


TEXTS = many({"type": "text", "text": ""})
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": TEXTS}
LONG: dict[str, tuple[str, Any]] = {
    "messages": ("messages", {"messages": many(USER)}),
    "blocks": ("messages", {"messages": [{"role": "user", "content": TEXTS}]}),
    "blocks of a tool's result": ("messages", {"messages": [{"role": "user", "content": [RESULT]}]}),
    "tools": ("messages", {"messages": [USER], "tools": many({"name": "n", "input_schema": {}})}),
    "system": ("messages", {"messages": [USER], "system": TEXTS}),
    "counted blocks": ("messages/count_tokens", {"messages": [{"role": "user", "content": TEXTS}]}),
    "items": ("responses", {"input": many(CALL)}),
    "parts": ("responses", {"input": [{"role": "user", "content": TEXTS}]}),
    "parts of an output": (
        "responses",
        {"input": [{"type": "function_call_output", "call_id": "c", "output": TEXTS}]},
    ),
}


@pytest.mark.parametrize("kind", LONG)
def test_more_parts_than_can_be_read_at_once_are_413_before_any_is_translated(kind: str) -> None:
    """In every protocol: each costs time of its own on the loop that all share."""
    path, body = LONG[kind]

    async def ask() -> httpx.Response:
        async with (
            world().turnout as turnout,
            httpx.AsyncClient(transport=turnout.transport(), base_url="http://t/v1/") as client,
        ):
            return await client.post(path, json={"model": "cheap", "max_tokens": 9, **body})

    assert asyncio.run(ask()).status_code == 413


def test_the_calls_of_one_turn_cost_time_each_once() -> None:
    """Each joins the turn's others in place: copied for each call, 100,000 took half a minute."""
    since = time.process_time()
    messages = to_chat({"input": [CALL] * 100_000})["messages"]
    assert [len(message["tool_calls"]) for message in messages] == [100_000]
    assert time.process_time() - since < 8.0
