"""The ASGI door over real HTTP: uvicorn, the openai SDK, litellm, a loopback provider."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from turnout.asgi import TurnoutMiddleware
from turnout.assembly import Turnout
from turnout.errors import SettingsError
from turnout.testing import FixedScorer
from turnout.upstream import litellm_import

CHAT = "/v1/chat/completions"
ANN = {"x-user-id": "ann"}


def mounted(provider: LoopbackProvider, **sections: Any) -> FastAPI:
    """A FastAPI app with routes of its own, and Turnout in one line."""
    app = FastAPI()
    config = settings(provider.base_url, **sections)
    app.add_middleware(TurnoutMiddleware, turnout=Turnout(config, scorer=FixedScorer(0.1, scores={"hard": 0.9})))

    @app.get("/ask/{topic}")
    async def ask(topic: str, request: Request) -> dict[str, Any]:
        answer = await request.state.turnout.complete(topic)
        return {"text": answer.text, "user": answer.outcome.user, "endpoint": answer.outcome.endpoint}

    @app.get("/decide")
    async def decide(request: Request) -> dict[str, Any]:
        decision = await request.state.turnout.decide("a hard one")
        return {"tier": decision.tier}

    @app.get("/words")
    async def words(request: Request) -> StreamingResponse:
        async def told() -> AsyncIterator[str]:
            async for chunk in request.state.turnout.stream("x"):
                yield chunk.text

        return StreamingResponse(told(), media_type="text/plain")

    return app


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackProvider]:
    """One provider for the module."""
    with LoopbackProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def url(running: LoopbackProvider) -> Iterator[str]:
    """One app for the module."""
    with served(mounted(running, server={"max_body_bytes": 20_000})) as base:
        yield base


@pytest.fixture(autouse=True)
def healthy(running: LoopbackProvider) -> None:
    """Each test begins with a healthy provider and no calls counted."""
    running.modes.clear()
    running.calls.clear()
    running.bodies.clear()


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **more}


def test_a_miss_then_a_hit_tell_what_was_decided(url: str, running: LoopbackProvider) -> None:
    """Tier, model, score, reason, cache and time in the headers; the real model in the body; one call."""
    miss = httpx.post(url + CHAT, json=body("a hard one"), headers=ANN)
    assert miss.status_code == 200
    assert miss.json()["model"] == "large-2026"
    told = {name: miss.headers[name] for name in miss.headers if name.startswith("x-turnout")}
    assert told == {
        "x-turnout-tier": "expensive",
        "x-turnout-model": "openai/large",
        "x-turnout-score": "0.9000",
        "x-turnout-reason": "scored",
    }
    assert miss.headers["cache-status"] == "turnout; fwd=miss; stored"
    assert "inference;dur=" in miss.headers["server-timing"]
    hit = httpx.post(url + CHAT, json=body("a hard one"), headers=ANN)
    assert hit.json() == miss.json()
    assert (hit.headers["cache-status"], hit.headers["x-turnout-reason"]) == ("turnout; hit", "cache")
    assert hit.headers["x-turnout-score"] == "0.9000"
    assert "inference" not in hit.headers["server-timing"]
    assert running.calls.total() == 1


def test_the_openai_sdk_gets_completions_streams_usage_and_models(url: str) -> None:
    """The sync client, streaming and not, tools included."""
    client = openai.OpenAI(api_key="-", base_url=f"{url}/v1", default_headers=ANN, max_retries=0)
    whole = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "sdk"}])
    assert whole.choices[0].message.content == "It is four."
    assert whole.usage is not None
    assert whole.usage.total_tokens == 11
    for _ in ("miss", "hit"):
        chunks = list(
            client.chat.completions.create(
                model="auto",
                messages=[{"role": "user", "content": "sdk stream"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text.strip() == "It is four."
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 4
        assert all(chunk.usage is None for chunk in chunks[:-1])
        assert {chunk.model for chunk in chunks} == {"small-2026"}
    tools: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    called = client.chat.completions.create(model="cheap", messages=[{"role": "user", "content": "add"}], tools=tools)
    assert called.choices[0].finish_reason == "tool_calls"
    assert called.choices[0].message.tool_calls is not None
    assert {"auto", "cheap", "expensive", "openai/small"} <= {model.id for model in client.models.list()}
    client.close()


def test_the_openai_sdk_gets_typed_errors(url: str, running: LoopbackProvider) -> None:
    """Unknown model, wrong parameter, a provider's refusal and its outage."""
    client = openai.OpenAI(api_key="-", base_url=f"{url}/v1", default_headers=ANN, max_retries=0)

    def ask(**change: Any) -> None:
        client.chat.completions.create(**{**body("errors"), **change})

    with pytest.raises(openai.NotFoundError, match="does not exist"):
        ask(model="gpt-9")
    with pytest.raises(openai.BadRequestError) as refused:
        ask(temperature="hot")
    assert refused.value.param == "temperature"
    surrogate = b'{"model":"auto","messages":[{"role":"user","content":"\\ud800"}]}'
    raw = httpx.post(url + CHAT, content=surrogate, headers={**ANN, "content-type": "application/json"})
    assert raw.status_code == 400
    assert "lone surrogate" in raw.json()["error"]["message"]
    running.modes.update(small="422", large="422")
    with pytest.raises(openai.UnprocessableEntityError):
        ask()
    running.modes.update(small="500", large="500")
    with pytest.raises(openai.InternalServerError) as down:
        ask(messages=[{"role": "user", "content": "outage"}])
    assert down.value.status_code == 503
    assert down.value.code == "upstream_unavailable"
    assert down.value.response.headers["retry-after"] == "1"
    client.close()


@pytest.mark.parametrize(
    ("request_args", "status", "code"),
    [
        ({"content": b"{"}, 400, "invalid_request_error"),
        ({"content": b"\xff\xfe"}, 400, "invalid_request_error"),
        ({"content": b"x" * 30_000}, 413, "request_too_large"),
        ({"content": b"{}", "headers": {"content-type": "text/xml"}}, 415, "unsupported_media_type"),
        ({"content": b"{}", "method": "PUT"}, 405, "method_not_allowed"),
        ({"content": b"{}", "headers": {"x-turnout-deadline-ms": "soon"}}, 400, "invalid_request_error"),
    ],
    ids=["json", "utf8", "large", "type", "method", "deadline"],
)
def test_what_is_malformed_is_told_in_openais_shape(
    url: str, request_args: dict[str, Any], status: int, code: str
) -> None:
    """Never a traceback; the request id is always there."""
    headers = {"content-type": "application/json", **ANN, **request_args.pop("headers", {})}
    answer = httpx.request(request_args.pop("method", "POST"), url + CHAT, headers=headers, **request_args)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "code", "param"}
    assert answer.json()["error"]["code"] == code
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_body_without_a_length_is_bounded_too(url: str) -> None:
    """Chunked upload beyond the limit: 413."""

    def parts() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 1000

    assert httpx.post(url + CHAT, content=parts(), headers=ANN).status_code == 413


@pytest.mark.parametrize("mode", ["truncated", "html", "no_choices", "error_in_200", "500", "401", "404"])
def test_what_a_sick_provider_sends_is_not_passed_on(url: str, running: LoopbackProvider, mode: str) -> None:
    """The other tier answers for it."""
    running.modes["large"] = mode
    answer = httpx.post(url + CHAT, json=body(f"hard {mode}"), headers=ANN)
    assert (answer.status_code, answer.headers["x-turnout-model"]) == (200, "openai/small")
    assert answer.headers["x-turnout-reason"] == "fallback"


@pytest.mark.parametrize("mode", ["cut", "half_frame"])
def test_a_stream_that_breaks_off_says_so(url: str, running: LoopbackProvider, mode: str) -> None:
    """One error event, no [DONE], nothing cached: not taken for a finished answer."""
    running.modes["small"] = mode
    answer = httpx.post(url + CHAT, json=body(f"break {mode}", stream=True), headers=ANN)
    events = [line for line in answer.text.split("\n\n") if line]
    assert '"error"' in events[-1]
    assert "[DONE]" not in answer.text
    running.modes.clear()
    again = httpx.post(url + CHAT, json=body(f"break {mode}"), headers=ANN)
    assert again.headers["cache-status"] == "turnout; fwd=miss; stored"


def test_usage_is_counted_where_the_provider_tells_none(url: str, running: LoopbackProvider) -> None:
    """The body holds it all the same."""
    running.modes["small"] = "no_usage"
    told = httpx.post(url + CHAT, json=body("count me"), headers=ANN).json()["usage"]
    assert told["completion_tokens"] == 3
    assert told["prompt_tokens"] >= 2


def test_a_client_that_leaves_ends_the_providers_call(url: str, running: LoopbackProvider) -> None:
    """In mid-stream: the provider sees its connection closed, soon."""
    running.modes["small"] = "endless"
    running.gone.clear()
    with httpx.stream("POST", url + CHAT, json=body("endless", stream=True), headers=ANN) as answer:
        assert next(answer.iter_lines()).startswith("data:")
    assert running.gone.wait(5)


def test_a_slow_client_holds_the_provider_back(url: str, running: LoopbackProvider) -> None:
    """What the provider may send ahead is bounded."""
    running.modes["small"] = "endless"
    running.sent = 0
    with httpx.stream("POST", url + CHAT, json=body("slow reader", stream=True), headers=ANN) as answer:
        next(answer.iter_lines())
        time.sleep(1.0)
        early = running.sent
        time.sleep(1.0)
        # By then every buffer on the way is full: what is sent in the second second is close to nothing.
        assert running.sent - early < 60


def test_a_providers_own_parameters_reach_it_and_ours_never_leave(url: str, running: LoopbackProvider) -> None:
    """top_k travels in the body; api_base in a body is no way to aim the call elsewhere."""
    more = {"top_k": 3, "api_base": "http://127.0.0.1:1/v1", "mock_response": "gotcha", "turnout": {"tag": "x"}}
    answer = httpx.post(url + CHAT, json=body("extra", **more), headers=ANN)
    assert answer.json()["choices"][0]["message"]["content"] == "It is four."
    assert running.bodies[-1]["top_k"] == 3
    assert "turnout" not in running.bodies[-1]


def test_a_handler_asks_for_the_right_caller(url: str) -> None:
    """User and route template reach a call made inside a handler; decide and stream work there too."""
    told = httpx.get(f"{url}/ask/tea", headers=ANN).json()
    assert told == {"text": "It is four.", "user": "ann", "endpoint": "/ask/{topic}"}
    assert httpx.get(f"{url}/decide").json() == {"tier": "expensive"}
    assert httpx.get(f"{url}/words").text.strip() == "It is four."


def test_a_lower_deadline_is_kept(url: str, running: LoopbackProvider) -> None:
    """504 in OpenAI's shape, near the time asked for."""
    running.modes["small"] = "slow"
    headers = {**ANN, "x-turnout-deadline-ms": "100"}
    answer = httpx.post(url + CHAT, json=body("late"), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")


def test_what_is_not_ours_passes_untouched(provider: LoopbackProvider) -> None:
    """Websockets, lifespan, uploads, streams and background tasks; the very same receive and send."""
    seen: list[Any] = []
    done: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        done.append("up")
        yield {"pool": "theirs"}
        done.append("down")

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    @app.post("/upload")
    async def upload(request: Request) -> JSONResponse:
        size = sum([len(part) async for part in request.stream()])
        return JSONResponse({"size": size}, background=BackgroundTask(done.append, "background"))

    @app.get("/state")
    async def state(request: Request) -> dict[str, Any]:
        return {"pool": request.state.pool, "turnout": hasattr(request.state, "turnout")}

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append((receive, send))
        await app(scope, receive, send)

    outer = TurnoutMiddleware(inner, settings(provider.base_url))
    with TestClient(outer) as client:
        with client.websocket_connect("/ws") as socket:
            socket.send_text("echo")
            assert socket.receive_text() == "echo"
        assert client.post("/upload", content=b"x" * 100_000).json() == {"size": 100_000}
        assert client.get("/state").json() == {"pool": "theirs", "turnout": True}
    assert done == ["up", "background", "down"]

    async def direct() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_: Any) -> None:
            return None

        scope = {"type": "http", "path": "/nowhere", "method": "GET", "headers": [], "query_string": b""}
        await outer(scope, receive, send)
        assert seen[-1] == (receive, send)
        assert set(scope["state"]) == {"turnout"}

    asyncio.run(direct())


# A loop a request leaves litellm's connections to loops that are gone: nobody can close those any more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_under_a_sub_path_of_plain_starlette(provider: LoopbackProvider) -> None:
    """Mounted, with neither lifespan nor a running loop beforehand: a bare TestClient, a loop a request."""

    async def home(request: Any) -> PlainTextResponse:
        return PlainTextResponse("home")

    inner = TurnoutMiddleware(Starlette(routes=[Route("/", home)]), settings(provider.base_url))
    client = TestClient(Starlette(routes=[Mount("/llm", app=inner)]))
    for number in range(3):
        answer = client.post("/llm" + CHAT, json=body(f"sub {number}"), headers=ANN)
        assert answer.status_code == 200
    assert client.get("/llm/v1/models").json()["object"] == "list"
    assert client.get("/llm/").text == "home"
    assert client.post(CHAT, json=body("x")).status_code == 404
    assert provider.calls.total() == 3
    litellm_import.load().in_memory_llm_clients_cache.flush_cache()
    gc.collect()


def test_the_endpoint_can_be_off(provider: LoopbackProvider) -> None:
    """`chat_path = ""`: both paths are the app's own again."""
    outer = TurnoutMiddleware(Starlette(), settings(provider.base_url, server={"chat_path": ""}))
    client = TestClient(outer)
    assert client.post(CHAT, json=body("x")).status_code == 404
    assert client.get("/v1/models").status_code == 404


def test_one_model_is_told_of_and_an_unknown_one_is_not(url: str) -> None:
    """`GET /v1/models/{id}`, the id holding a slash or not."""
    client = openai.OpenAI(api_key="-", base_url=f"{url}/v1", max_retries=0)
    assert client.models.retrieve("openai/small").id == "openai/small"
    assert client.models.retrieve("auto").object == "model"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("gpt-9")
    assert unknown.value.code == "model_not_found"
    assert httpx.post(f"{url}/v1/models/auto").status_code == 405
    client.close()


def test_mounting_without_settings_says_what_to_do() -> None:
    """A clear error, not Python's own about arguments."""
    with pytest.raises(SettingsError, match=r'config="turnout\.toml"'):
        TurnoutMiddleware(Starlette())
