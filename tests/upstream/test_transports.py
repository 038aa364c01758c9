"""Which way a model is called, what of the environment counts on that way, and how much of an answer is read."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.scripted_provider import Answer, Raw, ScriptedServer
from turnout.attempt_errors import NoAnswer
from turnout.openai.json_size import MOST_NESTED
from turnout.ports.runtime import CallProgress, Provider, ProviderCall
from turnout.settings import Settings
from turnout.upstream.direct.http import proxy_of
from turnout.upstream.transports import provider_from

NAME = "openai/small"
CALL = ProviderCall(model=NAME, messages=({"role": "user", "content": "What is 2 + 2?"},))
BOUND = 20_000
JSON = {"content-type": "application/json"}


@pytest.fixture(params=["direct", "litellm"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each way out to the providers."""
    name: str = request.param
    return name


def provider(
    base: str, environ: dict[str, str] | None = None, *, most: int = BOUND, transport: str = "direct", **params: Any
) -> Provider:
    tiers = {"cheap": {"models": [NAME]}, "expensive": {"models": ["openai/dear"]}}
    models = {NAME: {"params": {"api_base": base, **params}}}
    upstream = {"transport": transport}
    sections = {"tiers": tiers, "models": models, "server": {"max_answer_bytes": most}, "upstream": upstream}
    return provider_from(Settings.of(sections), environ or {})


def run(provider: Provider, call: ProviderCall = CALL, *, times: int = 1, stream: bool = False) -> list[Any]:
    """The bodies of calls made one after the other; of a stream, its chunks."""

    async def scenario() -> list[Any]:
        try:
            if stream:
                return [chunk async for chunk in provider.stream(call)]
            return [await provider.complete(call) for _ in range(times)]
        finally:
            await provider.close()

    return asyncio.run(scenario())


def long_answer(size: int) -> bytes:
    message = {"role": "assistant", "content": "a" * size}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()


@pytest.mark.parametrize("status", [200, 500])
def test_no_more_than_the_bound_is_read(server: ScriptedServer, transport: str, status: int) -> None:
    """Of an answer and of an error's body; what fits is read."""
    server.script = lambda _: Raw(pieces=(long_answer(BOUND + 1),), status=status, headers=JSON)
    with pytest.raises(NoAnswer, match=f"longer than {BOUND} bytes"):
        run(provider(f"{server.origin}/v1", transport=transport))
    server.script = lambda _: Raw(pieces=(long_answer(BOUND - 500),), headers=JSON)
    (body,) = run(provider(f"{server.origin}/v1", transport=transport))
    assert len(body["choices"][0]["message"]["content"]) == BOUND - 500


def test_the_bound_is_of_what_is_unpacked(server: ScriptedServer, transport: str) -> None:
    """A little gzip that unfolds to much is an answer without end."""
    packed = gzip.compress(long_answer(50 * BOUND))
    assert len(packed) < BOUND
    server.script = lambda _: Raw(pieces=(packed,), headers={**JSON, "content-encoding": "gzip"})
    with pytest.raises(NoAnswer, match=f"longer than {BOUND} bytes"):
        run(provider(f"{server.origin}/v1", transport=transport))


def test_the_bound_is_of_one_event(server: ScriptedServer, transport: str) -> None:
    """An event without end is cut; many small ones are a long stream, which has its own deadlines."""
    event = {"choices": [{"index": 0, "delta": {"content": "a" * 1000}, "finish_reason": None}]}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    pieces = [f"data: {json.dumps(each)}\n\n".encode() for each in [*[event] * 40, last]]
    headers = {"content-type": "text/event-stream"}
    server.script = lambda _: Raw(pieces=(*pieces, b"data: [DONE]\n\n"), headers=headers)
    assert len(run(provider(f"{server.origin}/v1", transport=transport), stream=True)) == 41
    server.script = lambda _: Raw(pieces=(b"data: " + b"a" * (BOUND + 1),), headers=headers)
    with pytest.raises(NoAnswer, match=f"longer than {BOUND} bytes"):
        run(provider(f"{server.origin}/v1", transport=transport), stream=True)


class _Unframed(BaseHTTPRequestHandler):
    """Tells neither a length nor chunks: the body ends where the connection does, cut or not."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(WORD)

    def log_message(self, *_: Any) -> None:
        pass


WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": null}]}\n\n'


def test_a_stream_that_may_have_been_cut_has_not_ended_in_good_order(server: ScriptedServer) -> None:
    """Where HTTP does not tell the body's end, nothing but a finish or a mark of the provider's does."""
    server.script = lambda _: Raw(pieces=(WORD,), headers={"content-type": "text/event-stream"})
    framed = replace(CALL, progress=CallProgress())
    assert len(run(provider(f"{server.origin}/v1"), framed, stream=True)) == 1
    assert framed.progress.ended

    with ThreadingHTTPServer(("127.0.0.1", 0), _Unframed) as other:
        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        unframed = replace(CALL, progress=CallProgress())
        assert len(run(provider(f"http://127.0.0.1:{other.server_port}/v1"), unframed, stream=True)) == 1
        other.shutdown()
    assert not unframed.progress.ended


def test_no_more_values_than_the_bound_are_decoded(server: ScriptedServer, transport: str) -> None:
    """Of an answer, and of an event: a few kilobytes, unpacked, hold millions of lists. What a
    caller asks for may be the cause, so it is no failure that counts."""
    body = b'{"choices": [], "x": [' + b"[]," * MOST_NESTED + b"[]]}"
    event = b"data: " + body + b"\n\n"
    for stream, sent, kind in ((False, body, "application/json"), (True, event, "text/event-stream")):
        headers = {"content-type": kind, "content-encoding": "gzip"}
        answer = Raw(pieces=(gzip.compress(sent),), headers=headers)
        server.script = lambda _, answer=answer: answer
        with pytest.raises(NoAnswer, match="too many values"):
            run(provider(f"{server.origin}/v1", most=4_000_000, transport=transport), stream=stream)


def test_what_goes_through_litellm_is_logged_once_with_its_reason(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each model and reason, whatever the number of calls."""
    server.script = lambda _: Answer()
    caplog.set_level(logging.INFO, "turnout.upstream")
    run(provider(f"{server.origin}/v1", drop_params=True), times=3)
    lines = [record.message for record in caplog.records if "goes through" in record.message]
    assert lines == [f"{NAME} goes through litellm.acompletion: its parameter drop_params is litellm's to read"]
    run(provider(f"{server.origin}/v1"), times=2)
    assert len([record for record in caplog.records if "goes through" in record.message]) == 1


def test_parameters_that_are_only_equal_are_sent_as_they_came(server: ScriptedServer) -> None:
    """The mapping of a set of parameters is kept: 1 and 1.0 are two sets."""
    server.script = lambda _: Answer()
    server.received.clear()
    plug = provider(f"{server.origin}/v1")

    async def scenario() -> None:
        for value in (1, 1.0, 1):
            call = ProviderCall(model=NAME, messages=CALL.messages, params={"temperature": value})
            await plug.complete(call)
        await plug.close()

    asyncio.run(scenario())
    assert [repr(received.body["temperature"]) for received in server.received] == ["1", "1.0", "1"]


def test_the_environments_proxy_is_asked(server: ScriptedServer) -> None:
    """The proxy gets the whole address; what NO_PROXY names is asked itself."""
    server.script = lambda _: Raw(pieces=(long_answer(10),), headers=JSON)
    server.received.clear()
    run(provider("http://far.invalid/v1", {"HTTP_PROXY": server.origin}))
    assert dict(server.received[-1].headers)["host"] == "far.invalid"
    run(provider(f"{server.origin}/v1", {"HTTP_PROXY": "http://far.invalid", "NO_PROXY": "127.0.0.1"}))
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("environ", "scheme", "host", "proxy"),
    [
        ({}, "https", "api.openai.com", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https", "api.openai.com", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "https", "api.openai.com", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http", "localhost:80", None),
        ({"ALL_PROXY": "http://p:2"}, "http", "far.example", "http://p:2"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".openai.com"}, "https", "api.openai.com", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https", "api.openai.com", None),
    ],
)
def test_the_proxy_of_an_address(environ: dict[str, str], scheme: str, host: str, proxy: str | None) -> None:
    """As every other client reads HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""
    assert proxy_of(scheme, host, environ) == proxy
