"""Spans: server, route and attempt in one line of descent, and no prompt in any of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.routing.test_scorer import logs
from tests.support.apps import settings
from tests.support.provider import LoopbackProvider
from turnout.asgi import TurnoutMiddleware
from turnout.settings import Settings
from turnout.telemetry.spans import SpanObserver
from turnout.training import fit
from turnout.wsgi import TurnoutMiddleware as WsgiMiddleware

EXPORTER = InMemorySpanExporter()
SECRET = "the secret recipe"


@pytest.fixture(scope="module", autouse=True)
def _sdk() -> None:
    # The API takes one provider a process, once.
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(provider)


@pytest.fixture
def client(provider: LoopbackProvider) -> Iterator[TestClient]:
    """An app whose server span is ours to make."""
    EXPORTER.clear()
    config = settings(provider.base_url, telemetry={"server_span": True})
    with TestClient(TurnoutMiddleware(Starlette(), config)) as running:
        yield running


def _ask(client: TestClient, **more: object) -> dict[str, ReadableSpan]:
    EXPORTER.clear()
    body = {"model": "auto", "messages": [{"role": "user", "content": SECRET}], "temperature": 0.5, **more}
    headers = {"x-user-id": "ann", "authorization": "Bearer sk-private"}
    assert client.post("/v1/chat/completions", json=body, headers=headers).status_code == 200
    return {span.name: span for span in EXPORTER.get_finished_spans()}


@pytest.mark.usefixtures("light")
def test_a_novel_request_says_so_in_span_and_header(provider: LoopbackProvider, tmp_path: Path) -> None:
    """Through the door, by a scorer file: the middle decides, under a threshold above it for the cheap tier."""
    fit.train(logs(120)).save(tmp_path / "s")
    config = settings(provider.base_url, routing={"scorer": str(tmp_path / "s"), "threshold": 0.6})
    body = {"model": "auto", "messages": [{"role": "user", "content": "Schreiben Sie einen Brief an das Amt"}]}
    with TestClient(TurnoutMiddleware(Starlette(), config)) as running:
        EXPORTER.clear()
        reply = running.post("/v1/chat/completions", json=body)
    actual = [reply.headers[f"x-turnout-{name}"] for name in ("reason", "tier", "score")]
    assert actual == ["novel", "cheap", "0.5000"]
    route = next(span for span in EXPORTER.get_finished_spans() if span.name == "turnout.route")
    assert route.attributes is not None
    assert route.attributes["turnout.reason"] == "novel"
    assert float(str(route.attributes["turnout.novelty"])) > 0.3


def test_a_miss_is_server_route_and_one_client_span(client: TestClient) -> None:
    """Each the parent of the next; the decision on the route span, GenAI's names on the attempt's."""
    spans = _ask(client)
    assert len(spans) == 3
    route = spans["turnout.route"]
    attempt = next(span for span in spans.values() if span.kind is SpanKind.CLIENT)
    server = next(span for span in spans.values() if span.kind is SpanKind.SERVER)
    assert route.parent is not None
    assert attempt.parent is not None
    assert route.parent.span_id == server.context.span_id
    assert attempt.parent.span_id == route.context.span_id
    decided = dict(route.attributes or {})
    assert decided["turnout.tier"] in ("cheap", "expensive")
    assert {"turnout.score", "turnout.expected_gain", "turnout.threshold", "turnout.reason"} <= set(decided)
    assert decided["turnout.cache"] == "miss_stored"
    actual = dict(attempt.attributes or {})
    assert attempt.name == f"chat {actual['gen_ai.request.model']}"
    assert actual["gen_ai.operation.name"] == "chat"
    assert actual["gen_ai.provider.name"] == "openai"
    assert actual["gen_ai.response.model"] == f"{actual['gen_ai.request.model']}-2026"
    assert actual["gen_ai.response.finish_reasons"] == ("stop",)
    assert (actual["gen_ai.usage.input_tokens"], actual["gen_ai.usage.output_tokens"]) == (7, 4)
    assert actual["server.address"] == "127.0.0.1"


def test_a_hit_has_no_client_span(client: TestClient) -> None:
    """Nobody was called."""
    _ask(client)
    spans = _ask(client)
    assert not [span for span in spans.values() if span.kind is SpanKind.CLIENT]
    assert dict(spans["turnout.route"].attributes or {})["turnout.cache"] == "hit"


def test_no_prompt_no_answer_no_key_and_no_user_stand_in_any_span(client: TestClient) -> None:
    """Streamed or not, in attributes, names and events."""
    for more in ({}, {"stream": True}):
        for span in _ask(client, seed=1, **more).values():
            whole = span.to_json()
            for private in (SECRET, "It is four", "sk-private", '"ann"'):
                assert private not in whole


def test_an_app_that_is_already_instrumented_gets_no_second_server_span(client: TestClient) -> None:
    """A span around us is kept as the parent."""
    with trace.get_tracer("theirs").start_as_current_span("theirs"):
        from turnout.doors.base import below_server_span

        asked: list[str] = []

        async def app(scope: object, receive: object, send: object) -> None:
            asked.append("app")

        async def app_below_a_second(scope: object, receive: object, send: object) -> None:
            asked.append("second span")

        import asyncio

        asyncio.run(below_server_span(app, app_below_a_second)({"type": "http"}, None, None))
    assert asked == ["app"]
    assert {span.name for span in EXPORTER.get_finished_spans()} <= {"theirs"}


def test_the_wsgi_door_has_the_same_descent_across_the_portal(provider: LoopbackProvider) -> None:
    """Its own paths, and a call made inside a handler: server, route and attempt, each the parent of the next."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["turnout"].complete("inside").text.encode()]

    config = settings(provider.base_url, telemetry={"server_span": True})
    with httpx.Client(transport=httpx.WSGITransport(WsgiMiddleware(app, config)), base_url="http://app") as client:
        asked = {"messages": [{"role": "user", "content": SECRET}]}
        for answer in (
            lambda: client.post("/v1/chat/completions", json=asked),
            lambda: client.post("/v1/chat/completions", json={**asked, "stream": True}),
            lambda: client.get("/handler"),
        ):
            EXPORTER.clear()
            assert answer().status_code == 200
            spans = EXPORTER.get_finished_spans()
            assert len(spans) == 3
            server = next(span for span in spans if span.kind is SpanKind.SERVER)
            route = next(span for span in spans if span.name == "turnout.route")
            attempt = next(span for span in spans if span.kind is SpanKind.CLIENT)
            assert route.parent is not None
            assert attempt.parent is not None
            assert route.parent.span_id == server.context.span_id
            assert attempt.parent.span_id == route.context.span_id
            assert (route.attributes or {})["turnout.inference_seconds"]


def test_what_is_only_measured_is_no_span_event() -> None:
    """A figure told every few requests would fill spans of requests that it says nothing of."""
    observer = SpanObserver(Settings.of(settings("http://127.0.0.1:1")))
    EXPORTER.clear()
    with trace.get_tracer("app").start_as_current_span("a request"):
        observer.event(None, "turnout.drift.measured", {"turnout.drift.distance": 0.1})
        observer.event(None, "turnout.drift", {"turnout.drift.distance": 0.3, "turnout.drift.drifted": True})
    (span,) = EXPORTER.get_finished_spans()
    assert [event.name for event in span.events] == ["turnout.drift"]


SDK_THAT_COMES_LATER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from turnout.settings import Settings
from turnout.telemetry.spans import SpanObserver

models = {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}}
observer = SpanObserver(Settings.of({"tiers": models, "routing": {"threshold": 0.5}}))
assert observer.request_started("before") is trace.INVALID_SPAN
trace.set_tracer_provider(TracerProvider())
assert observer.request_started("after").is_recording()
"""


def test_spans_cost_nothing_until_the_app_sets_up_an_sdk() -> None:
    """It may do so after the middleware was made."""
    subprocess.run([sys.executable, "-c", SDK_THAT_COMES_LATER], check=True)
