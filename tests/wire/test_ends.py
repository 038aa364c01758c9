"""A stream that ends in good order without each choice's finish is a whole answer, and is not stored."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.scripted_provider import Answer, Raw, Reply, ScriptedServer
from tests.wire.test_matrix import ask

SSE = {"content-type": "text/event-stream"}


@pytest.fixture(scope="module")
def server() -> Any:
    with ScriptedServer() as running:
        yield running


def _event(**choice: Any) -> bytes:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choices = [{"index": 0, "delta": {}, "finish_reason": None, **choice}]
    return b"data: " + json.dumps({**chunk, "choices": choices}).encode() + b"\n\n"


WORDS = (
    _event(delta={"role": "assistant", "content": "A"}),
    _event(index=1, delta={"role": "assistant", "content": "B"}),
)
USAGE = (
    b'data: {"id": "c1", "model": "m", "choices": [], '
    b'"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}\n\n'
)
BOTH = (*WORDS, _event(finish_reason="stop"), _event(index=1, finish_reason="stop"), b"data: [DONE]\n\n")
ONE = (*WORDS, _event(finish_reason="stop"), b"data: [DONE]\n\n")


async def _twice(client: Any, model: str, **params: Any) -> list[tuple[list[Any], str]]:
    """The chunks of a stream, or its error, and its cache status; asked twice."""
    results = []
    for _ in range(2):
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True, **params}
        response: httpx.Response = await client._client.post(f"{client.base_url}chat/completions", json=body)
        assert response.status_code == 200, response.text
        lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
        assert lines[-1] == "[DONE]", response.text
        results.append(([json.loads(line) for line in lines[:-1]], response.headers["cache-status"]))
    return results


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere"])
def test_a_clean_end_without_a_finish_is_a_whole_answer(server: ScriptedServer, provider: str, transport: str) -> None:
    """Its words arrive, nothing is stored, and the next request is no hit."""
    for chunks, cache in ask(server, provider, transport, Answer(text="It is four.", fault="no_finish"), _twice):
        assert "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"]) == "It is four."
        assert not [c for chunk in chunks for c in chunk["choices"] if c["finish_reason"]]
        assert "hit" not in cache


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("last", [(), (b"data: [DONE]\n\n",)], ids=["none", "done"])
def test_what_ends_in_good_order_moves_no_circuit(
    server: ScriptedServer, transport: str, last: tuple[bytes, ...]
) -> None:
    """Words without a finish are a whole answer that is not stored; a role alone is none, nor is what has no choices,
    which another model may have: more than five of either, and the model is still asked."""
    role = _event(delta={"role": "assistant"})

    async def often(client: Any, model: str) -> list[int]:
        statuses = []
        for number in range(18):
            pieces = (WORDS, (role,), (USAGE,))[number % 3]
            server.script = lambda _, each=pieces: Raw(pieces=(*each, *last), headers=SSE)
            body = {"model": model, "messages": [{"role": "user", "content": str(number // 9)}], "stream": True}
            response: httpx.Response = await client._client.post(f"{client.base_url}chat/completions", json=body)
            statuses.append(response.status_code)
            assert "hit" not in response.headers.get("cache-status", "")
            assert response.status_code == 503 or response.text.endswith("data: [DONE]\n\n")
        return statuses

    before = len(server.received)
    assert ask(server, "openai", transport, Answer(), often) == [200, 503, 503] * 6
    assert len(server.received) - before == 18


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("pieces", [BOTH, ONE], ids=["both", "one"])
def test_a_second_choice_whose_finish_is_lost_is_no_failure(
    server: ScriptedServer, transport: str, pieces: tuple[bytes, ...]
) -> None:
    """By the provider, or by litellm on the way: both choices' words arrive, and more than five such requests open no
    circuit."""

    async def often(client: Any, model: str) -> list[tuple[list[Any], str]]:
        return [result for _ in range(4) for result in await _twice(client, model, n=2)]

    reply: Reply = Raw(pieces=pieces, headers=SSE)
    for chunks, _ in ask(server, "openai", transport, reply, often):
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        assert {c["index"]: c["delta"]["content"] for c in choices if c["delta"].get("content")} == {0: "A", 1: "B"}
        finishes = {c["index"]: c["finish_reason"] for c in choices if c["finish_reason"]}
        assert finishes == ({0: "stop", 1: "stop"} if pieces is BOTH else {0: "stop"})


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_each_choice_is_told_its_own_finish(server: ScriptedServer, transport: str) -> None:
    """Whichever ends first, and whatever comes after the first one's end; the usage is last."""
    length = _event(index=1, finish_reason="length")
    pieces = (*WORDS, length, _event(delta={"content": "C"}), _event(finish_reason="stop"), USAGE, b"data: [DONE]\n\n")

    async def twice(client: Any, model: str) -> Any:
        return await _twice(client, model, n=2, stream_options={"include_usage": True})

    for chunks, _ in ask(server, "openai", transport, Raw(pieces=pieces, headers=SSE), twice):
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        finishes = [(c["index"], c["finish_reason"]) for c in choices if c["finish_reason"]]
        assert sorted(finishes) == [(0, "stop"), (1, "length")]
        assert "".join(c["delta"].get("content") or "" for c in choices if not c["index"]) == "AC"
        assert chunks[-1]["usage"]["total_tokens"] == 7


def _part(index: int, text: str, finish: str = "", **more: str) -> dict[str, Any]:
    candidate = {"index": index, "content": {"role": "model", "parts": [{"text": text, **more}]}}
    return {**candidate, "finishReason": finish} if finish else candidate


GEMINI = (
    [_part(0, "A"), _part(1, "B")], [_part(0, "C", "STOP", thoughtSignature="U0lH")], [_part(1, "D", "MAX_TOKENS")],
)  # fmt: skip


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_each_of_geminis_choices_is_streamed_with_its_finish(server: ScriptedServer, transport: str) -> None:
    """And with the signature of its words, which the next turn gives back."""
    pieces = tuple(f"data: {json.dumps({'candidates': each})}\n\n".encode() for each in GEMINI)

    async def twice(client: Any, model: str) -> Any:
        return await _twice(client, model, n=2)

    for chunks, _ in ask(server, "gemini", transport, Raw(pieces=pieces, headers=SSE), twice):
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        words = ["".join(c["delta"].get("content") or "" for c in choices if c["index"] == index) for index in (0, 1)]
        assert words == ["AC", "BD"]
        finishes = [(c["index"], c["finish_reason"]) for c in choices if c["finish_reason"]]
        assert sorted(finishes) == [(0, "stop"), (1, "length")]
        (signed,) = [c["delta"] for c in choices if "provider_specific_fields" in c["delta"]]
        assert signed["provider_specific_fields"] == {"thought_signatures": ["U0lH"]}


def test_a_stream_that_litellm_cannot_read_moves_no_circuit(server: ScriptedServer) -> None:
    """Its readers break on what others read, and a caller may find what: the model is still there for all."""
    raw = (b'event: message_start\ndata: {"type": "message_start", "message": 1}\n\n',)

    async def six_then_whole(client: Any, model: str) -> list[int]:
        statuses = []
        for number in range(7):
            server.script = lambda _, n=number: Raw(pieces=raw, headers=SSE) if n < 6 else Answer(text="well")
            body = {"model": model, "messages": [{"role": "user", "content": str(number)}], "stream": number < 6}
            response: httpx.Response = await client._client.post(f"{client.base_url}chat/completions", json=body)
            statuses.append(response.status_code if '"error"' not in response.text else 599)
        return statuses

    statuses = ask(server, "anthropic", "litellm", Answer(), six_then_whole)
    assert 200 not in statuses[:6]
    assert statuses[6] == 200


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_what_a_stream_without_a_finish_tells_of_its_usage_counts(server: ScriptedServer, transport: str) -> None:
    """As that of any other."""

    async def twice(client: Any, model: str) -> Any:
        return await _twice(client, model, stream_options={"include_usage": True})

    pieces = (WORDS[0], USAGE, b"data: [DONE]\n\n")
    for chunks, _ in ask(server, "openai", transport, Raw(pieces=pieces, headers=SSE), twice):
        assert chunks[-1]["usage"]["total_tokens"] == 7


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere"])
def test_a_stream_that_is_cut_is_still_a_failure(server: ScriptedServer, provider: str, transport: str) -> None:
    """It ends with an error event, and without `[DONE]`."""

    async def cut(client: Any, model: str) -> str:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        response: httpx.Response = await client._client.post(f"{client.base_url}chat/completions", json=body)
        return response.text

    text = ask(server, provider, transport, Answer(text="It is four.", fault="cut"), cut)
    assert '"error"' in text
    assert "[DONE]" not in text
