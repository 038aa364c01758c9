"""A finish that nobody knows is told as it came and not stored; one that tells a failure fails over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.scripted_provider import Answer, ScriptedServer
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
