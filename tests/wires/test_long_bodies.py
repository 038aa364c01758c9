"""Bodies within the limit in bytes that hold very many of something: refused before any of it is translated, and
translated in time that grows with their length alone."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.pipeline.world import CHEAP, world
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


def posted(*requests: tuple[str, Any], **sections: Any) -> list[int]:
    """The statuses of these requests, each of which continues the response before it."""

    async def ask() -> list[int]:
        statuses, earlier = [], {}
        async with (
            world(**sections).turnout as turnout,
            httpx.AsyncClient(transport=turnout.transport(), base_url="http://t/v1/") as client,
        ):
            for path, body in requests:
                response = await client.post(path, json={**body, **earlier})
                statuses.append(response.status_code)
                if path == "responses" and response.status_code == 200:
                    earlier = {"previous_response_id": response.json()["id"]}
        return statuses

    return asyncio.run(ask())


@pytest.mark.parametrize("kind", LONG)
def test_more_parts_than_can_be_read_at_once_are_413_before_any_is_translated(kind: str) -> None:
    """In every protocol: each costs time of its own on the loop that all share."""
    path, body = LONG[kind]

    [status] = posted((path, {"model": "cheap", "max_tokens": 9, **body}))
    assert status == 413


def test_a_response_is_continued_as_long_as_one_body_could_hold_the_whole() -> None:
    """A few bytes that refer to more than could be sent are as large as that."""
    turns: list[Any] = [{"model": "cheap", "input": letter * 40_000} for letter in "abc"]
    sent = [("responses", turn) for turn in turns]
    assert posted(*sent, server={"max_body_bytes": 100_000}) == [200, 200, 413]
    many = {"model": "cheap", "input": [USER] * 9_000}
    assert posted(*[("responses", many)] * 3, server={"max_params_bytes": 100_000}) == [413, 413, 413]
    few = {"model": "cheap", "input": [{"role": "user", "content": "x" * 20}] * 4_000}
    assert posted(*[("responses", few)] * 3, server={"max_params_bytes": 300_000}) == [200, 200, 413]


@pytest.mark.parametrize("size", [300_001, 3_000_000])
def test_more_tokens_than_are_embedded_at_once_are_413(size: int) -> None:
    """In one list or in several, whatever the last of them is."""
    for tokens in ([*[1] * size, "x"], [[1] * (size // 2)] * 3):
        [status] = posted(("embeddings", {"model": CHEAP, "input": tokens}))
        assert status == 413


def test_the_calls_of_one_turn_cost_time_each_once() -> None:
    """Each joins the turn's others in place: copied for each call, 100,000 took half a minute."""
    since = time.process_time()
    messages = to_chat({"input": [CALL] * 100_000})["messages"]
    assert [len(message["tool_calls"]) for message in messages] == [100_000]
    assert time.process_time() - since < 8.0
