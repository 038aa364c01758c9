"""The Observer that makes spans: `turnout.route` a request, below it one CLIENT span an attempt.

Only `opentelemetry-api` is called; without an SDK every span is a no-op. Neither prompts nor answers are
recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Token
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from turnout.ports.runtime import ProviderCall
from turnout.records import Attempt, Decision, Outcome, ServedTier
from turnout.settings import Settings
from turnout.telemetry import names
from turnout.telemetry.trace_context import links

Attribute = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _AttemptToken:
    span: Span
    attached: Token[Context]


class SpanObserver:
    """Implements the Observer port. `tracer_provider` defaults to the global one."""

    def __init__(self, settings: Settings, tracer_provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer(names.SCOPE, tracer_provider=tracer_provider)
        self._provided = tracer_provider is not None
        self._latest = settings.telemetry.semconv == "latest"
        self._deployments = {name: settings.deployment(name) for name in settings.every_model}
        self._servers = {
            name: _server_attributes(str(settings.model(name).params.get("api_base", "")))
            for name in settings.every_model
        }

    def request_started(self, request_id: str) -> Span:
        if self._idle():
            return trace.INVALID_SPAN
        return self._tracer.start_span(names.ROUTE_SPAN, attributes={names.REQUEST_ID: request_id}, links=links())

    def request_ended(self, token: Span, outcome: Outcome) -> None:
        if token.is_recording():
            token.set_attributes(_outcome_attributes(outcome))
            if outcome.error is not None:
                token.set_status(Status(StatusCode.ERROR, outcome.error))
        token.end()

    def attempt_started(
        self, token: Span | None, call: ProviderCall, *, tier: ServedTier, stream: bool
    ) -> _AttemptToken | None:
        if self._idle():
            return None
        parent = trace.set_span_in_context(token) if token is not None else None
        deployment = self._deployments.get(call.model, call.model)
        model = names.request_model(deployment)
        span = self._tracer.start_span(f"{call.operation} {model}", context=parent, kind=SpanKind.CLIENT)
        if span.is_recording():
            span.set_attributes(
                self._by_convention(
                    {
                        names.OPERATION: call.operation,
                        names.PROVIDER: names.provider_name(deployment),
                        names.REQUEST_MODEL: model,
                        names.REQUEST_STREAM: stream,
                        names.TIER: tier,
                        **self._servers.get(call.model, {}),
                        **_parameters(call.params),
                    }
                )
            )
        # Current while the attempt lasts, so that an instrumented HTTP client's span goes below it.
        return _AttemptToken(span, otel_context.attach(trace.set_span_in_context(span)))

    def attempt_ended(self, token: _AttemptToken | None, attempt: Attempt) -> None:
        if token is None:
            return
        otel_context.detach(token.attached)
        span = token.span
        if span.is_recording():
            span.set_attributes(self._by_convention(_attempt_attributes(attempt)))
            if attempt.error is not None:
                span.set_status(Status(StatusCode.ERROR, attempt.error))
        span.end()

    def event(self, token: Span | None, name: str, attributes: Mapping[str, str | int | float | bool]) -> None:
        if name in names.GAUGES:
            return
        span = token if token is not None else trace.get_current_span()
        if span.is_recording():
            span.add_event(name, dict(attributes))

    def _idle(self) -> bool:
        """Whether nobody looks at spans: the app has set up no SDK, so far."""
        return not self._provided and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    def _by_convention(self, attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
        """The attributes under the names of the conventions that the settings choose."""
        if self._latest:
            return dict(attributes)
        renamed = ((names.V1_41_NAMES.get(name, name), value) for name, value in attributes.items())
        return {name: value for name, value in renamed if name is not None}


def _server_attributes(api_base: str) -> dict[str, Attribute]:
    url = urlsplit(api_base)
    if not url.hostname:
        return {}
    port = url.port or (443 if url.scheme == "https" else 80)
    return {names.SERVER_ADDRESS: url.hostname, names.SERVER_PORT: port}


def _parameters(params: Mapping[str, Any]) -> dict[str, Attribute]:
    attributes = {
        attribute: params[name]
        for name, attribute in names.REQUEST_PARAMETERS.items()
        if isinstance(params.get(name), int | float | str)
    }
    # OpenAI's default of one choice is not worth an attribute.
    if attributes.get("gen_ai.request.choice.count") == 1:
        del attributes["gen_ai.request.choice.count"]
    return attributes


def _present(attributes: Mapping[str, Attribute | None]) -> dict[str, Attribute]:
    return {name: value for name, value in attributes.items() if value is not None}


def _attempt_attributes(attempt: Attempt) -> dict[str, Attribute]:
    usage = attempt.usage
    return _present(
        {
            names.RESPONSE_MODEL: attempt.response_model,
            names.RESPONSE_ID: attempt.response_id,
            names.FINISH_REASONS: (attempt.finish_reason,) if attempt.finish_reason else None,
            names.FIRST_CHUNK: attempt.first_chunk_s,
            names.INPUT_TOKENS: usage.prompt_tokens if usage else None,
            names.OUTPUT_TOKENS: usage.completion_tokens if usage else None,
            names.CACHE_READ_TOKENS: (usage.cached_tokens or None) if usage else None,
            names.REASONING_TOKENS: (usage.reasoning_tokens or None) if usage else None,
            names.COST_USD: float(attempt.cost_usd),
            names.ERROR_TYPE: attempt.error,
            names.STATUS_CODE: attempt.status,
            names.DROPPED_PARAMS: attempt.dropped or None,
            names.SECOND_SAMPLE: attempt.second_sample or None,
        }
    )


def _decision_attributes(decision: Decision) -> dict[str, Attribute]:
    return _present(
        {
            names.SCORE: decision.score,
            names.EXPECTED_GAIN: decision.expected_gain,
            names.THRESHOLD: decision.threshold,
            names.NOVELTY: decision.novelty,
            names.CANDIDATES: decision.candidates,
            names.SCORER_VERSION: decision.scorer_version or None,
            names.SWITCH_USD: decision.switch_usd,
            names.SWITCH_GAIN_USD: decision.switch_gain_usd,
            names.VERDICT: decision.verdict,
            names.VERDICT_SCORE: decision.verdict_score,
            names.VERDICT_THRESHOLD: decision.verdict_threshold,
            names.ESCALATION_PROPENSITY: decision.escalation_propensity,
            names.SECOND_AGREES: decision.second_agrees,
        }
    )


def _outcome_attributes(outcome: Outcome) -> dict[str, Attribute]:
    decision_attributes = _decision_attributes(outcome.decision) if outcome.decision is not None else {}
    return decision_attributes | _present(
        {
            names.TIER: outcome.tier,
            names.MODEL: outcome.model or None,
            names.REASON: outcome.reason,
            names.CACHE: outcome.cache,
            names.COST_USD: float(outcome.cost_usd),
            names.OWN_SECONDS: outcome.turnout_s,
            names.INFERENCE_SECONDS: outcome.inference_s,
            names.WAITED_SECONDS: outcome.waited_s,
            names.STREAMED: outcome.streamed,
            names.ATTEMPTS: len(outcome.attempts),
            names.SKIPPED: tuple(f"{skip.model}: {skip.reason}" for skip in outcome.skipped) or None,
            names.ENDPOINT: outcome.endpoint or None,
            names.ERROR_TYPE: outcome.error,
        }
    )
