"""The app's own endpoints at both doors: decided before the handler runs, limited, replayed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest

from tests.support import fastapi_app, flask_app
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from tests.support.wsgi_servers import validated
from turnout import Turnout
from turnout.doors.asgi_body import MOST_AT_ONCE
from turnout.doors.asgi_connection import Connection
from turnout.doors.asgi_endpoint import MOST_EMPTY, MOST_PIECES, ReadAhead
from turnout.doors.endpoints import Endpoints, prompt_at
from turnout.doors.wsgi_endpoint import read_ahead
from turnout.settings import Endpoint
from turnout.testing import FixedScorer, Says, ScriptedProvider
from turnout.wsgi import TurnoutMiddleware

HARD = {"a": [{"q": "a hard one"}]}
ANN = {"x-user-id": "ann"}


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackProvider]:
    with LoopbackProvider() as provider:
        yield provider


@pytest.fixture(scope="module", params=["uvicorn", "wsgiref"])
def url(request: pytest.FixtureRequest, running: LoopbackProvider) -> Iterator[str]:
    """An app a door whose own endpoint may be asked 3 times a minute, named by each framework's template."""
    own = {"prompt": "/a/0/q", "rate": "3/minute", "budget": "1/day"}
    config = settings(running.base_url, server={"max_body_bytes": 1000})
    if request.param == "uvicorn":
        config["endpoints"] = {"/own/{topic}": own}
        with served(fastapi_app.mounted(config)) as base:
            yield base
    else:
        config["endpoints"] = {"/own/<topic>": own}
        with validated(flask_app.mounted(config)) as base:
            yield base


def test_a_request_is_decided_limited_and_replayed(url: str, running: LoopbackProvider) -> None:
    """The decision reaches handler and headers; a call inside is not counted again; the fourth request is refused."""
    first = httpx.post(f"{url}/own/tea", json=HARD, headers=ANN)
    assert first.json() == {"tier": "expensive", "body": first.request.content.decode()}
    assert first.headers["x-turnout-tier"] == "expensive"
    assert first.headers["x-turnout-model"] == "openai/large"
    assert first.headers["x-turnout-score"] == "0.9000"
    assert first.headers["x-turnout-reason"] == "scored"
    assert first.headers["ratelimit-policy"] == '"endpoint";q=3;w=60'
    assert first.headers["ratelimit"].startswith('"endpoint";r=2;')
    assert first.headers["server-timing"].startswith("app;dur=")
    assert "inference" not in first.headers["server-timing"]
    assert running.calls.total() == 0

    called = httpx.post(f"{url}/own/milk?call=1", json={"a": "nothing to score"}, headers=ANN)
    assert called.json()["tier"] is None
    assert "x-turnout-tier" not in called.headers
    assert called.headers["ratelimit"].startswith('"endpoint";r=1;')
    assert "inference;dur=" in called.headers["server-timing"]
    assert running.calls.total() == 1

    large = {"a": [{"q": "hard " * 400}]}
    beyond = httpx.post(f"{url}/own/salt", json=large, headers=ANN)
    assert beyond.json() == {"tier": None, "body": beyond.request.content.decode()}

    refused = httpx.post(f"{url}/own/tea", json=HARD, headers=ANN)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["ratelimit"].startswith('"endpoint";r=0;')
    running.calls.clear()


def test_other_paths_are_not_looked_into(url: str) -> None:
    """No header of ours, no limit."""
    for _ in range(5):
        answer = httpx.get(f"{url}/decide", headers=ANN)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith(("x-turnout", "ratelimit", "server-timing"))]


def test_a_used_up_budget_refuses_before_the_handler_runs() -> None:
    """What a call made inside cost is the endpoint's; the next request is told 429."""
    ran: list[str] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        ran.append(environ["turnout"].complete("x", max_tokens=10).outcome.tier)
        start_response("200 OK", [])
        return []

    config = settings("http://127.0.0.1:1/v1", routing={"threshold": 0.5}, endpoints={"/own": {"budget": "0.0001/day"}})
    provider = ScriptedProvider({"openai/small": [Says("dear", prompt_tokens=10_000)]})
    door = TurnoutMiddleware(app, turnout=Turnout(config, provider=provider, scorer=FixedScorer()))
    statuses: list[str] = []
    for _ in range(2):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/own", "wsgi.input": io.BytesIO()}
        list(door(environ, lambda status, headers, *_: statuses.append(status)))
    assert statuses == ["200 OK", "429 Too Many Requests"]
    assert ran == ["cheap"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/ask", "/ask"),
        ("/ask/tea", "/ask/{topic}"),
        ("/ask/tea/now", None),
        ("/files/a/b.txt", "/files/{name:path}"),
        ("/flask/7", "/flask/<int:id>"),
        ("/flask/x/y", "/flask/<path:rest>"),
        ("/ask.", None),
        ("//ask", "/ask"),
        ("/ask/", "/ask"),
        ("//ask//tea/", "/ask/{topic}"),
        ("/files/", "/files/{name:path}"),
        ("/files/a\nb", "/files/{name:path}"),
    ],
)
def test_a_path_finds_its_setting_by_itself_or_by_its_template(path: str, name: str | None) -> None:
    """FastAPI's, Starlette's, Flask's and Django's ways of writing one."""
    actual = ["/ask", "/ask/{topic}", "/files/{name:path}", "/flask/<int:id>", "/flask/<path:rest>"]
    found = Endpoints({one: Endpoint() for one in actual}).find(path, str)
    assert (found and found[0]) == name


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("/question", "hi"),
        ("/deep/1/te~1xt", "there"),
        ("/messages", [{"role": "user", "content": "m"}]),
        ("/deep/9", None),
        ("/number", None),
        ("/deep/x", None),
        ("", None),
    ],
)
def test_a_pointer_leads_to_a_text_or_to_nothing(pointer: str, found: Any) -> None:
    """RFC 6901; what is missing or no text is the app's own to refuse."""
    body = b'{"question":"hi","number":7,"deep":[0,{"te/xt":"there"}],"messages":[{"role":"user","content":"m"}]}'
    assert prompt_at(body, pointer, 1000) == found
    assert prompt_at(b"not json", pointer, 1000) is None
    assert prompt_at(b'{"question": "x", "y": NaN}', "/question", 1000) is None


def test_a_body_of_very_many_values_is_not_looked_into() -> None:
    """To decode it would keep all other requests waiting. A long text is looked into, whatever it holds."""
    lists = b"[]," * 1000 + b"[]"
    assert prompt_at(b'{"question":"hi","lists":[' + lists + b"]}", "/question", 1000) is None
    assert prompt_at(b'{"question":"' + lists + b'"}', "/question", 1000) == lists.decode()


def test_the_asgi_app_receives_the_very_same_messages() -> None:
    """Piece by piece, whole or larger than what is looked into, and the disconnect after them."""

    async def scenario(limit: int, body: bytes) -> None:
        messages: list[Any] = [
            {"type": "http.request", "body": b"abc", "more_body": True},
            {"type": "http.request", "body": b"", "more_body": True},
            {"type": "http.request", "body": b"def", "more_body": False},
            {"type": "http.disconnect"},
        ]
        coming = iter(messages)

        async def receive() -> Any:
            return next(coming)

        ahead = ReadAhead(receive, limit)
        assert await ahead.body() == body
        received = [await ahead.receive() for _ in messages]
        assert all(one is other for one, other in zip(received, messages, strict=True))

    asyncio.run(scenario(6, b"abcdef"))
    asyncio.run(scenario(5, b""))
    asyncio.run(scenario(2, b""))


@pytest.mark.parametrize(("limit", "seen"), [(6, b"abcdef"), (5, b""), (2, b"")])
@pytest.mark.parametrize("length", ["6", None])
def test_the_wsgi_app_reads_the_very_same_body(limit: int, seen: bytes, length: str | None) -> None:
    """With a length, and without one where the server ends the input."""
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"abcdef"), "wsgi.input_terminated": length is None}
    if length:
        environ["CONTENT_LENGTH"] = length
    assert read_ahead(environ, limit) == seen
    assert environ["wsgi.input"].read(2) == b"ab"
    assert environ["wsgi.input"].read() == b"cdef"


def test_an_endless_body_is_read_ahead_no_further_than_the_limit() -> None:
    """What is too large to score is the app's to refuse: it gets what was read, and the rest as it comes."""
    received = 0

    async def scenario() -> None:
        async def receive() -> Any:
            nonlocal received
            received += 1
            return {"type": "http.request", "body": b"x" * 40, "more_body": received < 1000}

        ahead = ReadAhead(receive, 100)
        assert await ahead.body() == b""
        assert received == 3
        for _ in range(5):
            assert (await ahead.receive())["body"] == b"x" * 40
        assert received == 5

    asyncio.run(scenario())


@pytest.mark.parametrize(("piece", "kept"), [(b"", MOST_EMPTY), (b"x", MOST_PIECES)])
def test_very_many_pieces_are_read_ahead_no_further_than_the_bound(piece: bytes, kept: int) -> None:
    """Each is kept for the app, which gets them, and the rest as it comes."""
    message = {"type": "http.request", "body": piece, "more_body": True}
    received = 0

    async def receive() -> Any:
        nonlocal received
        received += 1
        assert received < 2 * kept, "it reads on and on"
        return message

    async def scenario() -> None:
        ahead = ReadAhead(receive, 10 * kept)
        assert await ahead.body() == b""
        assert received == kept + 1
        for _ in range(kept + 1):
            assert await ahead.receive() is message
        assert received == kept + 1

    asyncio.run(scenario())


@pytest.mark.parametrize("ahead", [True, False])
def test_a_body_of_single_bytes_leaves_the_loop_its_turns(ahead: bool) -> None:
    """A middleware outside may have all of them at hand, and never wait."""
    size, turns = 50 * MOST_AT_ONCE, 0
    coming = iter(range(size, 0, -1))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x", "more_body": next(coming) > 1}

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario() -> None:
        waiting = asyncio.ensure_future(others())
        read = ReadAhead(receive, size).body() if ahead else Connection(receive, receive).read_body(size)  # type: ignore[arg-type]
        assert await read == b"x" * size
        assert turns >= 49
        waiting.cancel()

    asyncio.run(scenario())


def test_the_app_receives_what_is_no_body_too() -> None:
    """A piece that is no bytes ends the look ahead; a message of another type does not."""

    async def scenario(messages: list[Any], body: bytes) -> None:
        coming = iter(messages)

        async def receive() -> Any:
            return next(coming)

        ahead = ReadAhead(receive, 100)
        assert await ahead.body() == body
        assert [await ahead.receive() for _ in messages] == messages

    other, end = {"type": "http.request.trace"}, {"type": "http.request", "body": b"abc"}
    asyncio.run(scenario([other, end], b"abc"))
    asyncio.run(scenario([{"type": "http.request", "body": "abc"}, end], b""))


def test_a_setting_without_converter_is_found_by_the_routes_template() -> None:
    """What the framework serves the path by, its parameters without name and converter."""
    endpoints = Endpoints({"/files/<name>": Endpoint(), "/item/{id}/": Endpoint()})
    assert endpoints.find("/files/a/b", lambda: "/files/{rest:path}") is not None
    assert endpoints.find("/item/7/x", lambda: "/item/<path:number>") is not None
    assert endpoints.find("/other/7", lambda: "/other/{id}") is None
