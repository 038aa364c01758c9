"""A model that is asked over its provider's own Responses endpoint: what goes there and comes back, as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest

import openai
from tests.support.apps import scripted_settings
from tests.support.scripted_provider import Answer, Raw, Received, Reply, ScriptedServer
from tests.support.wire_fuzz.doors import nothing
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.errors import InvalidRequest, SettingsError
from turnout.openai.response_items import turn_of
from turnout.quota.bounded import check_message
from turnout.settings import Settings
from turnout.testing import FixedScorer
from turnout.upstream.responses_models import ResponsesModels
from turnout.upstream.transports import DirectFirstProvider
from turnout.wires.responses_request import beside_chat, input_messages

REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VjcmV0"}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "It is four.", "annotations": [], "logprobs": []}],
}
OUTPUT = [REASONING, SEARCH, SAID]
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 130,
}
ASK: dict[str, Any] = {"model": "auto", "input": "What is 2 + 2?"}
WITH_SEARCH = {**ASK, "tools": [{"type": "web_search"}]}

Work = Callable[[openai.AsyncOpenAI], Awaitable[Any]]


def whole(output: list[dict[str, Any]] = OUTPUT, **fields: Any) -> dict[str, Any]:
    """The Response of a provider."""
    frame = {"id": "resp_theirs", "object": "response", "created_at": 1, "model": "gpt-4o-mini-2024", "error": None}
    return {**frame, "status": "completed", "output": output, "usage": USAGE, **fields}


def told(body: Mapping[str, Any], status: int = 200) -> Raw:
    return Raw(pieces=(json.dumps(body).encode(),), status=status, headers={"content-type": "application/json"})


def events_of(output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of a provider's stream."""
    events: list[dict[str, Any]] = [{"type": "response.created", "response": whole([], status="in_progress")}]
    for at, item in enumerate(output):
        events.append({"type": "response.output_item.added", "output_index": at, "item": {**item, "status": "begun"}})
        if item["type"] == "web_search_call":
            events.append({"type": "response.web_search_call.searching", "output_index": at, "item_id": "ws_1"})
        if item["type"] == "message":
            place = {"output_index": at, "item_id": "msg_1", "content_index": 0, "logprobs": []}
            events += [{"type": "response.output_text.delta", **place, "delta": text} for text in ("It is", " four.")]
        events.append({"type": "response.output_item.done", "output_index": at, "item": item})
    return [*events, {"type": "response.completed", "response": whole(output)}]


def streamed(events: list[dict[str, Any]]) -> Raw:
    pieces = tuple(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
    return Raw(pieces=pieces, headers={"content-type": "text/event-stream"})


def plays(received: Received) -> Reply:
    """A provider of both protocols."""
    if not received.path.endswith("/responses"):
        return Answer(text="chat says four")
    return streamed(events_of(OUTPUT)) if received.body.get("stream") else told(whole())


def run(server: ScriptedServer, work: Work, reply: Callable[[Received], Reply] = plays, **sections: Any) -> Any:
    """What the work gives; `server.received` holds what the provider was asked. Only the cheap model is asked so."""
    config = scripted_settings(server.origin, identity={"user_header": "x-user-id"}, **sections)
    price = {"input_usd_per_million": 1, "output_usd_per_million": 10, "cached_input_usd_per_million": 0.5}
    for model in config["models"].values():
        model |= price
    config["models"]["openai/gpt-4o-mini"]["responses"] = True
    server.script = reply
    server.received.clear()

    async def scenario() -> Any:
        turnout = Turnout(config, scorer=FixedScorer(0.1))
        door: Any = TurnoutMiddleware(nothing, turnout=turnout)
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=door))
        headers = {"x-user-id": "ann"}
        async with (
            turnout,
            openai.AsyncOpenAI(
                api_key="-", base_url="http://app/v1", http_client=http, max_retries=0, default_headers=headers
            ) as client,
        ):
            return await work(client)

    return asyncio.run(scenario())


async def created(client: openai.AsyncOpenAI, **body: Any) -> Any:
    """The raw reply to `POST /v1/responses`."""
    return await client.post("/responses", body=body, cast_to=httpx.Response)


def test_items_and_tools_go_and_come_as_they_are(server: ScriptedServer) -> None:
    """The provider's own tools, reasoning and ids; nothing is stored there, and encrypted reasoning comes as asked."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        body = {**WITH_SEARCH, "include": ["reasoning.encrypted_content"], "instructions": "Be brief."}
        return (await created(client, **body)).json()

    answer = run(server, work)
    asked = server.received[0]
    assert asked.path == "/v1/responses"
    assert asked.body["tools"] == [{"type": "web_search"}]
    assert (asked.body["store"], asked.body["instructions"]) == (False, "Be brief.")
    assert asked.body["input"] == [{"role": "user", "content": "What is 2 + 2?"}]
    assert answer["output"] == OUTPUT
    assert (answer["status"], answer["model"]) == ("completed", "gpt-4o-mini-2024")
    assert answer["id"] != "resp_theirs"


def test_it_is_billed_by_the_providers_count(server: ScriptedServer) -> None:
    """What it read from its cache is cheaper."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        return await created(client, **WITH_SEARCH)

    reply = run(server, work)
    assert reply.json()["usage"]["output_tokens_details"] == {"reasoning_tokens": 20}
    assert reply.json()["usage"]["input_tokens_details"]["cached_tokens"] == 40
    plain = (60 * 1 + 40 * 0.5 + 30 * 10) / 1e6
    assert float(reply.headers["x-turnout-cost-usd"]) == pytest.approx(plain)


def test_a_stream_tells_the_providers_own_events(server: ScriptedServer) -> None:
    """Those of its tools included, numbered anew; a hit tells the same items, and the SDK reads both."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        found = []
        for _ in range(2):
            async with client.responses.stream(**WITH_SEARCH) as stream:
                kinds = [event.type async for event in stream]
                found.append((kinds, (await stream.get_final_response()).output_text))
        raw = await created(client, **WITH_SEARCH, stream=True)
        return found, [json.loads(line[6:]) for line in raw.text.splitlines() if line.startswith("data: ")]

    (first, second), raw = run(server, work)
    assert "response.web_search_call.searching" in first[0]
    assert first[0].count("response.output_text.delta") == 2
    assert (first[1], second[1]) == ("It is four.", "It is four.")
    assert len(server.received) == 1
    assert raw[-1]["response"]["output"] == OUTPUT
    assert [event["sequence_number"] for event in raw] == list(range(len(raw)))


@pytest.mark.parametrize("kept", [True, False])
def test_reasoning_is_given_back_as_it_came(server: ScriptedServer, kept: bool) -> None:
    """By `previous_response_id`, and by a caller who keeps the items himself."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        first = (await created(client, **WITH_SEARCH)).json()
        more = {"role": "user", "content": "And 3 + 3?"}
        if kept:
            await created(client, model="auto", input=[more], previous_response_id=first["id"])
        else:
            asked = {"role": "user", "content": ASK["input"]}
            await created(client, model="auto", input=[asked, *first["output"], more])

    run(server, work)
    assert server.received[1].body["input"] == [
        {"role": "user", "content": "What is 2 + 2?"},
        *OUTPUT,
        {"role": "user", "content": "And 3 + 3?"},
    ]


def test_reasoning_that_cannot_be_read_is_left_out(server: ScriptedServer) -> None:
    """Of another provider, or another account: asked once more without it, and without the ids that belong to it."""

    def refuses(received: Received) -> Reply:
        if any(item.get("type") == "reasoning" for item in received.body["input"]):
            error = {"message": "it could not be verified", "code": "invalid_encrypted_content", "param": None}
            return told({"error": {**error, "type": "invalid_request_error"}}, 400)
        return plays(received)

    async def work(client: openai.AsyncOpenAI) -> Any:
        first = (await created(client, **ASK)).json()
        return (await created(client, model="auto", input="More.", previous_response_id=first["id"])).status_code

    assert run(server, work, refuses) == 200
    assert "id" not in server.received[2].body["input"][2]


def test_callers_of_chat_completions_are_answered_over_them(server: ScriptedServer) -> None:
    """As before; and where the answer is in the cache already, without what only the other protocol has a place for."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        one: Any = [{"role": "user", "content": "other"}]
        plain = await client.chat.completions.create(model="auto", messages=one)
        await created(client, **ASK)
        same: Any = [{"role": "user", "content": ASK["input"]}]
        hit = await client.chat.completions.with_raw_response.create(model="auto", messages=same)
        chunks = [
            chunk.model_dump()
            async for chunk in await client.chat.completions.create(model="auto", messages=same, stream=True)
        ]
        return plain.choices[0].message.content, hit, chunks

    text, hit, chunks = run(server, work)
    assert text == "chat says four"
    assert [received.path for received in server.received] == ["/v1/chat/completions", "/v1/responses"]
    assert hit.parse().choices[0].message.content == "It is four."
    assert "hit" in hit.headers["cache-status"]
    assert "response_items" not in hit.text + str(chunks)


def test_what_no_model_can_be_asked_is_refused(server: ScriptedServer) -> None:
    """Where a model without such an endpoint is named; a routed request goes to one that has it."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        with pytest.raises(openai.BadRequestError) as excinfo:
            await created(client, **{**WITH_SEARCH, "model": "expensive"})
        routed = await created(client, **{**WITH_SEARCH, "turnout": {}})
        return excinfo.value, routed.status_code

    error, status = run(server, work, routing={"threshold": 0.0})
    assert error.param == "tools"
    assert status == 200
    assert server.received[0].body["model"] == "gpt-4o-mini"


def test_under_a_budget_what_has_no_bound_is_refused(server: ScriptedServer) -> None:
    """Tools that the provider runs read and cost without end; reasoning that is given back is bounded by its bytes."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        with pytest.raises(openai.BadRequestError) as excinfo:
            await created(client, **WITH_SEARCH)
        given = [{"role": "user", "content": "one"}, REASONING, SAID, {"role": "user", "content": "two"}]
        good = await created(client, model="auto", input=given)
        return excinfo.value.param, good.status_code

    assert run(server, work, budgets={"total": "1/day"}) == ("tools[0]", 200)
    assert server.received[0].body["max_output_tokens"] == 1024


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (told(whole(status="failed", error={"code": "server_error", "message": "sick"})), 503),
        (told(whole(status="failed", error={"code": "invalid_prompt", "message": "no"})), 400),
        (told({"nonsense": 1}), 503),
        (streamed(events_of(OUTPUT)[:1]), 503),
        (streamed([{"type": "error", "code": "server_error", "message": "sick"}]), 503),
    ],
)
def test_a_failed_response_is_an_error(server: ScriptedServer, reply: Reply, status: int) -> None:
    """Whole or streamed, whatever status it came under."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        with pytest.raises(openai.APIStatusError) as excinfo:
            await created(
                client, **ASK, stream=isinstance(reply, Raw) and len(reply.pieces) == 1 and b"event:" in reply.pieces[0]
            )
        return excinfo.value.status_code

    assert run(server, work, lambda _: reply) == status


def test_a_stream_that_is_cut_is_no_answer(server: ScriptedServer) -> None:
    """It ends with a failed response, and nothing of it is stored."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        return [(await created(client, **ASK, stream=True)).text for _ in range(2)]

    for text in run(server, work, lambda _: streamed(events_of(OUTPUT)[:-1])):
        assert "response.failed" in text
        assert "response.completed" not in text
    assert len(server.received) == 2


def models(environ: Mapping[str, str] = {}, **sections: Any) -> list[str]:
    names = ["openai/gpt-4o", "openai/gpt-4o-audio-preview", "azure/gpt-5", "anthropic/claude-sonnet-4-5"]
    tiers = {"cheap": {"models": names[:1]}, "expensive": {"models": names[1:]}}
    found = ResponsesModels(Settings.from_mapping({"tiers": tiers, **sections}), environ)
    return [name for name in names if name in found]


def test_who_is_asked_so_by_default() -> None:
    """OpenAI's and Azure's own models, and no server of somebody else's."""
    both = ["openai/gpt-4o", "azure/gpt-5"]
    assert models() == both
    assert models({"OPENAI_BASE_URL": "http://mine"}) == both[1:]
    assert models(models={"openai/gpt-4o": {"params": {"api_base": "http://mine"}}}) == both[1:]
    assert models(models={"openai/gpt-4o": {"responses": False}}) == both[1:]
    assert models(models={"openai/gpt-4o": {"params": {"seed": 1}}}) == both[1:]
    assert models(upstream={"transport": "litellm"}) == []


@pytest.mark.parametrize("sections", [{"upstream": {"transport": "litellm"}}, {"params": {"seed": 1}}])
def test_what_such_an_endpoint_cannot_do_is_refused_at_start(sections: dict[str, Any]) -> None:
    """With the setting's name."""
    params = sections.pop("params", {})
    with pytest.raises(SettingsError, match=r"responses|seed"):
        models(models={"openai/gpt-4o": {"responses": True, "params": params}}, **sections)


def test_a_model_that_cannot_be_placed_keeps_no_app_from_starting() -> None:
    """An Azure deployment without an address has the endpoint by default: it is asked over chat completions then."""
    tiers = {"cheap": {"models": ["openai/gpt-4o-mini"]}, "expensive": {"models": ["openai/gpt-4o", "azure/gpt-5"]}}
    asyncio.run(DirectFirstProvider(Settings.from_mapping({"tiers": tiers}), {"OPENAI_API_KEY": "-"}).load())


@pytest.mark.parametrize("items", [5, [1], [{"type": 7}], [{"type": ["x"]}]])
def test_items_that_are_none_are_the_callers_fault_under_a_budget(items: Any) -> None:
    """The field is no caller's of chat completions, and what it holds is not trusted."""
    with pytest.raises(InvalidRequest):
        check_message({"role": "user", "content": "hi", "response_items": items}, "messages.0")


def test_odd_parts_and_includes_are_the_callers_fault() -> None:
    """A part's type that is no text, an include that is no list of texts; a text that is none is left out of a turn."""
    with pytest.raises(InvalidRequest):
        input_messages([{"role": "user", "content": [{"type": ["x"]}]}], own_endpoint=True)
    for include in (5, [5]):
        with pytest.raises(InvalidRequest):
            beside_chat({"include": include})
    said = {"type": "message", "content": [{"type": "output_text", "text": 5}, {"type": "output_text", "text": "so"}]}
    assert turn_of([said])[0]["content"] == "so"
