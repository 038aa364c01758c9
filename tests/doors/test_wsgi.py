"""The WSGI door alone: what only WSGI has."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import httpx
import pytest

from tests.support.apps import settings
from tests.support.provider import LoopbackProvider
from tests.support.scorers import hard_or_easy
from tests.support.wsgi_servers import gunicorn
from turnout import Turnout
from turnout.clock import SystemClock
from turnout.context import current_request
from turnout.errors import SettingsError
from turnout.testing import Hangs, Says, ScriptedProvider
from turnout.wsgi import TurnoutMiddleware

CHAT = "/v1/chat/completions"
POST = {"REQUEST_METHOD": "POST"}


def environ(path: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
    """A request as a server would hand it in."""
    made: dict[str, Any] = {"PATH_INFO": path, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), **more}
    setup_testing_defaults(made)
    return made


def asked(text: str, **more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


def over(app: Any, script: Any = None, **sections: Any) -> tuple[TurnoutMiddleware, ScriptedProvider]:
    """The app under Turnout, over a provider that plays a script."""
    provider = ScriptedProvider(script, clock=SystemClock())
    turnout = Turnout(settings("http://127.0.0.1:1/v1", **sections), provider=provider, scorer=hard_or_easy())
    return TurnoutMiddleware(app, turnout=turnout), provider


class Started:
    """A `start_response` that remembers."""

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = status
        self.headers = dict(headers)


def test_what_is_not_ours_passes_untouched() -> None:
    """The very same environ and start_response; lists and files come back as they are; one key is added."""
    seen: list[Any] = []
    bodies: list[Iterable[bytes]] = [[b"a", b"b"], (b"c",), FileWrapper(io.BytesIO(b"file"))]

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.append((environ, start_response))
        return bodies[len(seen) - 1]

    door, _ = over(app)
    for body in bodies:
        start = Started()
        given = environ("/elsewhere", b"payload", **{"wsgi.file_wrapper": FileWrapper})
        before = dict(given)
        assert door(given, start) is body
        assert seen[-1][0] is given
        assert seen[-1][1] is start
        assert given.pop("turnout") is not None
        assert given == before
        assert given["wsgi.input"].read() == b"payload"
        assert current_request.get() is None


def test_a_streamed_response_of_the_apps_belongs_to_its_request_until_it_is_closed() -> None:
    """Its generator runs in the request's name; afterwards the thread is nobody's again, also after an error."""
    closed: list[bool] = []

    def words() -> Iterator[bytes]:
        try:
            handled = current_request.get()
            assert handled is not None
            yield handled.find_caller().user.encode()
            yield b"never read"
        finally:
            closed.append(current_request.get() is not None)

    door, _ = over(lambda environ, start_response: words())
    body: Any = door(environ("/words", HTTP_X_USER_ID="ann"), Started())
    assert next(iter(body)) == b"ann"
    body.close()
    assert closed == [True]
    assert current_request.get() is None

    def broken(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise LookupError("the app's own")

    with pytest.raises(LookupError):
        over(broken)[0](environ("/"), Started())
    assert current_request.get() is None


def test_a_response_closed_by_another_thread_is_closed_all_the_same() -> None:
    """Some servers do."""
    done = threading.Event()

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def close(self) -> None:
            done.set()

    door, _ = over(lambda environ, start_response: Body())
    with ThreadPoolExecutor(1) as pool:
        body: Any = pool.submit(door, environ("/"), Started()).result()
    body.close()
    assert done.is_set()


def test_closing_a_stream_early_ends_the_providers_call() -> None:
    """`close()`, as a server does when a write fails."""
    # Slow, so that the answer cannot be over before the assertion, however much is read ahead.
    door, provider = over(None, {"openai/small": [Says("one two three " * 40, between_s=0.05)]})
    start = Started()
    body: Any = door(environ(CHAT, asked("x", stream=True), REQUEST_METHOD="POST"), start)
    assert start.status == "200 OK"
    assert next(body).startswith(b"data: ")
    assert provider.open == 1
    body.close()
    _until(lambda: provider.open == 0)


def _until(true: Any) -> None:
    """Returns once it is true: another thread sees to it."""
    for _ in range(2000):
        if true():
            return
        threading.Event().wait(0.005)
    raise AssertionError("never came true")


def test_blocking_verbs_stream_and_say_their_outcome() -> None:
    """`environ["turnout"]`: chunks, the outcome, a `with` block that ends the call."""
    collected: dict[str, Any] = {}

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        turnout = environ["turnout"]
        collected["whole"] = turnout.complete("hard question").outcome.tier
        stream = turnout.stream("easy")
        collected["text"] = "".join(chunk.text for chunk in stream)
        collected["outcome"] = stream.outcome.tier
        with turnout.stream("another " * 60) as left:
            collected["first"] = next(left).to_openai()["choices"][0]["delta"]
        collected["decision"] = turnout.decide("hard").tier
        return []

    door, provider = over(app, {"openai/small": ["four " * 60], "openai/large": ["five"]})
    door(environ("/"), Started())
    assert collected == {
        "whole": "expensive",
        "text": ("four " * 60),
        "outcome": "cheap",
        "first": {"role": "assistant", "content": ""},
        "decision": "expensive",
    }
    _until(lambda: provider.open == 0)


def test_the_apps_own_callable_says_who_asks() -> None:
    """`user=` gets the environ, in the request's own thread; what it gives must be a text."""
    threads: list[int] = []

    def who(environ: Any) -> str:
        threads.append(threading.get_ident())
        return f"user-{environ['REMOTE_ADDR']}"

    turnout = Turnout(settings("http://127.0.0.1:1/v1"), provider=ScriptedProvider(), scorer=hard_or_easy())
    seen: list[str] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.append(environ["turnout"].complete("x").outcome.user)
        return []

    TurnoutMiddleware(app, user=who, turnout=turnout)(environ("/", REMOTE_ADDR="10.0.0.1"), Started())
    assert seen == ["user-10.0.0.1"]
    assert threads == [threading.get_ident()]
    start = Started()
    wrong = TurnoutMiddleware(app, user=lambda environ: 7, turnout=turnout)  # type: ignore[arg-type,return-value]
    wrong(environ(CHAT, asked("x"), REQUEST_METHOD="POST"), start)
    assert start.status == "500 Internal Server Error"


def test_an_input_without_a_length_is_read_only_where_the_server_ends_it() -> None:
    """PEP 3333: without CONTENT_LENGTH there is no body, unless `wsgi.input_terminated` says otherwise."""
    door, _ = over(None)
    for terminated, status in ((False, "400 Bad Request"), (True, "200 OK")):
        start = Started()
        given = environ(CHAT, asked("x"), REQUEST_METHOD="POST", **{"wsgi.input_terminated": terminated})
        del given["CONTENT_LENGTH"]
        door(given, start)
        assert start.status == status


@pytest.mark.parametrize(("code", "status"), [(400, "400"), (413, "413"), (None, "400")])
def test_an_input_that_the_server_cannot_read_is_the_clients_fault(code: int | None, status: str) -> None:
    """A broken chunk, as gunicorn raises it from the read, at our own path and at one of the app's."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            error = OSError("Invalid chunk size")
            error.code = code  # type: ignore[attr-defined]
            raise error

    door, _ = over(None, endpoints={"/ask": {"prompt": "/question"}})
    for path in (CHAT, "/ask"):
        start = Started()
        door({**environ(path, b"x", REQUEST_METHOD="POST"), "wsgi.input": Broken()}, start)
        assert start.status.split()[0] == status
        assert "chunk" not in str(start.headers)


def test_mounting_without_settings_says_what_to_do() -> None:
    """A clear error, not Python's own about arguments."""
    with pytest.raises(SettingsError, match=r'config="turnout\.toml"'):
        TurnoutMiddleware(lambda environ, start_response: [])


# Loaded after the fork, each worker imports litellm anew: as few as show it.
@pytest.mark.parametrize(
    ("requests", "workers", "options"),
    [(12, 1, ("--max-requests", "10")), (60, 2, ("--max-requests", "25", "--preload"))],
    ids=["load-after-fork", "preload"],
)
def test_recycled_workers_lose_nothing_and_end_when_told(
    provider: LoopbackProvider, requests: int, workers: int, options: tuple[str, ...]
) -> None:
    """Prefork with max_requests: every request is answered, also while workers come and go; the end is soon."""
    with gunicorn(settings(provider.base_url), "--workers", str(workers), *options) as server:

        def ask(number: int) -> tuple[int, int]:
            with httpx.Client(base_url=server.url, timeout=30) as client:
                stream = number % 3 == 0
                content = asked(f"question {number}", stream=stream)
                answer = client.post(CHAT, content=content, headers={"content-type": "application/json"})
                assert answer.text.endswith("data: [DONE]\n\n") if stream else answer.json()["choices"]
                return answer.status_code, client.get("/pid").json()["pid"]

        with ThreadPoolExecutor(8) as pool:
            actual = list(pool.map(ask, range(requests)))
        assert Counter(status for status, _ in actual) == {200: requests}
        served = {pid for _, pid in actual}
        _until(lambda: served.add(httpx.get(f"{server.url}/pid", timeout=30).json()["pid"]) or len(served) > workers)
        took = server.stop()
    assert server.process.returncode == 0
    # Unladen it takes 0.4 s, a bare app's 0.3; a hang would take the 5 s of grace and then a kill.
    assert took < 4


def test_a_server_of_one_worker_and_one_thread_serves_its_own_sdk_code(provider: LoopbackProvider) -> None:
    """Over HTTP it would wait for itself."""
    options = ("--workers", "1", "--threads", "1", "--worker-class", "sync")
    with gunicorn(settings(provider.base_url), *options) as server:
        actual = httpx.get(f"{server.url}/sdk", timeout=30).json()
    assert actual == {"streamed": "It is four.", "called": "add"}


def test_a_client_that_hangs_up_frees_its_thread() -> None:
    """Under a server that shows its socket: the call ends at once."""
    app, provider = over(None, {name: [Hangs()] for name in ("openai/small", "openai/large")})
    ours, theirs = socket.socketpair()
    started = Started()
    with ThreadPoolExecutor(1) as pool, ours:
        answer = pool.submit(app, environ(CHAT, asked("hello"), **POST, **{"gunicorn.socket": ours}), started)
        _until(lambda: bool(provider.calls))
        theirs.close()
        assert answer.result(10) == []
    assert started.status.startswith("499")


def test_a_client_that_left_before_its_turn_costs_nothing() -> None:
    """It waited for a thread and hung up: no call is made for it."""
    app, provider = over(None)
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        assert app(environ(CHAT, asked("hello"), **POST, **{"gunicorn.socket": ours}), Started()) == []
    assert not provider.calls


def test_a_request_that_comes_right_behind_is_no_hang_up() -> None:
    """Pipelined bytes stay to be read by the server."""
    app, _ = over(None)
    ours, theirs = socket.socketpair()
    started = Started()
    with ours, theirs:
        theirs.sendall(b"GET / HTTP/1.1\r\n")
        answer = app(environ(CHAT, asked("hello"), **POST, **{"gunicorn.socket": ours}), started)
        assert json.loads(b"".join(answer))["choices"]
        assert ours.recv(3) == b"GET"
    assert started.status == "200 OK"
