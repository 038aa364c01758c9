"""Whose fault an error of a provider is, over real HTTP and both ways out: who is told what, and what circuits hear."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from tests.support import refusals
from tests.support.scripted_provider import Answer, Raw, ScriptedServer
from turnout import Turnout
from turnout.errors import InvalidRequest, ServedError, TooLarge, UpstreamUnavailable
from turnout.records import Outcome
from turnout.upstream.call_trace import DEFAULT_RETRY_AFTER_S

FIRST, SPARE, CLAUDE, GEMINI = "openai/first", "openai/spare", "anthropic/claude-x", "gemini/gemini-x"
TOO_LONG = {"error": {"message": "This model's maximum context length is 4096 tokens.", "type": "invalid_request_error",
                      "param": "messages", "code": "context_length_exceeded"}}  # fmt: skip


@pytest.fixture(params=["direct", "litellm"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each way out to the providers."""
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "k")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def config(running: ScriptedServer, transport: str, models: list[str], **sections: Any) -> dict[str, Any]:
    def section(name: str) -> dict[str, Any]:
        base = running.origin + ("/v1" if name.startswith("openai/") else "")
        return {"params": {"api_base": base}}

    return {
        "tiers": {"cheap": {"models": models}, "expensive": {"models": ["openai/dear"]}},
        "models": {name: section(name) for name in models},
        "routing": {"threshold": 1.0},
        "fallback": {"other_tier": "none"},
        "retry": {"attempts": 1},
        "cache": {"enabled": False},
        "upstream": {"transport": transport},
        **sections,
    }


def error(status: int, body: Any, **headers: str) -> Raw:
    return Raw(
        pieces=(json.dumps(body).encode(),), status=status, headers={"content-type": "application/json", **headers}
    )


WIRES = {"anthropic": CLAUDE, "gemini": GEMINI}


@pytest.mark.parametrize("model", [FIRST, CLAUDE, GEMINI])
def test_each_refusal_goes_where_it_belongs(
    server: ScriptedServer, transport: str, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is ours, the model's, or nobody says whose, the next model answers; the caller's own is asked once. With no
    other model, what is ours is 503 and the rest is 400, without a word of the provider's."""

    async def scenario() -> None:
        async with Turnout(config(server, transport, [model, SPARE], breaker={"failures": 10_000})) as turnout:
            for refusal in refusals.ALL:
                if WIRES.get(refusal.provider, FIRST) != model:
                    continue
                turnout.bulkhead.guard.circuit(turnout.bulkhead.circuit(model)).close()
                text = refusal.body if isinstance(refusal.body, str) else json.dumps(refusal.body)
                refused = Raw(pieces=(text.encode(),), status=refusal.status, headers=JSON)
                asked = {"presence_penalty": 1} if refusal.param == "presence_penalty" else {}
                server.received.clear()
                caplog.clear()
                if refusal.means == "caller":
                    server.queue(refused)
                    with pytest.raises(InvalidRequest) as caught:
                        await turnout.complete("x", **asked)
                    assert len(server.received) == 1, refusal
                    assert caught.value.param == refusal.param, refusal
                else:
                    server.queue(refused, Answer(text="spare"))
                    assert (await turnout.complete("x", **asked)).outcome.model == SPARE, refusal
                    server.queue(refused)
                    turnout.bulkhead.guard.circuit(turnout.bulkhead.circuit(model)).close()
                    with pytest.raises(ServedError) as caught:
                        await turnout.complete("x", model=model, **asked)
                    assert caught.value.told_status == (503 if refusal.means == "ours" else 400), refusal
                    too_long = caught.value.told_code == "context_length_exceeded"
                    assert too_long == (refusal.means == "too_long"), refusal
                assert not any(word in caught.value.message for word in OF_OURS), refusal

    with caplog.at_level(logging.WARNING, "turnout"):
        asyncio.run(scenario())


JSON = {"content-type": "application/json"}
OF_OURS = ("account", "credit", "organization", "project", "billing", "acme", "team", "key")


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_that_another_model_answers_is_warned_of(
    server: ScriptedServer, transport: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a model: it is ours to mend. Where both refuse, it is the caller's, and nobody is warned."""
    unclear = error(400, {"error": {"message": "We could not understand your request."}})

    async def ask(turnout: Turnout, text: str) -> None:
        if stream:
            async for _ in turnout.stream(text):
                pass
        else:
            await turnout.complete(text)

    async def scenario() -> None:
        async with Turnout(config(server, transport, [FIRST, SPARE], breaker={"failures": 1})) as turnout:
            server.queue(unclear, unclear)
            with pytest.raises(InvalidRequest):
                await ask(turnout, "bad")
            assert not caplog.records
            for text in ("good", "better"):
                server.queue(unclear, Answer(text="spare"))
                await ask(turnout, text)
            server.queue(unclear, error(503, {}))
            with pytest.raises(UpstreamUnavailable):
                await ask(turnout, "who knows")

    with caplog.at_level(logging.WARNING, "turnout.upstream"):
        asyncio.run(scenario())
    (warned,) = [record.getMessage() for record in caplog.records if "refuses as invalid" in record.getMessage()]
    assert FIRST in warned
    assert SPARE in warned


HIDDEN: list[tuple[str, Any, str]] = [
    (FIRST, {"error": {"message": "slow down", "code": "rate_limit_exceeded", "type": "requests"}}, "rate_limited"),
    (FIRST, {"error": {"message": "Provider returned error", "code": 502}, "user_id": "u"}, "provider_error"),
    (FIRST, {"object": "error", "message": "EngineDeadError", "code": 500}, "provider_error"),
    (FIRST, {"error": "Request failed during generation", "error_type": "generation"}, "provider_error"),
    (FIRST, {"message": "internal server error", "type": "server_error"}, "provider_error"),
    (FIRST, {"detail": "Internal error"}, "provider_error"),
    (FIRST, {"errors": [{"message": "AiError: upstream", "code": 5006}], "success": False}, "provider_error"),
    (FIRST, {"error": {"message": "invalid model ID"}}, "misconfigured"),
    (FIRST, {"error": {"code": 502, "message": "down"}, "id": "gen-1", "choices": []}, "provider_error"),
    (CLAUDE, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "provider_error"),
    (GEMINI, {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}, "provider_error"),
    (GEMINI, [{"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}], "rate_limited"),
]


async def served_by_the_spare(turnout: Turnout, *, stream: bool) -> Outcome:
    """The outcome of a request, whole or streamed, of which the spare model's answer is all that its caller sees."""
    if not stream:
        return (await turnout.complete("x")).outcome
    chunks = turnout.stream("x")
    assert "".join([chunk.text async for chunk in chunks]) == "spare"
    assert chunks.outcome is not None
    return chunks.outcome


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_inside_a_200_is_told_for_what_it_is(server: ScriptedServer, transport: str, stream: bool) -> None:
    """In each provider's own shape, whole and as a stream's first event: the next model answers. litellm loses some of
    them on its way, and tells a failure all the same."""

    async def scenario() -> None:
        for model, body, kind in HIDDEN:
            text = json.dumps(body).encode()
            hidden = Raw(pieces=(text,), headers=JSON)
            if stream and isinstance(body, dict):
                hidden = Raw(pieces=(b"data: " + text + b"\n\n",), headers={"content-type": "text/event-stream"})
            async with Turnout(config(server, transport, [model, SPARE])) as turnout:
                server.queue(hidden, Answer(text="spare"))
                outcome = await served_by_the_spare(turnout, stream=stream)
                assert outcome.model == SPARE
                if transport == "direct":
                    assert outcome.attempts[0].error == kind, body

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["This model's maximum context length is 4096 tokens.", "messages.0.role: bad role"])
def test_what_a_caller_causes_inside_a_stream_opens_no_circuit(
    server: ScriptedServer, transport: str, text: str
) -> None:
    """Some servers begin a stream before they read the request."""
    event = json.dumps({"error": {"message": text, "type": "BadRequestError", "code": 400}}).encode()

    async def scenario() -> None:
        async with Turnout(config(server, transport, [FIRST], breaker={"failures": 1})) as turnout:
            server.queue(Raw(pieces=(b"data: " + event + b"\n\n",), headers={"content-type": "text/event-stream"}))
            with pytest.raises(InvalidRequest):
                async for _ in turnout.stream("x"):
                    pass
            assert (await turnout.complete("y")).outcome.model == FIRST

    asyncio.run(scenario())


def test_a_request_too_long_goes_on_past_an_unclear_refusal(server: ScriptedServer, transport: str) -> None:
    """That it is too long says more: it is what the caller is told, and what the next window is measured by."""
    unclear = error(400, {"error": {"message": "We could not understand your request."}})

    async def scenario() -> None:
        async with Turnout(config(server, transport, [FIRST, SPARE])) as turnout:
            server.queue(unclear, error(400, TOO_LONG))
            with pytest.raises(InvalidRequest) as caught:
                await turnout.complete("x")
            assert caught.value.told_code == "context_length_exceeded"

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_callers_own_fault_is_told_in_our_words(server: ScriptedServer, transport: str, status: int) -> None:
    """With code and param; the provider's words only where the settings let callers read them, and never a key."""
    body = {"error": {"message": "bad sk-abcdefgh1234, org-ACME", "code": "odd_value", "param": "tools"}}

    async def scenario(*, shown: bool) -> ServedError:
        sections = config(server, transport, [FIRST, SPARE], server={"provider_errors": shown})
        async with Turnout(sections) as turnout:
            server.queue(error(status, body))
            with pytest.raises((InvalidRequest, TooLarge)) as caught:
                await turnout.complete("x")
            assert turnout.bulkhead.guard.state(turnout.bulkhead.circuit(FIRST)).failures == 0
            return caught.value

    hidden = asyncio.run(scenario(shown=False))
    assert (hidden.told_status, hidden.told_code, hidden.param) == (status, "odd_value", "tools")
    assert "ACME" not in hidden.message
    assert "org-ACME" in (hidden.provider_text or "")
    shown = asyncio.run(scenario(shown=True))
    assert "ACME" in shown.message
    assert "sk-abc" not in shown.message


def test_a_request_too_long_goes_to_a_larger_window(server: ScriptedServer, transport: str) -> None:
    """Of the same tier; a model whose window is known to be no larger is not asked."""
    sections = config(server, transport, [FIRST, "openai/same", SPARE])
    sections["models"]["openai/same"]["max_input_tokens"] = 4096
    sections["models"][SPARE]["max_input_tokens"] = 8192

    async def scenario() -> None:
        async with Turnout(sections) as turnout:
            server.queue(error(400, TOO_LONG), Answer(text="roomy"))
            outcome = (await turnout.complete("x")).outcome
            assert (outcome.model, [skip.reason for skip in outcome.skipped]) == (SPARE, ["window"])
            server.queue(error(400, TOO_LONG), error(400, TOO_LONG))
            with pytest.raises(InvalidRequest, match="4096 tokens") as caught:
                await turnout.complete("y")
            assert (caught.value.told_code, caught.value.param) == ("context_length_exceeded", "messages")

    asyncio.run(scenario())


def test_anthropics_word_for_too_long_gets_openais_code(server: ScriptedServer, transport: str) -> None:
    """By its text: it has no code of its own."""
    kind = {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}

    async def scenario() -> None:
        async with Turnout(config(server, transport, [CLAUDE])) as turnout:
            server.queue(error(400, {"type": "error", "error": kind}))
            with pytest.raises(InvalidRequest, match="200000 tokens") as caught:
                await turnout.complete("x")
            assert caught.value.told_code == "context_length_exceeded"

    asyncio.run(scenario())


def test_a_429_for_a_request_too_large_pauses_nobody(server: ScriptedServer, transport: str) -> None:
    """Whatever its Retry-After says: it is that request's own, asked once."""
    body = {
        "error": {"message": "Request too large for x: Limit 30000, Requested 49155.", "code": "rate_limit_exceeded"}
    }

    async def scenario() -> None:
        async with Turnout(config(server, transport, [FIRST])) as turnout:
            server.queue(error(429, body, **{"retry-after": "20"}))
            with pytest.raises(TooLarge):
                await turnout.complete("large")
            assert (await turnout.complete("small")).outcome.model == FIRST

    asyncio.run(scenario())


@pytest.mark.parametrize("model", [FIRST, CLAUDE, GEMINI])
def test_retry_after_is_read_in_every_form(server: ScriptedServer, transport: str, model: str) -> None:
    """Seconds, fractions and dates, over both ways out; what is no time is none."""
    soon = formatdate(time.time() + 31, usegmt=True)
    past = formatdate(time.time() - 31, usegmt=True)
    forms = {
        "7": 7,
        "1.5": 1.5,
        soon: 30,
        past: 0,
        "-5": DEFAULT_RETRY_AFTER_S,
        "soon": DEFAULT_RETRY_AFTER_S,
        "inf": DEFAULT_RETRY_AFTER_S,
    }

    async def scenario() -> None:
        for value, wait in forms.items():
            async with Turnout(config(server, transport, [model])) as turnout:
                server.queue(error(429, {"error": {"message": "slow down"}}, **{"Retry-After": value}))
                with pytest.raises(UpstreamUnavailable) as caught:
                    await turnout.complete("x")
                assert caught.value.retry_after_s == pytest.approx(wait, abs=3 if wait == 30 else 0.1), value

    asyncio.run(scenario())


HELLO = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{not json"}}
BY_ADDRESS = [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/x.png"}}]
UNSENDABLE = [
    (CLAUDE, {"prompt": [HELLO], "tools": [{"type": "function", "function": {}}]}),
    (GEMINI, {"prompt": [HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                         {"role": "tool", "tool_call_id": "c1", "content": "x"}]}),
    (CLAUDE, {"prompt": [{"role": "user", "content": BY_ADDRESS}]}),
    (GEMINI, {"prompt": [{"role": "user", "content": BY_ADDRESS}]}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "request_"), UNSENDABLE, ids=range(len(UNSENDABLE)))
def test_what_cannot_be_sent_is_its_callers_400(
    server: ScriptedServer, transport: str, model: str, request_: dict[str, Any]
) -> None:
    """Nothing is sent or fetched, and no circuit hears of it."""

    async def scenario() -> None:
        async with Turnout(config(server, transport, [model], breaker={"failures": 1})) as turnout:
            with pytest.raises(InvalidRequest):
                await turnout.complete(**request_)
            assert not server.received
            assert (await turnout.complete("plain")).outcome.model == model

    asyncio.run(scenario())


def test_the_log_repeats_no_prompt_and_no_line_of_its_own(
    server: ScriptedServer, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal that quotes the input is one line without the quotation."""
    prompt = "my secret diary\nCRITICAL:root:forged\x1b[2K"

    async def scenario() -> None:
        async with Turnout(config(server, transport, [FIRST])) as turnout:
            server.queue(error(403, {"error": {"message": f"Your input was flagged: {prompt}", "code": 403}}))
            with pytest.raises(ServedError):
                await turnout.complete(prompt)

    with caplog.at_level(logging.INFO, "turnout"):
        asyncio.run(scenario())
    lines = [record.getMessage() for record in caplog.records if record.name == "turnout.upstream"]
    assert any("Your input was flagged" in line for line in lines)
    assert not any(word in line for line in lines for word in ("secret diary", "forged", "\n", "\x1b"))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: ScriptedServer, transport: str, status: int, stream: bool) -> None:
    """Neither key nor prompt goes where an answer says; the next model answers, and nothing is stored."""

    async def scenario() -> None:
        with ScriptedServer() as elsewhere:
            elsewhere.script = lambda _: Answer(text="stolen")
            async with Turnout(config(server, transport, [FIRST, SPARE])) as turnout:
                away = Raw(
                    pieces=(b"",), status=status, headers={"location": f"{elsewhere.origin}/v1/chat/completions"}
                )
                server.queue(away, Answer(text="spare"))
                outcome = await served_by_the_spare(turnout, stream=stream)
                assert (outcome.model, outcome.attempts[0].error) == (SPARE, "misconfigured")
            assert not elsewhere.received

    asyncio.run(scenario())


def test_a_usage_without_total_is_told_with_it(server: ScriptedServer) -> None:
    """As OpenAI's clients read it, whole and streamed, also behind a byte order mark."""
    frame = {"id": "c", "model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    choice = {"index": 0, "finish_reason": "stop"}
    whole = {**frame, "choices": [{**choice, "message": {"role": "assistant", "content": "hi"}}]}
    chunk = {**frame, "choices": [{**choice, "delta": {"role": "assistant", "content": "hi"}}]}
    event = b"\xef\xbb\xbfdata: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"

    async def scenario() -> None:
        async with Turnout(config(server, "direct", [FIRST, SPARE])) as turnout:
            server.queue(
                Raw(pieces=(json.dumps(whole).encode(),)),
                Raw(pieces=(event,), headers={"content-type": "text/event-stream"}),
            )
            assert (await turnout.complete("x")).to_openai()["usage"]["total_tokens"] == 7
            chunks = [chunk async for chunk in turnout.stream("y")]
            assert "".join(chunk.text for chunk in chunks) == "hi"

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("finish", ["error", "network_error", "insufficient_system_resource"])
def test_an_ending_that_tells_a_failure_is_one(
    server: ScriptedServer, transport: str, finish: str, stream: bool
) -> None:
    """Before any content the next model answers; after it the stream ends with an error, never as `stop`."""

    async def scenario() -> None:
        async with Turnout(config(server, transport, [FIRST, SPARE])) as turnout:
            server.queue(Answer(text="half", finish=finish), Answer(text="spare"))
            if not stream:
                assert (await turnout.complete("x")).text == "spare"
                return
            chunks = turnout.stream("x")
            with pytest.raises(ServedError):
                async for _ in chunks:
                    pass
            assert chunks.outcome is not None
            assert chunks.outcome.attempts[0].error == "provider_error"

    asyncio.run(scenario())


@pytest.mark.parametrize("model", [GEMINI, CLAUDE])
def test_nothing_is_fetched_for_a_caller(server: ScriptedServer, transport: str, model: str) -> None:
    """An image by address of a provider that takes none: its caller's 400, and neither place is asked."""
    parts = [{"type": "image_url", "image_url": {"url": f"{server.origin}/picture.png"}}]

    async def scenario() -> None:
        async with Turnout(config(server, transport, [model])) as turnout:
            with pytest.raises(InvalidRequest, match="data: URL") as refused:
                await turnout.complete([{"role": "user", "content": parts}])
            assert refused.value.param == "messages"
            assert not server.received

    asyncio.run(scenario())
