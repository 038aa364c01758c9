"""Whatever a provider's answer holds, each protocol tells it or fails over: never a 500, and no answer is free."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.scripted_provider import Raw, ScriptedServer
from tests.wire.test_matrix import ask

PATHS = {
    "chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 50},
    "responses": {"input": "hi"},
    "completions": {"prompt": "hi"},
}
USAGE = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
CALL = {"id": "c", "index": 0, "type": "function", "function": {"name": "f", "arguments": "{}"}}
ODD: dict[str, dict[str, Any]] = {
    "arguments an object": {"tool_calls": [{**CALL, "function": {"name": "f", "arguments": {"a": 1}}}]},
    "arguments a list": {"tool_calls": [{**CALL, "function": {"name": "f", "arguments": [1]}}]},
    "arguments a number": {"tool_calls": [{**CALL, "function": {"name": 5, "arguments": 5}}]},
    "arguments nothing": {"tool_calls": [{**CALL, "function": None}]},
    "an index of text": {"tool_calls": [{**CALL, "index": {}, "id": 5}]},
    "calls a text": {"tool_calls": "x"},
    "thinking a text": {"content": "so", "thinking_blocks": "x"},
    "thinking of numbers": {"content": "so", "thinking_blocks": [1, {"type": "thinking", "thinking": 5}, None]},
    "items": {"content": "so", "response_items": [{"type": 5}]},
    "content an object": {"content": {"a": 1}},
    "content of parts": {"content": [{"type": "text", "text": "so"}, 5]},
}  # fmt: skip
ODD_USAGES: dict[str, Any] = {
    "details a list": {**USAGE, "prompt_tokens_details": [1], "completion_tokens_details": "x"},
    "details of texts": {**USAGE, "prompt_tokens_details": {"cached_tokens": "x", "cache_creation_tokens": []}},
    "counts of texts": {"prompt_tokens": "7", "completion_tokens": "4"},
    "counts of objects": {"prompt_tokens": {}, "completion_tokens": [], "total_tokens": "x"},
    "a list": [USAGE],
    "zeros": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
}


@pytest.fixture(scope="module")
def server() -> Any:
    with ScriptedServer() as running:
        yield running


def raw(stream: bool, message: dict[str, Any], usage: Any = USAGE, finish: Any = "stop") -> Raw:
    frame = {"id": "c1", "created": 1, "model": "m"}
    if not stream:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
        return Raw(pieces=(json.dumps({**frame, "choices": [choice], "usage": usage}).encode(),))
    choices = [
        {"index": 0, "delta": message, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": finish},
    ]
    events = [json.dumps({**frame, "choices": [choice]}) for choice in choices]
    events += [json.dumps({**frame, "choices": [], "usage": usage}), "[DONE]"]
    pieces = tuple(f"data: {event}\n\n".encode() for event in events)
    return Raw(pieces=pieces, headers={"content-type": "text/event-stream"})


async def _statuses(client: Any, model: str, server: ScriptedServer, replies: dict[str, tuple[Any, Any]]) -> Any:
    """What each path answers to each reply, whole and streamed."""
    told = {}
    for name, (message, usage) in replies.items():
        for path, body in PATHS.items():
            for stream in (False, True):
                server.script = lambda _, m=message, u=usage, s=stream: raw(s, m, u)
                fields = {"model": model, "stream": stream, "turnout": {"cache": False}, **body}
                response: httpx.Response = await client._client.post(f"{client.base_url}{path}", json=fields)
                told[name, path, stream] = (response.status_code, response.text)
    return told


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_no_answer_makes_a_500(server: ScriptedServer, transport: str) -> None:
    """At four paths, whole and streamed; a stream that cannot go on tells why in its protocol's event."""
    replies = {name: (message, USAGE) for name, message in ODD.items()}
    usages = {name: ({"content": "so"}, usage) for name, usage in ODD_USAGES.items()}

    async def work(client: Any, model: str) -> Any:
        # First those that no circuit opens at.
        return await _statuses(client, model, server, {**usages, **replies})

    for case, (status, text) in ask(server, "openai", transport, raw(False, {}), work).items():
        assert status in (200, 503), (case, text)
        assert "internal_error" not in text, (case, text)
        if case[0] in ODD_USAGES and transport == "direct":
            assert status == 200, (case, text)
            assert "so" in text


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("stream", [False, True])
def test_sources_and_unknown_fields_arrive(server: ScriptedServer, transport: str, stream: bool) -> None:
    """Beside the choices, in a message, and as what a Response's text names as its sources."""
    source = {"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}
    reply = raw(stream, {"content": "so", "annotations": [source], "mood": "good"})
    pieces = tuple(piece.replace(b'"model"', b'"citations": ["u"], "model"') for piece in reply.pieces)

    async def work(client: Any, model: str) -> Any:
        texts = []
        for path in ("chat/completions", "responses"):
            fields = {"model": model, "stream": stream, **PATHS[path]}
            texts.append((await client._client.post(f"{client.base_url}{path}", json=fields)).text)
        return texts

    chat, response = ask(server, "openai", transport, Raw(pieces=pieces, headers=reply.headers), work)
    for part in ('"citations":["u"]', '"mood":"good"', '"url_citation":{', '"title":"t"'):
        assert part in chat
    assert '"annotations":[{"type":"url_citation",' in response
    assert '"title":"t"' in response


@pytest.mark.parametrize("told", ["zeros", "late zeros"])
def test_an_answer_of_no_tokens_costs_what_it_can_have_cost(server: ScriptedServer, told: str) -> None:
    """Its bill is the worst case where the provider tells nothing; what was told before zeros is not taken back."""
    zeros = ODD_USAGES["zeros"]
    one = raw(True, {"content": "so"}, USAGE if told == "late zeros" else zeros)
    late = f"data: {json.dumps({'id': 'c1', 'model': 'm', 'choices': [], 'usage': zeros})}\n\n".encode()

    async def work(client: Any, model: str) -> Any:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        body["stream_options"] = {"include_usage": True}
        response = await client._client.post(f"{client.base_url}chat/completions", json=body)
        return json.loads(response.text.split("\n\n")[-3].removeprefix("data: "))["usage"]

    reply = Raw(pieces=(*one.pieces[:-1], late, one.pieces[-1]), headers=one.headers)
    usage = ask(server, "openai", "direct", reply, work)
    if told == "late zeros":
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (7, 4)
    else:
        assert usage["prompt_tokens"] > 0 < usage["completion_tokens"]


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("provider", ["openai", "openrouter"])
def test_a_whole_answer_as_one_event_is_told(server: ScriptedServer, transport: str, provider: str) -> None:
    """Its choices hold a message in the delta's place: words and calls arrive, and the replay holds the same."""
    message = {
        "role": "assistant",
        "content": "so",
        "tool_calls": [{name: CALL[name] for name in CALL if name != "index"}],
    }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}
    pieces = (f"data: {json.dumps(body)}\n\n".encode(), b"data: [DONE]\n\n")

    async def work(client: Any, model: str) -> list[Any]:
        messages = [{"role": "user", "content": "hi"}]
        streamed = [
            event async for event in await client.chat.completions.create(model=model, messages=messages, stream=True)
        ]
        deltas = [each.choices[0].delta for each in streamed if each.choices]
        whole = await client.chat.completions.create(model=model, messages=messages)
        return [
            "".join(delta.content or "" for delta in deltas),
            [call.function.name for delta in deltas for call in delta.tool_calls or ()],
            whole.choices[0].message.content,
            [call.function.name for call in whole.choices[0].message.tool_calls or ()],
        ]

    reply = Raw(pieces=pieces, headers={"content-type": "text/event-stream"})
    assert ask(server, provider, transport, reply, work, cache={"scope": "app"}) == ["so", ["f"], "so", ["f"]]


TOLD: dict[str, tuple[Any, tuple[int, int] | None]] = {
    "a total alone": ({"total_tokens": 1000}, (0, 1000)),
    "Anthropic's names": ({"input_tokens": 5, "output_tokens": 1000}, (5, 1000)),
    "a list": ([USAGE], None),
    "a text": ("x", None),
    "half tokens": ({"prompt_tokens": 5, "completion_tokens": 5.5, "total_tokens": 10.5}, None),
    "not a number": ({"prompt_tokens": float("nan"), "completion_tokens": 5, "total_tokens": 5}, None),
}


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_a_whole_answers_usage_is_read_from_the_providers_own(server: ScriptedServer, transport: str) -> None:
    """By either transport the same; where it cannot be true, the answer arrives and the worst case counts. So does an
    answer with what only one of them knows."""
    odd = {
        "content of parts": {"content": [{"type": "text", "text": "so"}]},
        "a searchs call": {
            "content": "so",
            "tool_calls": [{"id": "a", "type": "web_search", "web_search": {"query": "q"}}],
        },
    }

    async def work(client: Any, model: str) -> dict[str, Any]:
        told = {}
        for name in (*TOLD, *odd):
            server.script = lambda _, n=name: raw(
                False, odd.get(n, {"content": "so"}), TOLD[n][0] if n in TOLD else USAGE
            )
            body = {"model": model, "messages": [{"role": "user", "content": name}]}
            response = await client._client.post(f"{client.base_url}chat/completions", json=body)
            assert response.status_code == 200, (name, response.text)
            assert "so" in json.dumps(response.json()["choices"])
            told[name] = response.json()["usage"]
        return told

    told = ask(server, "openai", transport, raw(False, {}), work)
    for name, (_, counts) in TOLD.items():
        usage = told[name]["prompt_tokens"], told[name]["completion_tokens"]
        assert usage == counts if counts else usage not in ((5, 5), (7, 4)), name


def gemini(parts: Any, usage: Any, **more: Any) -> bytes:
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": "STOP", **more}
    return json.dumps({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "g"}).encode()


COUNTS = {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12}
RAN = [
    {"executableCode": {"language": "PYTHON", "code": "1+1"}},
    {"codeExecutionResult": {"output": "2"}},
    {"text": "so"},
]
GEMINI = {
    "no usage": gemini([{"text": "so"}], None),
    "counts of texts": gemini([{"text": "so"}], {name: str(count) for name, count in COUNTS.items()}),
    "a count that is none": gemini([{"text": "so"}], {**COUNTS, "promptTokenCount": []}),
    "ran and found": gemini(RAN, COUNTS, groundingMetadata={"groundingChunks": [{"web": {"uri": "u"}}]}),
    "no parts": gemini(None, COUNTS),
}


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_what_litellms_class_for_gemini_cannot_read_or_leaves_out(server: ScriptedServer, transport: str) -> None:
    """A good answer arrives, whole and streamed, with the code that ran and what was found. A whole one that litellm
    fails with does not, for which neither the caller nor the model is to blame."""

    async def work(client: Any, model: str) -> None:
        for name, body in GEMINI.items():
            for stream in (False, True):
                event = b"data: " + body + b"\n\n"
                headers = {"content-type": "text/event-stream"}
                reply = Raw(pieces=(event,), headers=headers) if stream else Raw(pieces=(body,))
                server.script = lambda _, r=reply: r
                asked = {"model": model, "messages": [{"role": "user", "content": name}], "stream": stream}
                told = await client._client.post(f"{client.base_url}chat/completions", json=asked)
                fails = transport == "litellm" and not stream and name != "ran and found"
                assert told.status_code == (503 if fails else 200), (name, stream, told.text)
                assert "so" in told.text or fails or name == "no parts"
                assert '"images":[]' not in told.text
                if name == "ran and found":
                    for part in ('"code_execution":[{"executableCode":', '"output":"2"', '"uri":"u"'):
                        assert part in told.text, (stream, part)

    ask(server, "gemini", transport, Raw(pieces=()), work, breaker={"failures": 1})


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_a_stream_ends_whatever_its_usage_is(server: ScriptedServer, transport: str) -> None:
    """Nobody loses an answer for it."""

    async def work(client: Any, model: str) -> None:
        for name, (usage, _) in TOLD.items():
            server.script = lambda _, u=usage: raw(True, {"content": "so"}, u)
            body = {"model": model, "messages": [{"role": "user", "content": name}], "stream": True}
            told = await client._client.post(f"{client.base_url}chat/completions", json=body)
            assert told.text.endswith("data: [DONE]\n\n"), (name, told.text)

    ask(server, "openai", transport, raw(False, {}), work)
