"""Trace context (W3C): what a job's run is linked to, and what other services are sent. Empty where none is traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from turnout.telemetry import names

HEADER = "traceparent"
_W3C = TraceContextTextMapPropagator()
# Of the request whose work is done here later; "": of none.
_submitted_by: ContextVar[str] = ContextVar("turnout_submitted_by", default="")


def outgoing_headers() -> dict[str, str]:
    """`traceparent` of the current span, for a request to another service."""
    if not trace.get_current_span().get_span_context().is_valid:
        return {}
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return {HEADER: headers[HEADER]}


@contextmanager
def submission(job_id: str, incoming: str) -> Iterator[str]:
    """A span of the submission, and its `traceparent`. incoming: that of the request, where no span is under way."""
    current = trace.get_current_span().get_span_context().is_valid
    parent = None if current or not incoming else _W3C.extract({HEADER: incoming})
    tracer = trace.get_tracer(names.SCOPE)
    with tracer.start_as_current_span(
        names.SUBMIT_SPAN, context=parent, kind=SpanKind.PRODUCER, attributes={names.JOB: job_id}
    ):
        yield outgoing_headers().get(HEADER, "")


@contextmanager
def linked_to(traceparent: str) -> Iterator[None]:
    """Requests that begin within the block are linked to the submission that has this `traceparent`."""
    token = _submitted_by.set(traceparent)
    try:
        yield
    finally:
        _submitted_by.reset(token)


def links() -> list[Link] | None:
    """What a request that begins now is linked to."""
    traceparent = _submitted_by.get()
    if not traceparent:
        return None
    context = span_context(traceparent)
    return [Link(context)] if context.is_valid else None


def span_context(traceparent: str) -> SpanContext:
    return trace.get_current_span(_W3C.extract({HEADER: traceparent})).get_span_context()
