"""Handlers that let a ServedError pass: its own status in OpenAI's shape instead of a bare 500, at both doors."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anthropic
import httpx
import httpx2
import litellm
import pytest
from fastapi import FastAPI, Request
from flask import Flask, Response, request
from langchain_openai import ChatOpenAI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import openai
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from turnout import Turnout, transport
from turnout.asgi import TurnoutMiddleware
from turnout.clock import SystemClock
from turnout.context import Caller
from turnout.doors.asgi_failures import has_started
from turnout.doors.bound import BoundTurnout
from turnout.doors.failures import HandlerFailures, is_around, served_in
from turnout.errors import RateLimitExceeded, ServedError
from turnout.testing import ManualClock, Says, ScriptedProvider
from turnout.wsgi import TurnoutMiddleware as WsgiTurnout

ROOT = Path(__file__).parents[2]
LIMITED = {"limits": {"per_user": "1/minute"}}


def config(url: str = "http://127.0.0.1:1/v1", **sections: Any) -> dict[str, Any]:
    return settings(url, **LIMITED, **sections)


def turnout(**sections: Any) -> Turnout:
    """One call a minute is answered, the next is refused with 429."""
    return Turnout(
        config(**sections),
        provider=ScriptedProvider(
            {"openai/small": [Says("four")], "openai/large": [Says("four")]}, clock=SystemClock()
        ),
    )


def refused(response: Any) -> dict[str, Any]:
    """The error of a 429 in OpenAI's shape, with when to come back."""
    assert response.status_code == 429, response.text
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = json.loads(response.text)["error"]
    assert set(error) == {"message", "type", "code", "param"}
    assert error["code"] == "rate_limit_exceeded"
    return error


def asking(app: FastAPI) -> FastAPI:
    """The app with routes that ask, and handle no error."""

    @app.get("/ask")
    async def ask(request: Request) -> str:
        answer: str = (await request.state.turnout.complete("two and two?")).text
        return answer

    @app.get("/thread")
    def thread(request: Request) -> str:
        answer: str = request.state.turnout.blocking.complete("two and two?").text
        return answer

    @app.get("/begun")
    async def begun(request: Request) -> StreamingResponse:
        async def words() -> AsyncIterator[str]:
            yield "begun "
            yield (await request.state.turnout.complete("two and two?")).text

        return StreamingResponse(words())

    return app


class _Seen(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["seen"] = str(response.status_code)
        return response


@pytest.mark.parametrize("path", ["/ask", "/thread"])
@pytest.mark.parametrize("way", ["added", "between", "around"])
def test_fastapi_answers_with_the_errors_own_status(path: str, way: str) -> None:
    """Added as a middleware, with others on both sides, or put around the app."""
    app = asking(FastAPI())
    entry: Any = app
    if way == "around":
        entry = TurnoutMiddleware(app, turnout=turnout())
    else:
        if way == "between":
            app.add_middleware(_Seen)
        app.add_middleware(TurnoutMiddleware, turnout=turnout())
        if way == "between":
            app.add_middleware(GZipMiddleware)
    with TestClient(entry) as client:
        assert client.get(path).json() == "four"
        response = client.get(path)
        refused(response)
        assert response.headers.get("seen") == ("429" if way == "between" else None)


@pytest.mark.parametrize("path", ["/ask", "/thread"])
@pytest.mark.parametrize("way", ["added", "around", "late", "used before", "below a router", "in a dispatcher"])
def test_an_app_mounted_in_another_answers_with_the_errors_own_status(path: str, way: str) -> None:
    """However deep, and whenever it was mounted; a mounted app answers for itself before the outer one learns of it."""
    app, below = FastAPI(), asking(FastAPI())
    entry: Any = app
    if way == "used before":
        assert TestClient(below).get("/").status_code == 404
    if way == "below a router":
        inner = FastAPI()
        inner.mount("/v1", below)
        app.router.routes.append(Mount("/sub", app=inner, middleware=[Middleware(GZipMiddleware)]))
    elif way != "late":
        app.mount("/sub/v1", below)
    if way in ("around", "late"):
        entry = TurnoutMiddleware(app, turnout=turnout())
    elif way == "in a dispatcher":

        async def dispatch(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        entry = TurnoutMiddleware(dispatch, turnout=turnout())
    else:
        app.add_middleware(TurnoutMiddleware, turnout=turnout())
    if way == "late":
        app.mount("/sub/v1", below)
    with TestClient(entry) as client:
        assert client.get(f"/sub/v1{path}").json() == "four"
        refused(client.get(f"/sub/v1{path}"))


def test_the_handler_of_a_mounted_app_goes_first() -> None:
    """It is left its own words."""
    app, below = FastAPI(), asking(FastAPI())
    app.mount("/sub", below)
    app.add_middleware(TurnoutMiddleware, turnout=turnout())

    @below.exception_handler(ServedError)
    async def own(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse("in our words", 418)

    with TestClient(app) as client:
        client.get("/sub/ask")
        assert client.get("/sub/ask").status_code == 418


def test_an_outage_is_503_under_a_real_server(provider: LoopbackProvider) -> None:
    """And a response that has begun breaks off, as it did."""
    provider.modes["small"] = provider.modes["large"] = "500"
    app = asking(FastAPI())
    app.add_middleware(TurnoutMiddleware, config=settings(provider.base_url))
    with served(app) as base:
        response = httpx.get(f"{base}/ask")
        assert (response.status_code, response.json()["error"]["code"]) == (503, "upstream_unavailable")
        assert int(response.headers["retry-after"]) >= 1
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{base}/begun")


@pytest.mark.parametrize("error", [ServedError, RateLimitExceeded])
def test_the_apps_own_handler_goes_first(error: type[ServedError]) -> None:
    """For the error itself, or for one kind of it."""
    app = asking(FastAPI())
    app.add_middleware(TurnoutMiddleware, turnout=turnout())

    @app.exception_handler(error)
    async def own(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse("in our words", 418)

    with TestClient(app) as client:
        client.get("/ask")
        assert client.get("/ask").status_code == 418


@pytest.mark.parametrize("why", ["debug", "off"])
def test_starlette_in_debug_mode_or_with_the_setting_off_keeps_its_own_500(why: str) -> None:
    """The page with the traceback is what a developer wants."""

    async def ask(request: Request) -> PlainTextResponse:
        return PlainTextResponse((await request.state.turnout.complete("x")).text)

    app = Starlette(debug=why == "debug", routes=[Route("/ask", ask)])
    app.add_middleware(TurnoutMiddleware, turnout=turnout(server={"explain_failures": why == "debug"}))
    with TestClient(app, raise_server_exceptions=False) as client:
        client.get("/ask")
        response = client.get("/ask")
        assert response.status_code == 500
        assert ("Traceback" in response.text) == (why == "debug")


async def _bare(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/begun":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
    text = (await scope["state"]["turnout"].complete("x")).text
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


def test_an_app_of_no_framework_is_answered_for_where_the_error_passes_the_door() -> None:
    """Before its first byte alone, and where the server tells that."""

    async def play() -> None:
        app = TurnoutMiddleware(_bare, turnout=turnout())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            assert (await client.get("/ask")).text == "four"
            refused(await client.get("/ask"))
            with pytest.raises(RateLimitExceeded):
                await client.get("/begun")

    asyncio.run(play())
    with served(TurnoutMiddleware(_bare, turnout=turnout()), lifespan="off") as base:
        assert httpx.get(f"{base}/ask").text == "four"
        refused(httpx.get(f"{base}/ask"))
    assert has_started(print) is None


ASK: list[Any] = [{"role": "user", "content": "two and two?"}]
WAYS = ["openai", "httpx", "anthropic", "langchain", "litellm", "from", "bug", "from none"]


def ask_blocking(way: str) -> str:
    """Asks as an app's own code does, that handles no error of its SDK's; or that fails while it handles one."""
    http = httpx.Client(transport=transport(), base_url="http://turnout")
    client = openai.OpenAI(api_key="-", base_url="http://turnout/v1", http_client=http)
    if way == "anthropic":
        claude = anthropic.Anthropic(
            api_key="-", base_url="http://turnout", http_client=httpx2.Client(transport=transport())
        )
        message: Any = claude.messages.create(model="claude-x", max_tokens=9, messages=ASK)
        return str(message.content[0].text)
    if way == "langchain":
        chat = ChatOpenAI(model="gpt-4o", api_key="-", base_url="http://turnout/v1", http_client=http)  # type: ignore[arg-type]
        return str(chat.invoke("two and two?").content)
    if way == "litellm":
        return str(litellm.completion("turnout/auto", ASK).choices[0].message.content)
    if way == "httpx":
        answer = http.post("/v1/chat/completions", json={"model": "auto", "messages": ASK})
        return str(answer.raise_for_status().json()["choices"][0]["message"]["content"])
    try:
        return str(client.chat.completions.create(model="gpt-4o", messages=ASK).choices[0].message.content)
    except openai.APIStatusError as error:
        if way == "from":
            raise RuntimeError("no summary") from error
        if way == "from none":
            raise RuntimeError("no summary") from None
        if way == "bug":
            json.loads("{")
        raise


async def ask_awaiting(way: str) -> str:
    """The same in an awaiting handler."""
    client = openai.AsyncOpenAI(
        api_key="-", base_url="http://turnout/v1", http_client=httpx.AsyncClient(transport=transport())
    )
    if way == "anthropic":
        claude = anthropic.AsyncAnthropic(
            api_key="-", base_url="http://turnout", http_client=httpx2.AsyncClient(transport=transport())
        )
        message: Any = await claude.messages.create(model="claude-x", max_tokens=9, messages=ASK)
        return str(message.content[0].text)
    if way == "litellm":
        return str((await litellm.acompletion("turnout/auto", ASK)).choices[0].message.content)
    try:
        return str((await client.chat.completions.create(model="gpt-4o", messages=ASK)).choices[0].message.content)
    except openai.APIStatusError as error:
        if way == "from":
            raise RuntimeError("no summary") from error
        if way == "bug":
            json.loads("{")
        raise


def check_way(way: str, response: Any) -> None:
    """A defect of the app's own keeps its 500, all else is our error."""
    if way in ("bug", "from none"):
        assert response.status_code == 500
        assert "retry-after" not in response.headers
    else:
        refused(response)


@pytest.mark.parametrize("mount", ["added", "around", "below", "used before"])
@pytest.mark.parametrize("way", WAYS)
def test_an_sdk_s_error_in_a_handler_of_fastapi_s_is_ours(way: str, mount: str) -> None:
    """Awaiting and in a thread; in an app mounted in another, too."""
    app = outer = FastAPI()
    app.add_api_route("/await/{way}", ask_awaiting)
    app.add_api_route("/thread/{way}", ask_blocking)
    path = ""
    if mount == "used before":
        assert TestClient(app).get("/").status_code == 404
    if mount in ("below", "used before"):
        outer, path = FastAPI(), "/sub"
        outer.mount("/sub", app)
    entry: Any = outer
    if mount == "around":
        entry = TurnoutMiddleware(outer, turnout=turnout())
    else:
        outer.add_middleware(TurnoutMiddleware, turnout=turnout())
    with TestClient(entry, raise_server_exceptions=False) as client:
        for place in ("thread", "await"):
            client.get(f"{path}/thread/openai")
            check_way("" if (place, way) == ("await", "from none") else way, client.get(f"{path}/{place}/{way}"))


def test_what_starlette_answers_for_other_errors_stays() -> None:
    """Its bare 500, its debug page, and an app's own words for every error."""

    async def fail(request: Request) -> None:
        if request.url.path == "/ask":
            await ask_awaiting("openai")
        raise LookupError("a bug of the app's own")

    async def own(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse("in our words", 500)

    routes = [Route("/fail", fail), Route("/ask", fail)]
    for around in (True, False):
        for app, words in (
            (Starlette(routes=routes), "Internal Server Error"),
            (Starlette(routes=routes, debug=True), "Traceback"),
            (Starlette(routes=routes, exception_handlers={Exception: own}), "in our words"),
        ):
            entry: Any = app
            if around:
                entry = TurnoutMiddleware(app, turnout=turnout())
            else:
                app.add_middleware(TurnoutMiddleware, turnout=turnout())
            with TestClient(entry, raise_server_exceptions=False) as client:
                client.post("/v1/chat/completions", json={"model": "auto", "messages": ASK})
                response = client.get("/fail")
                assert (response.status_code, words in response.text) == (500, True)
                if words != "Internal Server Error":
                    assert words in client.get("/ask").text
            with TestClient(entry) as client, pytest.raises(LookupError):
                client.get("/fail")


@pytest.mark.parametrize("way", WAYS)
def test_an_sdk_s_error_in_a_handler_of_flask_s_is_ours(way: str) -> None:
    """By what Flask tells of errors that nothing caught."""
    app, ask = flask_app()
    app.add_url_rule("/sdk/<way>", view_func=ask_blocking)
    ask("GET", "/sdk/openai")
    check_way(way, ask("GET", f"/sdk/{way}"))


def test_an_sdk_s_error_in_an_app_of_no_framework_is_ours() -> None:
    """At both doors, where it passes them."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await ask_awaiting("openai")

    def wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
        return iter([ask_blocking("openai").encode()])

    async def play() -> None:
        door = TurnoutMiddleware(app, turnout=turnout())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://app") as client:
            await client.post("/v1/chat/completions", json={"model": "auto", "messages": ASK})
            refused(await client.get("/"))

    asyncio.run(play())
    door = WsgiTurnout(wsgi, turnout=turnout())
    client = httpx.Client(transport=httpx.WSGITransport(door), base_url="http://app")
    client.post("/v1/chat/completions", json={"model": "auto", "messages": ASK})
    refused(client.get("/"))


def test_the_causes_of_an_error_are_followed_a_few_steps_alone() -> None:
    """And in no circle."""
    error = first = RuntimeError()
    for _ in range(20):
        error.__cause__ = RuntimeError()
        error = error.__cause__
    error.__cause__ = RateLimitExceeded("late")
    assert served_in(first) is None
    first.__cause__ = first
    assert served_in(first) is None


def flask_app(**more: Any) -> tuple[Flask, Callable[..., Any]]:
    """The app with routes that ask, over Turnout; and what asks it, as a server that checks the protocol would."""
    app = Flask(__name__)
    app.config.update(more.pop("flask", {}))
    app.wsgi_app = WsgiTurnout(app.wsgi_app, turnout=turnout(**more))  # type: ignore[method-assign]

    @app.get("/ask")
    def ask() -> str:
        answer: str = request.environ["turnout"].complete("two and two?").text
        return answer

    @app.get("/tell")
    def tell() -> str:
        with request.environ["turnout"].stream("two and two?") as chunks:
            return "".join(chunk.text for chunk in chunks)

    @app.get("/respond")
    def respond() -> str:
        answer: str = request.environ["turnout"].respond("two and two?").text
        return answer

    @app.get("/caught")
    def caught() -> str:
        try:
            return ask()
        except ServedError:
            raise LookupError("a bug of the app's own") from None

    @app.after_request
    def cors(response: Response) -> Response:
        response.headers["access-control-allow-origin"] = "*"
        return response

    client = httpx.Client(transport=httpx.WSGITransport(validator(app.wsgi_app)), base_url="http://app")
    return app, client.request


@pytest.mark.parametrize("path", ["/ask", "/tell", "/respond"])
def test_flask_answers_with_the_errors_own_status(path: str) -> None:
    """What the app adds to every response stays; HEAD has no body."""
    _, ask = flask_app()
    assert ask("GET", path).text.strip() == "four"
    response = ask("GET", path)
    refused(response)
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["content-length"] == str(len(response.content))
    assert (ask("HEAD", path).status_code, ask("HEAD", path).content) == (429, b"")


def test_a_500_of_the_apps_own_stays() -> None:
    """Where the error was caught, and something else failed."""
    _, ask = flask_app()
    ask("GET", "/ask")
    assert ask("GET", "/caught").status_code == 500


@pytest.mark.parametrize("error", [ServedError, Exception])
def test_flasks_own_handler_goes_first(error: type[Exception]) -> None:
    """For the error itself, or for every one."""
    app, ask = flask_app()
    app.register_error_handler(error, lambda error: ("in our words", 500))
    ask("GET", "/ask")
    assert ask("GET", "/ask").text == "in our words"


def test_flask_in_debug_mode_or_with_the_setting_off_keeps_its_own_500() -> None:
    """Its debugger, and its tests, get the error itself."""
    _, ask = flask_app(server={"explain_failures": False})
    ask("GET", "/ask")
    assert ask("GET", "/ask").status_code == 500
    _, ask = flask_app(flask={"DEBUG": True})
    ask("GET", "/ask")
    with pytest.raises(RateLimitExceeded):
        ask("GET", "/ask")


def test_a_wsgi_app_of_no_framework_is_answered_for() -> None:
    """Where it has not begun."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        text = environ["turnout"].complete("x").text
        start_response("200 OK", [("content-type", "text/plain")])
        return iter([text.encode()])

    door = WsgiTurnout(app, turnout=turnout())
    client = httpx.Client(transport=httpx.WSGITransport(validator(door)), base_url="http://app")
    assert client.get("/").text == "four"
    refused(client.get("/"))

    def begun(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("content-type", "text/plain")])
        return iter([environ["turnout"].complete("x").text.encode()])

    starts: list[str] = []

    def start_once(status: str, headers: Any, exc_info: Any = None) -> None:
        assert not starts, "as servers have it"
        starts.append(status)

    door = WsgiTurnout(begun, turnout=turnout())
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    answered: Any = door(environ, start_once)
    answered.close()
    starts.clear()
    with pytest.raises(RateLimitExceeded):
        door(environ, start_once)


DJANGO = """
import asyncio, json, sys, httpx, django, openai, turnout
from django.conf import settings
from turnout import Turnout
from turnout.clock import SystemClock
from turnout.testing import Says, ScriptedProvider
from turnout.clock import SystemClock
from turnout.asgi import TurnoutMiddleware as Asgi
from turnout.wsgi import TurnoutMiddleware as Wsgi
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x",
                   MIDDLEWARE=["django.middleware.common.CommonMiddleware"])
django.setup()
from django.http import HttpResponse
from django.urls import path
def ask(request): return HttpResponse(request.environ["turnout"].complete("x").text)
async def ask_async(request): return HttpResponse((await request.scope["state"]["turnout"].complete("x")).text)
def ask_thread(request): return HttpResponse(request.scope["state"]["turnout"].blocking.complete("x").text)
def client(kind):
    return {"http_client": kind(transport=turnout.transport()), "base_url": "http://turnout/v1", "api_key": "-"}
said = [{"role": "user", "content": "x"}]
def sdk(request):
    openai.OpenAI(**client(httpx.Client)).chat.completions.create(model="gpt-4o", messages=said)
    return HttpResponse("four")
async def sdk_async(request):
    await openai.AsyncOpenAI(**client(httpx.AsyncClient)).chat.completions.create(model="gpt-4o", messages=said)
    return HttpResponse("four")
urlpatterns = [path("ask", ask), path("ask-async", ask_async), path("ask-thread", ask_thread),
               path("sdk", sdk), path("sdk-async", sdk_async)]
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
says = {"openai/small": [Says("four")], "openai/large": [Says("four")]}
def noted(config):
    made = lambda: Turnout(config, provider=ScriptedProvider(says, clock=SystemClock()))
    told = []
    def note(response): told.append([response.status_code, response.headers.get("retry-after"), response.text[:300]])
    app = Wsgi(get_wsgi_application(), turnout=made())
    http = httpx.Client(transport=httpx.WSGITransport(app), base_url="http://app")
    http.get("/ask"); note(http.get("/ask")); note(http.get("/sdk"))
    async def awaited():
        for name in ("/ask-async", "/ask-thread", "/sdk-async", "/sdk"):
            app = Asgi(get_asgi_application(), turnout=made())
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
                await client.get(name); note(await client.get(name))
    asyncio.run(awaited())
    return told
modes = {}
for mode, config in json.loads(sys.argv[1]).items():
    settings.DEBUG = mode == "debug"
    modes[mode] = noted(config)
print(json.dumps(modes))
"""


def test_django_answers_with_the_errors_own_status() -> None:
    """Under WSGI and under ASGI, awaited views and plain ones; not in debug mode, nor with the setting off. In a
    process of its own: Django is set up once."""
    modes = {mode: config(server={"explain_failures": mode != "off"}) for mode in ("production", "debug", "off")}
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    command = [sys.executable, "-c", DJANGO, json.dumps(modes)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {mode: len(answers) for mode, answers in told.items()} == dict.fromkeys(modes, 6)
    for status, retry_after, text in told["production"]:
        assert (status, int(retry_after) >= 1) == (429, True)
        assert json.loads(text)["error"]["code"] == "rate_limit_exceeded"
    assert {(status, retry_after) for mode in ("debug", "off") for status, retry_after, _ in told[mode]} == {
        (500, None)
    }


def test_the_log_says_cause_and_remedy_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """By code: another one is told meanwhile."""
    clock = ManualClock()
    failures = HandlerFailures(clock)
    bound = BoundTurnout(turnout(), lambda: Caller(endpoint="/ask"), None)
    with caplog.at_level(logging.WARNING, "turnout"):
        for number in range(3):
            failures.reply(bound, RateLimitExceeded(f"too many requests: at most {number}."))
        failures.reply(bound, ServedError("odd"))
        assert [record.getMessage() for record in caplog.records] == [
            "turnout: /ask answered 429 rate_limit_exceeded for its handler: too many requests: at most 0. "
            "What to do: [limits] and [endpoints] say how many; Retry-After says when to come back",
            "turnout: /ask answered 500 internal_error for its handler: odd. "
            "What to do: an exception handler for turnout.errors.ServedError words the answer your way",
        ]
        asyncio.run(clock.advance(60))
        failures.reply(bound, RateLimitExceeded("again"))
        assert len(caplog.records) == 3


def test_flask_is_found_below_other_middlewares() -> None:
    """Classes that keep the app, and closures, as instrumentation wraps it."""
    inner = Flask(__name__).wsgi_app

    def closed(environ: Any, start_response: Any) -> Any:
        return inner(environ, start_response)

    assert is_around(closed, "flask")
    assert not is_around(closed, "django")
    assert not is_around(_bare, "flask")
