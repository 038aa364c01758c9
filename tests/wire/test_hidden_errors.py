"""An error inside a good status is one, wherever a provider puts it, and by either transport."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.scripted_provider import Answer, Raw, ScriptedServer
from tests.wire.test_matrix import ask

SSE = {"content-type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def server() -> Any:
    with ScriptedServer() as running:
        yield running


@pytest.fixture(params=["direct", "litellm"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def event(data: Any, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(delta: Any, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": None}]
    return event({"id": "c1", "created": 1, "model": "m", "choices": choices, **more})


def ended(finish: str | None = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": finish, **more}
    return event({"id": "c1", "created": 1, "model": "m", "choices": [choice]})


def candidate(text: str, **more: Any) -> bytes:
    return event({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **more}]})


async def _stream(client: Any, model: str, text: str = "hi") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": True}
    response: httpx.Response = await client._client.post(f"{client.base_url}chat/completions", json=body)
    return response


HALF = chunk({"role": "assistant", "content": "half"})
BEGUN = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
ANTHROPIC = (
    event({"type": "message_start", "message": BEGUN}),
    event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}}),
)
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
UNAVAILABLE = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
DOWN = {"code": 502, "message": "Provider returned error"}
BROKEN: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "an event without an error object": ("openai", (HALF, event({"message": "boom", "code": 500}, "error"))),
    "an error object": ("openai", (HALF, event({"error": {"message": "boom"}}), DONE)),
    "groq's own place": ("groq", (HALF, event({"id": "c", "choices": [], "x_groq": {"error": "stopped"}}), DONE)),
    "groq's event": ("groq", (HALF, event({"error": {"message": "boom", "code": "500"}}, "error"))),
    "a finish beside an error": (
        "openrouter",
        (
            HALF,
            event({
                "id": "c1", "model": "m", "error": {"code": "server_error", "message": "gone"},
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
            }),
            DONE,
        ),
    ),
    "in a choice": ("openai", (HALF, ended(error=DOWN), DONE)),
    "in a choice that goes on": ("openai", (HALF, ended(None, error=DOWN), DONE)),
    "in a choice, read by a class": ("openrouter", (HALF, ended(error=DOWN), DONE)),
    "beside a choice": ("openai", (HALF, chunk({}, error=DOWN), ended(), DONE)),
    "its provider's own finish": ("openrouter", (HALF, ended(native_finish_reason="error"), DONE)),
    "its provider's own finish, read by the SDK": ("openai", (HALF, ended(native_finish_reason="error"), DONE)),
    "anthropic's event": ("anthropic", (*ANTHROPIC, event(OVERLOADED, "error"))),
    "google's object": ("gemini", (candidate("half"), event(UNAVAILABLE))),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_an_error_after_the_first_words_breaks_the_stream_off(
    server: ScriptedServer, transport: str, case: str
) -> None:
    """It ends with an error event, and is never taken for a whole answer."""
    provider, pieces = BROKEN[case]
    told = ask(server, provider, transport, Raw(pieces=pieces, headers=SSE), _stream).text
    assert "half" in told
    assert '"code":"upstream_unavailable"' in told.split("\n\n")[-2]
    assert "[DONE]" not in told


def whole(*, beside: Any = None, **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "half"}, "finish_reason": "stop", **more}
    return json.dumps({"id": "c1", "created": 1, "model": "m", "choices": [choice], **(beside or {})}).encode()


WHOLE = {
    "in a choice": whole(error=DOWN),
    "in a choice without a finish": whole(error=DOWN, finish_reason=None),
    "beside choices": whole(beside={"error": DOWN}),
    "its provider's own finish": whole(native_finish_reason="error"),
}
MALFORMED = whole(native_finish_reason="MALFORMED_FUNCTION_CALL")


@pytest.mark.parametrize("provider", ["openai", "openrouter"])
def test_an_error_inside_a_whole_answer_fails_over(server: ScriptedServer, transport: str, provider: str) -> None:
    """Whatever finish stands beside it; and an end that only the provider's own finish tells is told, not stored."""

    async def work(client: Any, model: str) -> None:
        for case, body in [*WHOLE.items(), ("malformed", MALFORMED), ("malformed", MALFORMED)]:
            server.script = lambda _, body=body: Raw(pieces=(body,))
            asked = {"model": model, "messages": [{"role": "user", "content": case}]}
            told = await client._client.post(f"{client.base_url}chat/completions", json=asked)
            if case in WHOLE:
                assert (case, told.status_code) == (case, 503), told.text
            else:
                assert '"finish_reason":"MALFORMED_FUNCTION_CALL"' in told.text
                assert "hit" not in told.headers["cache-status"]

    ask(server, provider, transport, Raw(pieces=()), work, breaker={"failures": 100}, cache={"scope": "app"})


def test_what_gemini_blocks_is_told_as_filtered(server: ScriptedServer, transport: str) -> None:
    """A stream of nothing but the reason: it is an answer, and no failure of the model's."""
    blocked = event({"promptFeedback": {"blockReason": "OTHER"}, "usageMetadata": {"promptTokenCount": 5}})
    told = ask(server, "gemini", transport, Raw(pieces=(blocked,), headers=SSE), _stream)
    assert told.status_code == 200
    assert '"finish_reason":"content_filter"' in told.text
    assert told.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("pieces", [(b": PROCESSING\n\n", DONE), (HALF, DONE)], ids=["nothing", "words"])
def test_a_mark_of_the_end_is_no_finish(server: ScriptedServer, transport: str, pieces: tuple[bytes, ...]) -> None:
    """Where no event told one, none is told and nothing is stored; a stream of nothing goes on to the next model, more
    than five times."""

    async def often(client: Any, model: str) -> list[httpx.Response]:
        return [await _stream(client, model) for _ in range(6)]

    before = len(server.received)
    for told in ask(server, "openrouter", transport, Raw(pieces=pieces, headers=SSE), often, cache={"scope": "app"}):
        assert told.status_code == (200 if HALF in pieces else 503)
        assert '"finish_reason":"' not in told.text
        assert "hit" not in told.headers.get("cache-status", "")
    assert len(server.received) - before == 6


@pytest.mark.parametrize("delay", ["17s", "17.2s", "900000s", "1e400s", "never"])
@pytest.mark.parametrize("stream", [False, True])
def test_google_says_when_to_come_back(server: ScriptedServer, transport: str, stream: bool, delay: str) -> None:
    """In the error's details, where others have a header; read as that is."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    error = {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}
    reply = Raw(pieces=(json.dumps({"error": error}).encode(),), status=429)

    async def work(client: Any, model: str) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        response: httpx.Response = await client._client.post(f"{client.base_url}chat/completions", json=body)
        return response

    told = ask(server, "gemini", transport, reply, work)
    assert told.status_code == 503
    waits = {"17s": 17, "17.2s": 18, "900000s": 86400}
    assert int(told.headers["retry-after"]) == waits.get(delay, 1)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere"])
def test_a_streams_chunks_have_one_id(server: ScriptedServer, provider: str, transport: str) -> None:
    """As OpenAI's have, whether their provider tells one or not."""
    told = ask(server, provider, transport, Answer(text="It is four."), _stream)
    events = [line.removeprefix("data: ") for line in told.text.split("\n\n") if line.startswith("data: {")]
    assert len(events) > 2
    assert len({json.loads(each).get("id") for each in events}) == 1
