"""The other protocols over real HTTP at both doors, in-process, and beside the app's own routes."""

from __future__ import annotations

import logging
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from fastapi import FastAPI
from flask import Flask

import openai
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.wsgi import TurnoutMiddleware as WsgiMiddleware

MESSAGES: Any = [{"role": "user", "content": "What is 2 + 2?"}]
ANN = {"x-user-id": "ann"}


def test_one_question_is_one_entry_whatever_asks(url: str, provider: LoopbackProvider) -> None:
    """Asked by chat completions, Messages and Responses: one call, the others are hits of the same decision."""
    provider.calls.clear()
    ask = {"model": "auto", "messages": [{"role": "user", "content": f"one entry at {url}"}], "max_tokens": 40}
    with httpx.Client(base_url=url, headers=ANN) as http:
        first = http.post("/v1/chat/completions", json=ask)
        second = http.post("/v1/messages", json=ask)
        responses = {"model": "auto", "input": ask["messages"]}
        http.post("/v1/chat/completions", json={"model": "auto", "messages": ask["messages"]})
        third = http.post("/v1/responses", json=responses)
    for hit in (second, third):
        assert hit.headers["cache-status"] == "turnout; hit"
        assert hit.headers["x-turnout-score"] == first.headers["x-turnout-score"]
        assert hit.headers["x-turnout-cost-usd"] in ("0", "0.0", "0.000000")
    assert sum(provider.calls.values()) == 2
    assert second.json()["content"] == [{"type": "text", "text": "It is four."}]
    assert third.json()["output"][0]["content"][0]["text"] == "It is four."


def test_one_question_is_one_decision_and_one_bill_whatever_asks(url: str, provider: LoopbackProvider) -> None:
    """Asked afresh by four protocols: the same body to the provider, the same decision, the same cost."""
    ask = {"model": "auto", "max_tokens": 40, "messages": [{"role": "system", "content": "Be brief."}, *MESSAGES]}
    bodies = {
        "/v1/chat/completions": ask,
        "/v1/messages": {"model": "auto", "max_tokens": 40, "system": "Be brief.", "messages": MESSAGES},
        "/v1/responses": {"model": "auto", "instructions": "Be brief.", "input": MESSAGES, "max_output_tokens": 40},
    }
    decisions, sent = set(), []
    with httpx.Client(base_url=url, headers={**ANN, "cache-control": "no-store"}) as http:
        for path, body in bodies.items():
            got = http.post(path, json=body)
            assert got.headers["cache-status"] == "turnout; fwd=request", got.text
            told = ("tier", "model", "score", "reason", "cost-usd")
            decisions.add(tuple(got.headers[f"x-turnout-{name}"] for name in told))
            sent.append(provider.bodies[-1])
    assert len(decisions) == 1
    assert float(next(iter(decisions))[-1]) > 0
    said = [[(message["role"], message["content"]) for message in body["messages"]] for body in sent]
    assert said[0] == said[1] == said[2]


def test_streams_of_both_protocols_arrive(url: str) -> None:
    """By the SDKs, with the threads' clients."""
    with (
        anthropic.Anthropic(api_key="-", base_url=url, default_headers=ANN) as claude,
        claude.messages.stream(model="auto", max_tokens=40, messages=MESSAGES) as stream,
    ):
        assert "".join(stream.text_stream).strip() == "It is four."
    with (
        openai.OpenAI(api_key="-", base_url=f"{url}/v1", default_headers=ANN) as client,
        client.responses.stream(model="auto", input="What is 2 + 2?") as events,
    ):
        assert events.get_final_response().output_text.strip() == "It is four."


def test_a_stream_that_breaks_off_says_so(url: str, provider: LoopbackProvider) -> None:
    """An error event of each protocol's own, and no end."""
    provider.modes.update(small="cut", large="cut")
    try:
        with httpx.Client(base_url=url, headers=ANN) as http:
            body = {"model": "auto", "stream": True}
            messages = http.post("/v1/messages", json={**body, "max_tokens": 9, "messages": MESSAGES}).text
            responses = http.post("/v1/responses", json={**body, "input": "cut me"}).text
    finally:
        provider.modes.clear()
    assert messages.rstrip().splitlines()[-2] == "event: error"
    assert "message_stop" not in messages
    assert responses.rstrip().splitlines()[-2] == "event: response.failed"


def test_sdk_code_in_a_handler_is_routed_in_process(provider: LoopbackProvider) -> None:
    """Both SDKs, no socket."""
    turnout = Turnout(settings(provider.base_url))
    with (
        httpx2.Client(transport=turnout.transport()) as http,
        anthropic.Anthropic(api_key="-", base_url="http://turnout", http_client=http) as claude,
    ):
        message = claude.messages.create(model="claude-x", max_tokens=40, messages=MESSAGES)
        assert message.content[0].text == "It is four."
        assert claude.messages.count_tokens(model="claude-x", messages=MESSAGES).input_tokens > 0
    with openai.OpenAI(
        api_key="-", base_url="http://turnout/v1", http_client=httpx.Client(transport=turnout.transport())
    ) as client:
        response = client.responses.create(model="gpt-5", input="What is 2 + 2?")
        assert client.responses.retrieve(response.id).output_text == "It is four."


def test_the_apps_own_route_goes_first(provider: LoopbackProvider, caplog: pytest.LogCaptureFixture) -> None:
    """At just this path; said once. A catch-all does not count, and a path can be named anew or closed."""
    app = FastAPI()

    @app.post("/v1/messages")
    async def own() -> str:
        return "the app's"

    @app.api_route("/{rest:path}", methods=["POST"])
    async def everything(rest: str) -> str:
        return rest

    config = settings(provider.base_url, server={"responses_path": "/v1/answers"})
    app.add_middleware(TurnoutMiddleware, config=config)
    with caplog.at_level(logging.WARNING, "turnout"), served(app) as base, httpx.Client(base_url=base) as http:
        assert [http.post("/v1/messages", json={}).json() for _ in range(2)] == ["the app's"] * 2
        assert http.post("/v1/answers", json={"input": "hello"}).json()["object"] == "response"
        assert http.post("/v1/responses", json={}).json() == "v1/responses"
    assert len([r for r in caplog.records if "a route of the app's own" in r.getMessage()]) == 1


def test_flasks_own_route_goes_first(provider: LoopbackProvider) -> None:
    """At the WSGI door too; and all of them are off with the chat path."""
    for server, path in (({}, "/v1/responses"), ({"chat_path": ""}, "/v1/messages")):
        app = Flask(__name__)
        app.post(path)(lambda: "the app's")
        app.wsgi_app = WsgiMiddleware(app.wsgi_app, config=settings(provider.base_url, server=server))  # type: ignore[method-assign]
        assert app.test_client().post(path, json={}).text == "the app's"
