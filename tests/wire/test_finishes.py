"""A finish that nobody knows is told as it came and not stored; one that tells a failure fails over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.scripted_provider import Answer, Raw, ScriptedServer
from tests.wire.test_matrix import MESSAGES, ask


@pytest.fixture(scope="module")
def server() -> Any:
    with ScriptedServer() as running:
        yield running


async def _statuses(client: Any, model: str) -> list[tuple[int, str, str]]:
    """Status, text and cache status of a whole answer and of a stream, each asked for twice."""
    told = []
    for stream in (False, False, True, True):
        text = f"{stream}"
        body = {"model": model, "messages": [*MESSAGES, {"role": "user", "content": text}], "stream": stream}
        response = await client._client.post(f"{client.base_url}chat/completions", json=body)
        told.append((response.status_code, response.text, response.headers.get("cache-status", "")))
    return told


@pytest.mark.parametrize("finish", ["OTHER", "MALFORMED_FUNCTION_CALL", "x"])
@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere"])
def test_an_unknown_finish_is_told_and_not_stored(
    server: ScriptedServer, provider: str, transport: str, finish: str
) -> None:
    """By every wire, whole and streamed."""
    for status, text, cache in ask(server, provider, transport, Answer(finish=finish), _statuses):
        assert status == 200
        assert f'"finish_reason":"{finish}"' in text
        assert "hit" not in cache


_NO_FINISH: dict[str, dict[str, Any]] = {
    "openai": {"choices": [{"index": 0, "message": {"role": "assistant", "content": "It is four."}}]},
    "mistral": {"choices": [{"index": 0, "message": {"content": "It is four."}, "finish_reason": None}]},
    "anthropic": {"type": "message", "content": [{"type": "text", "text": "It is four."}], "stop_reason": None},
    "gemini": {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "It is four."}]}}]},
    "cohere": {"message": {"content": [{"type": "text", "text": "It is four."}]}, "finish_reason": None},
}


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("provider", _NO_FINISH)
def test_a_whole_answer_without_a_finish_is_told_so_and_not_stored(
    server: ScriptedServer, provider: str, transport: str
) -> None:
    """It may be a part of one: nobody says `stop` for its provider, and no cache serves it again."""
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "input_tokens": 3, "output_tokens": 4}
    body = {"id": "c1", "model": "m", "role": "assistant", "usage": usage, **_NO_FINISH[provider]}
    if transport == "litellm":
        # Its class for Gemini reads no answer without.
        body["usageMetadata"] = {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}
    reply = Raw(pieces=(json.dumps(body).encode(),))
    for status, text, cache in ask(server, provider, transport, reply, _statuses)[:2]:
        assert status == 200, text
        assert "It is four." in text
        assert '"finish_reason":null' in text
        assert "hit" not in cache
        assert "stored" not in cache


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_a_stream_whose_end_tells_no_finish_is_told_so_and_not_stored(server: ScriptedServer, transport: str) -> None:
    """Anthropic's, whose place for it is null: the words arrive, and nobody says `stop` for it."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "It is four."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"input_tokens": 3, "output_tokens": 4}},
        {"type": "message_stop"},
    ]
    pieces = tuple(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events)
    reply = Raw(pieces=pieces, headers={"content-type": "text/event-stream"})
    for status, text, cache in ask(server, "anthropic", transport, reply, _statuses, cache={"scope": "app"})[2:]:
        assert status == 200, text
        assert "It is four." in text
        assert '"finish_reason":"' not in text
        assert text.endswith("data: [DONE]\n\n")
        assert "hit" not in cache


@pytest.mark.parametrize("finish", ["server_error", "timeout", "TIMEOUT"])
@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere"])
def test_a_finish_that_tells_a_failure_is_one(
    server: ScriptedServer, provider: str, transport: str, finish: str
) -> None:
    """Before any word it fails over, behind it it is an error event."""
    whole, _, stream, _ = ask(server, provider, transport, Answer(finish=finish), _statuses)
    assert whole[0] == 503
    assert "[DONE]" not in stream[1]
    assert "upstream_unavailable" in stream[1]
