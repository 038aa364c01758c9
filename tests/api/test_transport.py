"""The in-process transport under httpx and the openai SDK, on scripted providers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest

import openai
import turnout
from tests.support.apps import settings
from tests.support.scorers import hard_or_easy
from turnout import Turnout
from turnout.api.transport import Transport
from turnout.attempt_errors import MalformedReply, ProviderFailed
from turnout.context import Caller, current_request
from turnout.errors import UsageError
from turnout.testing import Hangs, Says, ScriptedProvider

ASK: Any = [{"role": "user", "content": "hi"}]


def built(script: Any = None, **sections: Any) -> tuple[Turnout, ScriptedProvider]:
    provider = ScriptedProvider(script)
    config = settings("http://127.0.0.1:1/v1", **sections)
    return Turnout(config, provider=provider, scorer=hard_or_easy()), provider


@asynccontextmanager
async def awaited(transport: Transport, **options: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with httpx.AsyncClient(transport=transport) as http:
        yield openai.AsyncOpenAI(api_key="-", base_url="http://turnout/v1", http_client=http, **options)


@contextmanager
def blocking(transport: Transport, **options: Any) -> Iterator[openai.OpenAI]:
    with httpx.Client(transport=transport) as http:
        yield openai.OpenAI(api_key="-", base_url="http://turnout/v1", http_client=http, **options)


class Handling:
    """What a door sets while the app handles a request."""

    def __init__(self, turnout: Turnout, user: str, loop: Any = None) -> None:
        self.turnout = turnout
        self.loop = loop
        self.user = user
        self.outcomes: list[Any] = []

    def note(self, outcome: Any) -> None:
        self.outcomes.append(outcome)

    def find_caller(self) -> Caller:
        return Caller(user=self.user, endpoint="/ask")


@contextmanager
def handling(turnout: Turnout, user: str = "ann", loop: Any = None) -> Iterator[Handling]:
    handled = Handling(turnout, user, loop)
    token = current_request.set(handled)
    try:
        yield handled
    finally:
        current_request.reset(token)


def test_both_clients_get_completions_streams_and_tools_models_and_usage() -> None:
    """One object serves the sync and the async client, streaming and not."""
    t, provider = built({"openai/small": ["It is four."]})
    transport = t.transport()
    tools: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]

    def text_of(chunks: Iterable[Any]) -> str:
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    with blocking(transport) as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=ASK, tools=tools)
        assert raw.parse().choices[0].message.content == "It is four."
        assert raw.headers["x-turnout-tier"] == "cheap"
        assert text_of(client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)) == "It is four."
        assert client.models.retrieve("openai/small").id == "openai/small"
        assert "auto" in {model.id for model in client.models.list()}

    async def scenario() -> None:
        async with awaited(transport) as client:
            whole = await client.chat.completions.create(model="gpt-4o", messages=ASK, tools=tools)
            assert whole.choices[0].message.content == "It is four."
            assert whole.usage is not None
            assert whole.usage.total_tokens == 13
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(
                    model="gpt-4o", messages=ASK, stream=True, stream_options={"include_usage": True}
                )
            ]
            assert text_of(chunks) == "It is four."
            assert chunks[-1].usage is not None

    asyncio.run(scenario())
    assert provider.seen[0].params["tools"] == tools


@pytest.mark.parametrize(
    ("model", "asked", "tier"),
    [
        ("auto", "gpt-4o", "cheap"),
        ("auto", "small", "cheap"),
        ("auto", "expensive", "expensive"),
        ("auto", "openai/large", "expensive"),
        ("expensive", "gpt-4o", "expensive"),
        (None, "large", "expensive"),
    ],
)
def test_a_models_name_is_replaced_unless_it_is_one_of_ours(model: str | None, asked: str, tier: str) -> None:
    """Old code's `gpt-4o` is routed; a tier or a configured full name is what the code means."""
    t, _ = built()
    with httpx.Client(transport=t.transport(model=model)) as http:
        answer = http.post("http://turnout/v1/chat/completions", json={"model": asked, "messages": ASK})
    assert answer.headers["x-turnout-tier"] == tier
    assert answer.headers["x-turnout-reason"] == ("forced" if tier == "expensive" else "scored")


@pytest.mark.parametrize("model", ["auto", "cheap", None])
@pytest.mark.parametrize("target", ["expensive", "openai/large"])
def test_an_alias_is_one_of_our_names(model: str | None, target: str) -> None:
    """What the settings say that a name means is no name of old code's to be replaced."""
    t, _ = built(routing={"threshold": 0.5, "aliases": {"gpt-4o": target}})
    with httpx.Client(transport=t.transport(model=model)) as http:
        answer = http.post("http://turnout/v1/chat/completions", json={"model": "gpt-4o", "messages": ASK})
    assert (answer.headers["x-turnout-tier"], answer.headers["x-turnout-reason"]) == ("expensive", "forced")
    assert answer.headers["x-turnout-model"] == "openai/large"


def test_an_alias_of_the_cheap_tier_keeps_a_hard_request_there() -> None:
    """The tier was asked for, by the name that the app gave it; a name without a meaning here is routed."""
    t, _ = built(routing={"threshold": 0.5, "aliases": {"mini": "cheap"}})
    hard: Any = [{"role": "user", "content": "hard"}]
    with httpx.Client(transport=t.transport(model="auto")) as http:
        tiers = [
            http.post("http://turnout/v1/chat/completions", json={"model": name, "messages": hard}).headers[
                "x-turnout-tier"
            ]
            for name in ("mini", "gpt-4o")
        ]
    assert tiers == ["cheap", "expensive"]


def test_a_name_that_is_kept_must_exist() -> None:
    """`model=None`: the SDK's typed error, as over HTTP."""
    t, _ = built()
    with (
        blocking(t.transport(model=None), max_retries=0) as client,
        pytest.raises(openai.NotFoundError, match="does not exist"),
    ):
        client.chat.completions.create(model="gpt-9", messages=ASK)


def test_errors_are_statuses_so_the_sdk_raises_its_typed_ones() -> None:
    """A wrong parameter, an outage, a stream that breaks off, a path that is nobody's."""
    t, provider = built(retry={"attempts": 1})
    with blocking(t.transport(), max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="x", messages=ASK, temperature="hot")  # type: ignore[call-overload]
        assert refused.value.param == "temperature"
        with pytest.raises(openai.NotFoundError, match="in-process"):
            client.moderations.create(input="x")
        for model in ("openai/small", "openai/large"):
            provider.say(model, ProviderFailed("down", status=500))
        with pytest.raises(openai.InternalServerError) as down:
            client.chat.completions.create(model="x", messages=ASK)
        assert (down.value.status_code, down.value.code) == (503, "upstream_unavailable")
        provider.say("openai/small", Says("one two", breaks=MalformedReply("cut")))
        with pytest.raises(openai.APIError, match="broke off"):
            list(client.chat.completions.create(model="cheap", messages=ASK, stream=True))


def test_the_requests_own_turnout_caller_and_endpoint_come_along() -> None:
    """By contextvar, to the sync client and to the async one."""
    t, _ = built(cache={"scope": "user"})
    transport = turnout.transport()
    seen: list[Any] = []
    with handling(t) as handled, blocking(transport) as client:
        client.chat.completions.create(model="x", messages=ASK)
    seen += handled.outcomes

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with handling(t, "bob", loop) as handled:
            async with awaited(transport) as client:
                await client.chat.completions.create(model="x", messages=ASK)
            seen.extend(handled.outcomes)

    asyncio.run(scenario())
    assert [(outcome.user, outcome.endpoint) for outcome in seen] == [("ann", "/ask"), ("bob", "/ask")]


def test_a_blocking_client_on_the_loops_own_thread_is_told_what_to_do_at_once() -> None:
    """httpx raises it; the openai SDK, which would retry and hide it, shows it."""
    t, provider = built()

    async def scenario() -> None:
        with handling(t, loop=asyncio.get_running_loop()):
            with httpx.Client(transport=t.transport()) as http, pytest.raises(UsageError, match="AsyncOpenAI"):
                http.post("http://turnout/v1/chat/completions", json={"messages": ASK})  # noqa: ASYNC212 - that is the point
            with blocking(t.transport()) as client, pytest.raises(openai.InternalServerError, match="AsyncOpenAI"):
                client.chat.completions.create(model="x", messages=ASK)

    asyncio.run(scenario())
    assert provider.calls.total() == 0


def test_a_threads_call_goes_to_the_servers_own_loop() -> None:
    """Where there is one; the async client on another loop goes there too, streams included."""
    loops: list[Any] = []

    class Watched(ScriptedProvider):
        async def complete(self, call: Any) -> Any:
            loops.append(asyncio.get_running_loop())
            return await super().complete(call)

    config = settings("http://127.0.0.1:1/v1", cache={"enabled": False})
    t = Turnout(config, provider=Watched(), scorer=hard_or_easy())

    def in_a_thread() -> None:
        with blocking(t.transport()) as client:
            client.chat.completions.create(model="x", messages=ASK)

        async def elsewhere() -> None:
            async with awaited(t.transport()) as client:
                await client.chat.completions.create(model="x", messages=ASK)
                stream = await client.chat.completions.create(model="x", messages=ASK, stream=True)
                assert [chunk async for chunk in stream]

        asyncio.run(elsewhere())

    async def scenario() -> None:
        async with t:
            await asyncio.to_thread(in_a_thread)
            assert loops == [asyncio.get_running_loop()] * 2

    asyncio.run(scenario())


def test_the_clients_read_timeout_holds() -> None:
    """As httpx's own error, for an answer that never comes and for a stream that stops."""
    t, provider = built({"openai/small": [Hangs()]})
    with httpx.Client(transport=t.transport(), timeout=0.05) as http, pytest.raises(httpx.ReadTimeout):
        http.post("http://turnout/v1/chat/completions", json={"messages": ASK})

    async def scenario() -> None:
        async with awaited(t.transport(), timeout=0.05, max_retries=0) as client:
            with pytest.raises(openai.APITimeoutError):
                await client.chat.completions.create(model="x", messages=ASK)

    asyncio.run(scenario())
    _until(lambda: provider.open == 0)


def test_leaving_a_stream_ends_the_providers_call() -> None:
    """Closed half-read, by either client."""
    t, provider = built({"openai/small": ["word " * 5000]})
    with blocking(t.transport()) as client:
        with client.chat.completions.create(model="x", messages=ASK, stream=True) as stream:
            next(iter(stream))
            assert provider.open == 1
        _until(lambda: provider.open == 0)

    async def scenario() -> None:
        async with awaited(t.transport()) as client:
            async with await client.chat.completions.create(model="x", messages=ASK, stream=True) as stream:
                await anext(aiter(stream))
                assert provider.open == 1
            for _ in range(20):
                await asyncio.sleep(0)
            assert provider.open == 0

    asyncio.run(scenario())


def _until(true: Any) -> None:
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.005)
    raise AssertionError("never came true")


def test_outside_of_any_request_the_meant_one_is_found_or_asked_for() -> None:
    """A transport's own settings, else the only one mounted; none and several are refused."""
    code = """
import json, sys, httpx, turnout
from turnout import Turnout
from turnout.testing import FixedScorer, ScriptedProvider
from turnout.asgi import TurnoutMiddleware
config = json.loads(sys.argv[1])
def ask(transport):
    with httpx.Client(transport=transport) as http:
        return http.get("http://turnout/v1/models").status_code
def refused(transport):
    try:
        ask(transport)
    except turnout.errors.UsageError as error:
        return str(error).partition(",")[0]
def mount():
    return TurnoutMiddleware(None, turnout=Turnout(config, provider=ScriptedProvider(), scorer=FixedScorer()))
import turnout.errors
print(refused(turnout.transport()), ask(turnout.transport(config)), sep="|", end="|")
one = mount()
print(ask(turnout.transport()), end="|")
two = mount()
print(refused(turnout.transport()), ask(one.turnout.transport()), sep="|")
"""
    config = json.dumps(settings("http://127.0.0.1:1/v1"))
    completed = subprocess.run(
        [sys.executable, "-c", code, config], capture_output=True, text=True, timeout=60, check=False
    )
    assert completed.stdout.strip() == "no Turnout is mounted|200|200|2 Turnouts are mounted|200", completed.stderr


def test_an_error_tells_the_sdk_not_to_retry() -> None:
    """The SDK's retries would hold the handler, and multiply ours."""
    running, provider = built({"openai/small": [MalformedReply("no")], "openai/large": [MalformedReply("no")]})
    with (
        blocking(running.transport(), max_retries=5) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(model="cheap", messages=ASK)
    calls = sum(provider.calls.values())
    with httpx.Client(transport=running.transport()) as client:
        answer = client.post("http://turnout/v1/chat/completions", json={"model": "cheap", "messages": ASK})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (503, "false")
    assert sum(provider.calls.values()) <= 2 * calls


def test_clients_of_httpx2_are_served_too() -> None:
    """Whole, streamed and refused, asynchronous and blocking, by responses of their own library."""
    httpx2 = pytest.importorskip("httpx2")
    t, _ = built()

    async def scenario() -> None:
        async with httpx2.AsyncClient(transport=t.transport(model=None)) as http:
            client = openai.AsyncOpenAI(api_key="-", base_url="http://turnout/v1", http_client=http)
            whole = await client.chat.completions.create(model="cheap", messages=ASK)
            stream = await client.chat.completions.create(model="expensive", messages=ASK, stream=True)
            parts = [part.choices[0].delta.content or "" async for part in stream if part.choices]
            assert whole.choices[0].message.content
            assert "".join(parts)
            with pytest.raises(openai.NotFoundError):
                await client.chat.completions.create(model="none", messages=ASK)

    asyncio.run(scenario())
    with httpx2.Client(transport=t.transport(model=None)) as http:
        client = openai.OpenAI(api_key="-", base_url="http://turnout/v1", http_client=http)
        assert client.chat.completions.create(model="cheap", messages=ASK).choices[0].message.content
        stream = client.chat.completions.create(model="expensive", messages=ASK, stream=True)
        assert "".join(part.choices[0].delta.content or "" for part in stream if part.choices)
