"""Anthropic's protocol, with its own SDK before the door and OpenAI's protocol behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import httpx2
import pytest

from tests.support.apps import scripted_settings
from tests.support.scripted_provider import Answer, Failure, Reply, ScriptedServer, Tokens, Tool
from tests.support.wire_fuzz.doors import nothing
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.errors import InvalidRequest
from turnout.testing import FixedScorer
from turnout.wires.chunks import JsonText
from turnout.wires.messages_answer import MessageEvents, to_message, to_usage
from turnout.wires.messages_request import to_chat

ASK: Any = {"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
TOOLS: Any = [
    {
        "name": "add",
        "description": "Adds.",
        "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
    }
]
TOKENS = Tokens(prompt=20, completion=9)

Work = Callable[[anthropic.AsyncAnthropic], Awaitable[Any]]


def run(server: ScriptedServer, reply: Reply, work: Work, **sections: Any) -> Any:
    """What the work gives, this reply behind the door."""
    config = scripted_settings(server.origin, **sections)
    server.script = lambda _: reply

    async def scenario() -> Any:
        turnout = Turnout(config, scorer=FixedScorer(0.1))
        door: Any = TurnoutMiddleware(nothing, turnout=turnout)
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=door))
        async with (
            turnout,
            anthropic.AsyncAnthropic(api_key="-", base_url="http://app", http_client=http, max_retries=0) as client,
        ):
            return await work(client)

    return asyncio.run(scenario())


def test_a_message_comes_back_with_the_decisions_headers(server: ScriptedServer) -> None:
    """The text, the end, the count, and who answered."""

    async def work(client: anthropic.AsyncAnthropic) -> Any:
        raw = await client.messages.with_raw_response.create(**ASK, system="Be brief.", stop_sequences=["x"])
        return raw.headers, await raw.parse()

    headers, message = run(server, Answer(text="It is four.", tokens=TOKENS), work)
    assert [block.text for block in message.content] == ["It is four."]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 20, 9)
    assert headers["x-turnout-tier"] == "cheap"
    assert headers["cache-status"] == "turnout; fwd=miss; detail=anonymous" or "turnout" in headers["cache-status"]


def test_a_stream_assembles_to_the_same_message(server: ScriptedServer) -> None:
    """Read by the SDK's own accumulator."""

    async def work(client: anthropic.AsyncAnthropic) -> Any:
        async with client.messages.stream(**ASK) as stream:
            texts = [text async for text in stream.text_stream]
            return texts, await stream.get_final_message()

    texts, message = run(server, Answer(text="It is four.", tokens=TOKENS), work)
    assert "".join(texts) == "It is four."
    assert message.content[0].text == "It is four."
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 20, 9)


@pytest.mark.parametrize("streamed", [False, True])
def test_two_calls_of_tools_are_two_blocks(server: ScriptedServer, streamed: bool) -> None:
    """Their input is parsed, and the end says that tools are called."""
    reply = Answer(
        text="",
        tools=(Tool(call_id="c1", name="add", arguments={"a": 2}), Tool(call_id="c2", name="add", arguments={"a": 3})),
        tokens=TOKENS,
    )

    async def work(client: anthropic.AsyncAnthropic) -> Any:
        if not streamed:
            return await client.messages.create(**ASK, tools=TOOLS)
        async with client.messages.stream(**ASK, tools=TOOLS) as stream:
            return await stream.get_final_message()

    message = run(server, reply, work)
    calls = [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert calls == [("c1", "add", {"a": 2}), ("c2", "add", {"a": 3})]
    assert message.stop_reason == "tool_use"


def test_errors_have_anthropics_shape(server: ScriptedServer) -> None:
    """The SDK raises its own classes; the message is ours."""

    async def work(client: anthropic.AsyncAnthropic) -> Any:
        with pytest.raises(anthropic.BadRequestError) as wrong:
            await client.messages.create(**ASK, extra_body={"temperature": "hot"})
        with pytest.raises(anthropic.NotFoundError) as unknown:
            await client.messages.create(**{**ASK, "model": "gpt-9"})
        with pytest.raises(anthropic.InternalServerError) as away:
            await client.messages.create(**ASK)
        return [error.value.body for error in (wrong, unknown, away)]

    wrong, unknown, away = run(server, Failure(kind="server_error"), work)
    assert (wrong["type"], wrong["error"]["type"], wrong["error"]["param"]) == (
        "error",
        "invalid_request_error",
        "temperature",
    )
    assert unknown["error"]["type"] == "not_found_error"
    assert away["error"]["type"] == "overloaded_error"


def test_tokens_are_counted_without_a_call(server: ScriptedServer) -> None:
    """An estimate, which grows with the text."""

    async def work(client: anthropic.AsyncAnthropic) -> Any:
        short = await client.messages.count_tokens(model="auto", messages=ASK["messages"])
        long = await client.messages.count_tokens(model="auto", messages=[{"role": "user", "content": "word " * 800}])
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
        seen = await client.messages.count_tokens(model="auto", messages=[{"role": "user", "content": [image]}])
        return short.input_tokens, long.input_tokens, seen.input_tokens

    short, long, seen = run(server, Failure(kind="server_error"), work)
    assert seen == 1600
    assert 1 <= short <= 20
    assert 800 <= long <= 1200


def test_an_api_key_is_a_bearers_identity(server: ScriptedServer) -> None:
    """Anthropic's clients send x-api-key: another key's calls have a limit of their own."""

    async def work(client: anthropic.AsyncAnthropic) -> Any:
        await client.messages.create(**ASK)
        with pytest.raises(anthropic.RateLimitError):
            await client.messages.create(**ASK)
        return await client.with_options(api_key="another").messages.create(**ASK)

    sections = {"identity": {"bearer": True}, "limits": {"per_user": "1/minute"}}
    message = run(server, Answer(text="It is four.", tokens=TOKENS), work, **sections)
    assert message.content[0].text == "It is four."


def test_a_conversation_with_tools_is_translated_whole() -> None:
    """Results of tools become messages of their own, before what the user says beside them."""
    chat = to_chat(
        {
            **ASK,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Add."}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "s"},
                        {"type": "text", "text": "Yes."},
                        {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 2}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "There."},
                        {"type": "tool_result", "tool_use_id": "t1", "content": "4", "is_error": True},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                    ],
                },
            ],
            "tools": TOOLS,
            "tool_choice": {"type": "tool", "name": "add", "disable_parallel_tool_use": True},
            "thinking": {"type": "enabled", "budget_tokens": 6000},
            "metadata": {"user_id": "u"},
        }
    )
    system, user, assistant, result, rest = chat["messages"]
    assert system["content"] == [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert user == {"role": "user", "content": "Add."}
    assert assistant["thinking_blocks"] == [{"type": "thinking", "thinking": "hm", "signature": "s"}]
    assert assistant["tool_calls"] == [
        {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a":2}'}}
    ]
    assert result == {"role": "tool", "tool_call_id": "t1", "content": "Error: 4"}
    assert [part["type"] for part in rest["content"]] == ["text", "image_url"]
    assert chat["tools"][0]["function"]["parameters"] == TOOLS[0]["input_schema"]
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert (chat["parallel_tool_calls"], chat["reasoning_effort"], chat["user"]) == (False, "medium", "u")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0.type"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"container": "c"}, "container"),
        ({"speed": "fast"}, "speed"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, "context_management.edits.0"),
    ],
)
def test_what_cannot_be_translated_is_named(change: dict[str, Any], param: str) -> None:
    """Never dropped: the answer would be another."""
    with pytest.raises(InvalidRequest) as excinfo:
        to_chat({**ASK, **change})
    assert excinfo.value.param == param


def test_what_coding_agents_send_beside_the_messages_is_taken() -> None:
    """An effort, a schema, and what asks for nothing."""
    chat = to_chat(
        {
            **ASK,
            "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "cache_control": {"type": "ephemeral"},
            "thinking": {"type": "adaptive"},
            "mcp_servers": [],
            "container": None,
            "tools": [],
        }
    )
    assert chat["reasoning_effort"] == "high"
    assert chat["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert not chat.keys() & {"tools", "mcp_servers", "context_management", "cache_control", "output_config"}
    # As Anthropic does it: of the last block.
    assert chat["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}


def test_what_says_more_of_a_block_or_a_tool_is_kept() -> None:
    """A document's title and context as words, a tool's strictness, a tier of service by OpenAI's word."""
    source = {"type": "text", "media_type": "text/plain", "data": "Four."}
    document = {"type": "document", "source": source, "title": "Sums", "context": "of 2026"}
    chat = to_chat(
        {
            **ASK,
            "messages": [{"role": "user", "content": [document]}],
            "tools": [{**TOOLS[0], "strict": True}],
            "service_tier": "standard_only",
        }
    )
    assert [part["text"] for part in chat["messages"][0]["content"]] == ["Sums", "of 2026", "Four."]
    assert chat["tools"][0]["function"]["strict"] is True
    assert chat["service_tier"] == "default"


@pytest.mark.parametrize(
    ("reached", "reason"), [("END", ("stop_sequence", "END")), (None, ("end_turn", None)), ("eos", ("end_turn", None))]
)
def test_the_sequence_that_ended_an_answer_is_told_where_the_server_says_it(
    reached: str | None, reason: tuple[str, str | None]
) -> None:
    """As servers of open models do, beside the finish; whole and streamed."""
    choice = {"message": {"content": "x"}, "delta": {"content": "x"}, "finish_reason": "stop", "stop_reason": reached}
    message = to_message({"choices": [choice]}, ["END"])
    assert (message["stop_reason"], message["stop_sequence"]) == reason
    events = MessageEvents(["END"])
    events.feed({"choices": [choice]})
    bodies = [json.loads(line[6:]) for line in events.end().splitlines() if line.startswith(b"data: ")]
    (delta,) = (body["delta"] for body in bodies if body["type"] == "message_delta")
    assert (delta["stop_reason"], delta["stop_sequence"]) == reason


def test_tokens_of_the_prompt_cache_are_counted_apart() -> None:
    """Anthropic's input is without them."""
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}}
    assert to_usage(usage) == {
        "input_tokens": 40,
        "output_tokens": 5,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 0,
    }


def test_a_refusal_and_thinking_have_their_blocks() -> None:
    """Whole answers."""
    message = to_message(
        {
            "choices": [{"message": {"reasoning_content": "hm", "refusal": "No."}, "finish_reason": "stop"}],
            "usage": None,
        }
    )
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert message["stop_reason"] == "refusal"


def events_of(*deltas: dict[str, Any]) -> list[dict[str, Any]]:
    events = MessageEvents()
    data = b"".join(events.feed({"id": "chatcmpl-1", "choices": [{"delta": delta}]}) for delta in deltas) + events.end()
    return [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]


def test_each_block_ends_before_the_next_begins() -> None:
    """Thinking, its signature, text, a call."""
    events = events_of(
        {"thinking_blocks": [{"type": "thinking", "thinking": "hm"}]},
        {"thinking_blocks": [{"type": "thinking", "signature": "s"}]},
        {"content": "Yes."},
        {"tool_calls": [{"index": 0, "id": "t", "function": {"name": "add", "arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":2}"}}]},
    )
    kinds = [(event["type"].removeprefix("content_block_"), event.get("index")) for event in events]
    assert kinds == [
        ("message_start", None),
        *[("start", 0), ("delta", 0), ("delta", 0), ("stop", 0)],
        *[("start", 1), ("delta", 1), ("stop", 1)],
        *[("start", 2), ("delta", 2), ("delta", 2), ("stop", 2)],
        ("message_delta", None),
        ("message_stop", None),
    ]


def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    """A piece of a call: its first has a name."""
    fields = {"id": f"call_{index}"} if "name" in more else {}
    return {"tool_calls": [{"index": index, **fields, "function": {"arguments": arguments, **more}}]}


MIXED: dict[str, tuple[dict[str, Any], ...]] = {
    "calls": (call(0, "", name="f"), call(1, '{"b"', name="g"), call(0, '{"a":1}'), call(1, ":2}"), call(0, " ")),
    "words": (
        call(0, '{"a"', name="f"), {"content": "A"}, {"reasoning_content": "hm"}, {"content": "B"}, call(0, ":1}"),
        call(1, '{"b":2}', name="g"),
    ),
    "never whole": (call(0, '{"a"', name="f"), call(1, '{"b":2}', name="g"), {"content": "AB"}),
    "no arguments": (call(0, "", name="f"), call(1, "", name="g")),
    "a late name": (call(0, '{"a"'), call(0, ":1}", name="f"), call(1, '{"b":2}', name="g")),
}  # fmt: skip


@pytest.mark.parametrize("case", MIXED)
def test_mixed_pieces_are_told_block_by_block(case: str) -> None:
    """What belongs to another block waits until the open call's arguments are whole, or the answer's end is here; each
    block is opened once and ended before the next."""
    events = events_of(*MIXED[case])
    blocks: list[tuple[str, str]] = []
    ended = True
    for event in events:
        if event["type"] == "content_block_start":
            assert ended
            ended, block = False, event["content_block"]
            blocks.append((block.get("name") or block["type"], ""))
        elif event["type"] == "content_block_delta":
            assert event["index"] == len(blocks) - 1
            text = next(event["delta"][name] for name in ("partial_json", "text", "thinking") if name in event["delta"])
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + text)
        elif event["type"] == "content_block_stop":
            ended = True
    f, g = ("f", '{"a":1}'), ("g", '{"b":2}')
    assert (
        blocks
        == {
            "calls": [f, g],
            "words": [f, ("text", "AB"), ("thinking", "hm"), g],
            "never whole": [("f", '{"a"'), g, ("text", "AB")],
            "no arguments": [("f", ""), ("g", "")],
            "a late name": [f, g],
        }[case]
    )


def test_what_waits_for_a_long_call_costs_linear_time() -> None:
    """Its arguments are parsed where they can be whole, not with each piece."""
    events, began = MessageEvents(), time.process_time()
    chunks = [call(0, '{"a":"', name="f"), {"content": "A"}, *[call(0, "x" * 50)] * 8000, call(0, '"}')]
    told = b"".join([events.feed({"choices": [{"index": 0, "delta": delta}]}) for delta in chunks])
    assert time.process_time() - began < 1.5
    assert told.index(b'"partial_json":"\\"}"') < told.index(b'"text":"A"')


@pytest.mark.parametrize(
    "text", ['{"a":"\\\\\\"}{","b":[1,{}]}', "[]", '"x"', '{"a":1}}', "nothing", '{"a":"\\', '{"\\u007b":"["}\n ']
)
def test_whether_arguments_are_whole_is_found_piece_by_piece(text: str) -> None:
    """However they are cut."""
    for size in (1, 2, 3, len(text)):
        arguments, so_far = JsonText(), ""
        for at in range(0, len(text), size):
            arguments.add(text[at : at + size])
            so_far += text[at : at + size]
            assert arguments.is_whole == (so_far.strip()[-1:] in ("}", "]", '"') and is_json(so_far)), so_far


def is_json(text: str) -> bool:
    with contextlib.suppress(ValueError):
        json.loads(text)
        return True
    return False


def test_each_thought_is_a_block_of_its_own() -> None:
    """With its own signature, as the next turn gives them back."""
    thoughts = [{"type": "thinking", "thinking": text, "signature": f"s{text}"} for text in "ab"]
    events = events_of({"thinking_blocks": [*thoughts, {"type": "redacted_thinking", "data": "x"}]}, {"content": "so"})
    starts = [each["content_block"]["type"] for each in events if each["type"] == "content_block_start"]
    assert starts == ["thinking", "thinking", "redacted_thinking", "text"]


def test_arguments_that_are_no_json_arrive_all_the_same() -> None:
    """Those of a call that was cut short, for one: the answer is there, and says so."""
    calls = [{"id": "t", "type": "function", "function": {"name": "add", "arguments": '{"a'}}]
    choice = {"message": {"content": None, "tool_calls": calls}, "finish_reason": "length"}
    message = to_message({"choices": [choice]})
    assert message["content"] == [{"type": "tool_use", "id": "t", "name": "add", "input": {"INVALID_JSON": '{"a'}}]
    assert message["stop_reason"] == "max_tokens"


def test_parts_in_place_of_a_text_are_read() -> None:
    """As some providers send them."""
    events = events_of({"content": [{"type": "text", "text": "Yes."}]})
    assert events[2]["delta"] == {"type": "text_delta", "text": "Yes."}
