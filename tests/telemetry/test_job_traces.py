"""A job's trace: its run is linked to its submission, and providers and webhooks are told where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from tests.api.test_jobs import App, Receiver
from tests.support.apps import settings
from tests.support.job_doors import DOORS, scripted, turnout_with
from tests.support.provider import LoopbackProvider
from tests.telemetry.test_spans import EXPORTER, _sdk
from turnout import Turnout
from turnout.telemetry.trace_context import linked_to, links, outgoing_headers, span_context

__all__ = ["_sdk"]
INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(params=sorted(DOORS))
def app(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app that works on its own jobs, its spans kept."""
    monkeypatch.setenv("TURNOUT_WEBHOOK_SECRET", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
    EXPORTER.clear()
    provider = scripted()
    with DOORS[request.param](turnout_with(provider, tmp_path, webhooks={"allow_hosts": ["127.0.0.1"]})) as url:
        app = App(url, provider)
        yield app
        app.http.close()


def spans() -> dict[str, ReadableSpan]:
    return {span.name: span for span in EXPORTER.get_finished_spans()}


def test_a_jobs_run_is_linked_to_its_submission(app: App) -> None:
    """Another trace than the submission's, which is part of its caller's; the webhook goes on with the submission's."""
    receiver = Receiver()
    try:
        response = app.submit(headers={"traceparent": INCOMING}, turnout={"webhook_url": receiver.url})
        assert app.ended(response)["status"] == "done"
        assert receiver.arrived.wait(10)
        sent = receiver.messages[0][0]["traceparent"]
    finally:
        receiver.close()
    submitted, run = spans()["turnout.submit"], spans()["turnout.route"]
    assert submitted.kind is SpanKind.PRODUCER
    assert submitted.attributes is not None
    assert submitted.attributes["turnout.job"] == response.json()["id"]
    assert submitted.parent is not None
    assert submitted.parent.trace_id == span_context(INCOMING).trace_id
    assert [link.context.span_id for link in run.links] == [submitted.context.span_id]
    assert run.context.trace_id != submitted.context.trace_id
    assert span_context(sent).span_id == submitted.context.span_id


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_a_provider_is_told_the_attempts_span(transport: str, provider: LoopbackProvider, tmp_path: Path) -> None:
    """As W3C's traceparent, whatever the transport."""
    EXPORTER.clear()
    config = settings(provider.base_url, upstream={"transport": transport})
    with DOORS["asgi"](Turnout(config)) as url:
        body = {"messages": [{"role": "user", "content": f"traced by {transport}"}]}
        assert httpx.post(url + "/v1/chat/completions", json=body, timeout=60).status_code == 200
    attempt = next(span for name, span in spans().items() if name.startswith("chat "))
    assert span_context(provider.bodies[-1]["_headers"]["traceparent"]).span_id == attempt.context.span_id


def test_outside_of_any_trace_nothing_is_sent_and_linked() -> None:
    """Nor for a text that is no traceparent."""
    assert outgoing_headers() == {}
    assert links() is None
    with linked_to("nonsense"):
        assert links() is None
