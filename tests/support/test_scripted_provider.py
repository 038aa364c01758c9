"""The scripted provider speaks each wire, plays what it is told to, and keeps what it received."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import openai
from tests.support.scripted_provider import ERROR_KINDS, FAULTS, Answer, Failure, Raw, ScriptedServer, Tokens, Tool

PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
    "cohere": "/v2/chat",
}
# How each error of a provider begins; Gemini answers a wrong key with a 400, Anthropic spent credit.
STATUSES = {
    "bad_request": {400},
    "context_length": {400},
    "wrong_key": {400, 401},
    "no_credit": {400, 402, 429},
    "forbidden": {403},
    "unknown_model": {404},
    "too_large": {413},
    "rate_limited": {429},
    "server_error": {500},
    "overloaded": {503, 529},
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def ask(server: ScriptedServer, wire: str, *, stream: bool = False, seconds: float = 0.5) -> tuple[int, bytes]:
    """Status and body as a plain client sees them; -1 and what came where the transfer did not end well."""
    path, body = PATHS[wire], {"model": "m", "messages": []}
    if stream:
        path = path.replace(":generate", ":streamGenerate")
        body["stream"] = True
    came = b""
    try:
        # The read's time-out alone would let a drip go on for ever.
        with httpx.stream("POST", server.origin + path, json=body, timeout=seconds) as response:
            for piece in response.iter_raw():
                came += piece
                if len(came) > 20_000 or came.endswith((b":\n:\n", b"    ")):
                    return -1, came
            return response.status_code, came
    except httpx.TransportError:
        return -1, came


def events(body: bytes) -> list[Any]:
    """The data of a stream's events, the mark at the end left out."""
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize("wire", PATHS)
def test_each_wire_answers_whole_and_streamed(server: ScriptedServer, wire: str) -> None:
    """The same words, in each provider's own shape."""
    status, body = ask(server, wire)
    assert (status, b"It is four." in body) == (200, True)
    status, body = ask(server, wire, stream=True)
    assert status == 200
    assert "".join(_words(events(body))) == "It is four."


def _words(found: Any) -> Iterator[str]:
    """Each text under a name that a wire has for it, in order."""
    if isinstance(found, list):
        for item in found:
            yield from _words(item)
    elif isinstance(found, dict):
        for name, value in found.items():
            if name in ("content", "text") and isinstance(value, str):
                yield value
            else:
                yield from _words(value)


@pytest.mark.parametrize("kind", ERROR_KINDS)
@pytest.mark.parametrize("wire", PATHS)
def test_each_wire_has_an_error_body_of_its_own_for_every_kind(server: ScriptedServer, wire: str, kind: Any) -> None:
    """With the provider's own status, and its Retry-After where one is told."""
    server.queue(Failure(kind=kind, retry_after=7))
    response = httpx.post(server.origin + PATHS[wire], json={"messages": []})
    assert response.status_code in STATUSES[kind]
    assert response.headers["retry-after"] == "7"
    assert ("error" in response.json()) is (wire != "cohere")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("wire", PATHS)
def test_every_fault_is_seen_by_a_plain_client(server: ScriptedServer, wire: str, fault: str, stream: bool) -> None:
    """A transfer that ends in good order has a status, any other has none."""
    server.queue(Answer(fault=fault))
    status, body = ask(server, wire, stream=stream, seconds=0.3)
    ends_well = ("garbage", "truncated", "html_200", "error_in_200", "error_in_stream", "no_done", "no_finish", "empty")
    # A stream is chunked: where its connection is closed early, that shows.
    assert status == (502 if fault == "html_502" else 200 if fault in ends_well else -1)
    if fault in ("hang", "reset"):
        assert body == b""
    if fault in ("cut", "half_frame", "hang_between", "reset_between", "drip_between") and stream:
        assert len(body) > 50


def test_an_unknown_fault_is_refused() -> None:
    """At once and by name: a test of a fault that does not exist would pass for nothing."""
    with pytest.raises(ValueError, match="is no fault"):
        Answer(fault="hnag")


def test_it_keeps_what_it_received_and_answers_by_queue_and_by_script(server: ScriptedServer) -> None:
    """The queue first, then the script, which sees the request."""
    server.script = lambda request: Answer(text=request.body["messages"][0])
    server.queue(Raw(pieces=(b"{}",), status=418))
    for expected in (418, 200):
        response = httpx.post(
            f"{server.origin}/v1/chat/completions?a=b", json={"messages": ["echo"]}, headers={"X-Own": "1"}
        )
        assert response.status_code == expected
    assert response.json()["choices"][0]["message"]["content"] == "echo"
    request = server.received[-1]
    assert (request.path, request.query, request.headers["x-own"]) == ("/v1/chat/completions", {"a": "b"}, "1")
    assert request.body == {"messages": ["echo"]}


def test_a_client_that_leaves_is_noticed(server: ScriptedServer) -> None:
    """Its request ends at the provider too."""
    server.queue(Answer(fault="hang"))
    with contextlib.suppress(httpx.TimeoutException):
        httpx.post(server.origin + PATHS["openai"], json={}, timeout=0.1)
    for _ in range(100):
        if server.left:
            break
        httpx.get(server.origin)
    assert (server.left, server.active) == (1, 0)


def test_the_openai_sdk_reads_whole_answers_and_streams_of_tools(server: ScriptedServer) -> None:
    """What its own accumulator makes of a stream is what the whole answer says."""
    tools = (Tool(), Tool(name="mul", arguments={"x": 1}, call_id="call_2"))
    server.queue(*[Answer(tools=tools, tokens=Tokens(cached=3, reasoning=2))] * 2)
    with openai.OpenAI(api_key="-", base_url=f"{server.origin}/v1") as client:
        asked: Any = {"model": "m", "messages": [{"role": "user", "content": "2 + 2"}]}
        whole = client.chat.completions.create(**asked).choices[0].message
        with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
            streamed = stream.get_final_completion()
    assert whole.tool_calls is not None
    assert streamed.choices[0].message.tool_calls is not None
    assert [call.function.arguments for call in whole.tool_calls] == [  # type: ignore[union-attr]
        call.function.arguments for call in streamed.choices[0].message.tool_calls
    ]
    assert streamed.usage is not None
    assert streamed.usage.prompt_tokens_details is not None
    assert streamed.usage.prompt_tokens_details.cached_tokens == 3
