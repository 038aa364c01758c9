"""OpenAI's Responses protocol, with its own SDK before the door and chat completions behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

import openai
from tests.support.apps import scripted_settings
from tests.support.scripted_provider import Answer, Failure, Reply, ScriptedServer, Tokens, Tool
from tests.support.wire_fuzz.doors import nothing
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.errors import InvalidRequest
from turnout.testing import FixedScorer, ManualClock
from turnout.wires.responses_answer import ResponseEvents, to_response
from turnout.wires.responses_request import input_messages, to_chat

TOKENS = Tokens(prompt=20, completion=9)
TOOLS: Any = [
    {
        "type": "function",
        "name": "add",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "required": ["a"],
            "additionalProperties": False,
        },
    }
]
FOUR = Answer(text="It is four.", tokens=TOKENS)

Work = Callable[[openai.AsyncOpenAI, Turnout], Awaitable[Any]]


def run(server: ScriptedServer, reply: Reply, work: Work, clock: ManualClock | None = None, **sections: Any) -> Any:
    """What the work gives, this reply behind the door."""
    config = scripted_settings(server.origin, identity={"user_header": "x-user-id"}, **sections)
    server.script = lambda _: reply

    async def scenario() -> Any:
        turnout = Turnout(config, scorer=FixedScorer(0.1), clock=clock)
        door: Any = TurnoutMiddleware(nothing, turnout=turnout)
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=door))
        async with (
            turnout,
            openai.AsyncOpenAI(
                api_key="-",
                base_url="http://app/v1",
                http_client=http,
                max_retries=0,
                default_headers={"x-user-id": "ann"},
            ) as client,
        ):
            return await work(client, turnout)

    return asyncio.run(scenario())


def test_a_response_comes_back_with_the_decisions_headers(server: ScriptedServer) -> None:
    """Text, state, count; what was asked is told back."""

    async def work(client: openai.AsyncOpenAI, _: Turnout) -> Any:
        return await client.responses.with_raw_response.create(
            model="auto", input="What is 2 + 2?", instructions="Be brief.", metadata={"a": "b"}
        )

    raw = run(server, FOUR, work)
    response = raw.parse()
    assert (response.output_text, response.status, response.instructions) == ("It is four.", "completed", "Be brief.")
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (20, 9, 29)
    assert response.id.startswith("resp_")
    assert raw.headers["x-turnout-tier"] == "cheap"


def test_a_stream_tells_its_typed_events(server: ScriptedServer) -> None:
    """In OpenAI's order, numbered, and read by the SDK's own accumulator."""

    async def work(client: openai.AsyncOpenAI, _: Turnout) -> Any:
        events = []
        async with client.responses.stream(model="auto", input="What is 2 + 2?") as stream:
            async for event in stream:
                events.append(event)
            return events, await stream.get_final_response()

    events, response = run(server, FOUR, work)
    kinds = list(dict.fromkeys(event.type for event in events))
    assert kinds == [
        *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
        *("response.output_text.delta", "response.output_text.done", "response.content_part.done"),
        *("response.output_item.done", "response.completed"),
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (response.output_text, response.usage.total_tokens) == ("It is four.", 29)


@pytest.mark.parametrize("streamed", [False, True])
def test_two_calls_of_functions_are_two_items(server: ScriptedServer, streamed: bool) -> None:
    """With their call ids, which the outputs name."""
    tools = (Tool(call_id="c1", name="add", arguments={"a": 2}), Tool(call_id="c2", name="add", arguments={"a": 3}))

    async def work(client: openai.AsyncOpenAI, _: Turnout) -> Any:
        if not streamed:
            return await client.responses.create(model="auto", input="Add.", tools=TOOLS)
        async with client.responses.stream(model="auto", input="Add.", tools=TOOLS) as stream:
            return await stream.get_final_response()

    response = run(server, Answer(text="", tools=tools, tokens=TOKENS), work)
    calls = [(item.call_id, item.name, item.arguments.replace(" ", "")) for item in response.output]
    assert calls == [("c1", "add", '{"a":2}'), ("c2", "add", '{"a":3}')]


def test_a_schema_is_kept(server: ScriptedServer) -> None:
    """`responses.parse` gives the object."""

    class Total(BaseModel):
        total: int

    async def work(client: openai.AsyncOpenAI, _: Turnout) -> Any:
        return await client.responses.parse(model="auto", input="Add.", text_format=Total)

    response = run(server, Answer(text='{"total": 4}', tokens=TOKENS), work)
    assert response.output_parsed.total == 4


def test_an_answer_that_was_cut_is_incomplete(server: ScriptedServer) -> None:
    """With the reason."""

    async def work(client: openai.AsyncOpenAI, _: Turnout) -> Any:
        return await client.responses.create(model="auto", input="Tell.", max_output_tokens=9)

    response = run(server, Answer(text="It is", finish="length", tokens=TOKENS), work)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_a_kept_response_is_continued_by_its_user_alone(server: ScriptedServer) -> None:
    """Continued, got and deleted; not where `store` is false, nor by another user, nor after a purge."""

    async def work(client: openai.AsyncOpenAI, turnout: Turnout) -> Any:
        first = await client.responses.create(model="auto", input="What is 2 + 2?")
        await client.responses.create(model="auto", input="And 3 + 3?", previous_response_id=first.id)
        sent = server.received[-1].body["messages"]
        assert (await client.responses.retrieve(first.id)).output_text == "It is four."
        bob = client.with_options(default_headers={"x-user-id": "bob"})
        unkept = await client.responses.create(model="auto", input="Hush.", store=False)
        for asking, response_id in ((bob, first.id), (client, unkept.id)):
            with pytest.raises(openai.NotFoundError):
                await asking.responses.retrieve(response_id)
        await client.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.create(model="auto", input="And?", previous_response_id=first.id)
        again = await client.responses.create(model="auto", input="Anew.")
        await turnout.purge(user="ann")
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(again.id)
        return sent

    sent = run(server, FOUR, work)
    assert [(message["role"], message["content"]) for message in sent] == [
        ("user", "What is 2 + 2?"),
        ("assistant", "It is four."),
        ("user", "And 3 + 3?"),
    ]


def test_a_kept_response_ends_after_its_lifetime(server: ScriptedServer) -> None:
    """`[responses] ttl_s`."""
    clock = ManualClock()

    async def work(client: openai.AsyncOpenAI, _: Turnout) -> None:
        response = await client.responses.create(model="auto", input="What is 2 + 2?")
        await clock.advance(59)
        await client.responses.retrieve(response.id)
        await clock.advance(2)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)

    run(server, FOUR, work, clock, responses={"ttl_s": 60})


def test_a_response_s_items_are_not_served_and_the_error_says_so(server: ScriptedServer) -> None:
    """It names what is not there, not an id that nobody sent."""

    async def work(client: openai.AsyncOpenAI, _: Turnout) -> Any:
        response = await client.responses.create(model="auto", input="What is 2 + 2?")
        with pytest.raises(openai.NotFoundError, match="input_items"):
            await client.responses.input_items.list(response.id)

    run(server, FOUR, work)


def test_the_probabilities_of_tokens_are_asked_for_and_told() -> None:
    """Whole and streamed; a model that tells none is asked without."""
    asked = {"model": "auto", "input": "hello", "include": ["message.output_text.logprobs"], "top_logprobs": 2}
    chat = to_chat(asked)
    assert (chat["logprobs"], chat["top_logprobs"]) == (True, 2)
    assert chat["turnout"] == {"optional": ["logprobs", "top_logprobs"]}
    tokens = [{"token": "Four", "logprob": -0.1, "bytes": None, "top_logprobs": []}]
    choice = {"message": {"content": "Four"}, "delta": {"content": "Four"}, "logprobs": {"content": tokens}}
    whole = to_response({"choices": [choice]}, asked, "resp_1")
    events = ResponseEvents(asked, "resp_1")
    lines = [line for line in events.feed({"choices": [choice]}).splitlines() if line.startswith(b"data: ")]
    events.end()
    assert whole["output"][0]["content"][0]["logprobs"] == tokens
    assert events.response["output"][0]["content"][0]["logprobs"] == tokens
    bodies = [json.loads(line[6:]) for line in lines]
    assert [body["part"]["logprobs"] for body in bodies if "part" in body] == [[]]
    assert [body["logprobs"] for body in bodies if "delta" in body] == [tokens]


def test_what_was_cut_short_is_incomplete_itself() -> None:
    """The last item, and the summary that was asked for is told."""
    asked = {"model": "auto", "input": "hello", "reasoning": {"effort": "low", "summary": "auto"}}
    choice = {"message": {"content": "Fo", "reasoning_content": "hm"}, "finish_reason": "length"}
    response = to_response({"choices": [choice]}, asked, "resp_1")
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]
    assert response["reasoning"] == {"effort": "low", "summary": "auto"}


def test_a_sick_provider_is_openais_error(server: ScriptedServer) -> None:
    """The status and the code of the chat path."""

    async def work(client: openai.AsyncOpenAI, _: Turnout) -> Any:
        with pytest.raises(openai.InternalServerError) as excinfo:
            await client.responses.create(model="auto", input="What is 2 + 2?")
        return excinfo.value

    error = run(server, Failure(kind="server_error"), work)
    assert (error.status_code, error.code) == (503, "upstream_unavailable")


def test_a_turn_with_calls_is_one_message() -> None:
    """What the model said and called, then what the tools gave."""
    messages = input_messages(
        [
            {"role": "user", "content": [{"type": "input_text", "text": "Add."}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]},
            {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "add", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "4"},
        ]
    )
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert [call["id"] for call in messages[1]["tool_calls"]] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input.0.role"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input.0"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"conversation": "c"}, "conversation"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice.type"),
    ],
)
def test_what_cannot_be_translated_is_named(change: dict[str, Any], param: str) -> None:
    """Never dropped: the answer would be another."""
    with pytest.raises(InvalidRequest) as excinfo:
        to_chat({"model": "auto", "input": "hello", **change})
    assert excinfo.value.param == param
