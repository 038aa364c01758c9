"""The ASGI door alone: what only ASGI has."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from websockets.sync.client import connect

from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.errors import SettingsError
from turnout.testing import FixedScorer, ManualClock, Says, ScriptedProvider, settle
from turnout.upstream import litellm_import

CHAT = "/v1/chat/completions"
ANN = {"x-user-id": "ann"}


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **more}


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
    litellm_import.load_litellm().in_memory_llm_clients_cache.flush_cache()
    gc.collect()


def test_the_endpoint_can_be_off(provider: LoopbackProvider) -> None:
    """`chat_path = ""`: both paths are the app's own again."""
    outer = TurnoutMiddleware(Starlette(), settings(provider.base_url, server={"chat_path": ""}))
    client = TestClient(outer)
    assert client.post(CHAT, json=body("x")).status_code == 404
    assert client.get("/v1/models").status_code == 404


def test_mounting_without_settings_says_what_to_do() -> None:
    """A clear error, not Python's own about arguments."""
    with pytest.raises(SettingsError, match=r'config="turnout\.toml"'):
        TurnoutMiddleware(Starlette())


def test_a_websocket_over_a_real_server_passes_untouched(provider: LoopbackProvider) -> None:
    """Its handler finds Turnout in its state as any other does."""
    app = FastAPI()
    app.add_middleware(TurnoutMiddleware, config=settings(provider.base_url))

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        answer = await socket.state.turnout.complete(await socket.receive_text())
        await socket.send_text(answer.text.strip())
        await socket.close()

    with served(app) as url, connect(url.replace("http", "ws") + "/ws") as socket:
        socket.send("hi")
        assert socket.recv(10) == "It is four."


def test_a_wrong_setting_fails_the_start_of_a_server_that_builds_the_app_late(tmp_path: Path) -> None:
    """Starlette builds its middleware at the first message; uvicorn must not serve on as if nothing were wrong."""
    app = tmp_path / "badly_set.py"
    app.write_text(
        "from starlette.applications import Starlette\n"
        "from turnout.asgi import TurnoutMiddleware\n"
        "tiers = {'cheap': {'models': ['openai/a']}, 'expensive': {'models': ['openai/b']}}\n"
        "app = Starlette()\n"
        "app.add_middleware(TurnoutMiddleware, config={'tiers': tiers, 'cache': {'tl_s': 5}})\n"
    )
    command = [sys.executable, "-m", "uvicorn", "badly_set:app", "--port", "0", "--app-dir", str(tmp_path)]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert completed.returncode != 0
    assert "cache.tl_s: unknown setting; did you mean ttl_s" in completed.stderr


def test_a_stream_that_never_pauses_ends_when_its_reader_leaves() -> None:
    """The next event is always there; that nobody is has to be looked at first."""

    async def scenario() -> None:
        said = [f"w{number} " for number in range(5000)]
        provider = ScriptedProvider({"openai/a": [Says("-", chunks=said)]})
        config = {"tiers": {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}}}
        app = TurnoutMiddleware(
            Starlette(), turnout=Turnout(config, provider=provider, scorer=FixedScorer(0.0), clock=ManualClock())
        )
        asked = json.dumps({"model": "cheap", "stream": True, "messages": [{"role": "user", "content": "x"}]})
        gone = asyncio.Event()
        came = [{"type": "http.request", "body": asked.encode()}]
        sent = 0

        async def receive() -> Any:
            if came:
                return came.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal sent
            sent += message["type"] == "http.response.body"
            if sent == 5:
                gone.set()

        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}
        await app(scope, receive, send)
        await settle()
        assert sent < 20
        assert provider.open == 0

    asyncio.run(scenario())


def test_a_wrong_setting_is_raised_in_a_test_client() -> None:
    """Which would wait for ever for an app that says it failed and goes on."""
    app = FastAPI()
    app.add_middleware(TurnoutMiddleware, config={"tiers": {}, "cache": {"tl_s": 5}})
    with pytest.raises(SettingsError), TestClient(app):
        pass


class Replaying:
    """An app in front of which a middleware has read the body: its `receive` gives `rest`, then what `last` gives."""

    def __init__(self, app: Any, last: Callable[[], Any]) -> None:
        self.app = app
        self.last = last

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = json.dumps({"messages": [{"role": "user", "content": "x"}], "stream": scope["path"] == "/s"}).encode()
        replayed = iter([{"type": "http.request", "body": body}])

        async def receive_again() -> Any:
            return next(replayed, None) or self.last()

        scope = {**scope, "path": "/v1/chat/completions", "headers": []}
        await self.app(scope, receive_again, send)


def _raise() -> Any:
    raise RuntimeError("the body was read already")


def _cancel() -> Any:
    raise asyncio.CancelledError


@pytest.mark.parametrize("path", ["/", "/s"])
@pytest.mark.parametrize("last", [lambda: {"type": "http.request", "body": b"x"}, _raise, _cancel])
def test_a_receive_that_only_replays_the_body_is_no_client_that_left(last: Callable[[], Any], path: str) -> None:
    """At once each time, or by raising: the answer comes, whole or streamed, and the loop keeps its turns."""

    async def scenario() -> None:
        app = Replaying(
            TurnoutMiddleware(Starlette(), turnout=Turnout(TIERS, provider=Slow({"openai/a": HELLO}))), last
        )
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async with asyncio.timeout(20):
            await app({"type": "http", "method": "POST", "path": path}, None, send)
        assert sent[0]["status"] == 200
        assert b"hello" in b"".join(message["body"] for message in sent[1:])
        assert sent[-1]["more_body"] is False

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/ask"])
def test_empty_pieces_without_end_leave_the_loop_its_turns(path: str) -> None:
    """A middleware that gives them at once each time holds up its own request alone."""

    received = 0

    async def receive() -> Any:
        nonlocal received
        received += 1
        # Else a door that gave no turns would keep this test from its end.
        assert received < 1000, "the loop had no turn"
        return {"type": "http.request", "body": b"", "more_body": True}

    async def scenario() -> None:
        door = TurnoutMiddleware(Starlette(), turnout=Turnout({**TIERS, "endpoints": {"/ask": {"prompt": "/q"}}}))
        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        waiting = asyncio.ensure_future(door(scope, receive, receive))  # type: ignore[arg-type]
        for _ in range(100):
            await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())


QUESTION = b'{"messages": [{"role": "user", "content": "x"}]}'


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([{"body": memoryview(QUESTION)}], 200),
        ([{"body": bytearray(QUESTION)}], 200),
        ([{"body": QUESTION[:9], "more_body": True}, {"body": memoryview(QUESTION)[9:]}], 200),
        ([{"body": None, "more_body": True}, {"body": QUESTION}], 200),
        ([{"type": "http.request.trace", "body": b"{"}, {"body": QUESTION}], 200),
        ([{"body": QUESTION.decode()}], 400),
        ([{"body": [1]}], 400),
    ],
)
def test_a_body_is_read_in_whatever_form_a_middleware_gives_it(messages: list[Any], status: int) -> None:
    """As any bytes; beside messages that are none of its; what is no bytes is refused by name."""
    coming = iter(messages)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", **next(coming)}

    async def send(message: Any) -> None:
        sent.append(message)

    door = TurnoutMiddleware(Starlette(), turnout=Turnout(TIERS, provider=ScriptedProvider({"openai/a": HELLO})))
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}
    asyncio.run(door(scope, receive, send))
    assert sent[0]["status"] == status
    assert (b"not as bytes" in sent[1]["body"]) == (status == 400)


@pytest.mark.parametrize("raised", [RuntimeError("my own limit"), asyncio.CancelledError("my own limit")])
def test_what_receive_raises_before_the_bodys_end_goes_back_to_who_raised_it(raised: BaseException) -> None:
    """A middleware that bounds bodies answers by itself; it is no defect of ours, and no hang-up."""

    async def receive() -> Any:
        raise raised

    async def send(message: Any) -> None:
        raise AssertionError(message)

    door = TurnoutMiddleware(Starlette(), turnout=Turnout(TIERS, provider=ScriptedProvider()))
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}
    with pytest.raises(type(raised), match="my own limit"):
        asyncio.run(door(scope, receive, send))


TIERS = {
    "tiers": {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}},
    "routing": {"threshold": 1.0},
}
HELLO = [Says("hello", chunks=["hello"])]


class Slow(ScriptedProvider):
    """Takes long enough for the caller to be watched meanwhile."""

    async def complete(self, call: Any) -> Any:
        await asyncio.sleep(0.05)
        return await super().complete(call)

    async def stream(self, call: Any) -> Any:
        await asyncio.sleep(0.05)
        async for part in super().stream(call):
            yield part
