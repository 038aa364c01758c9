"""The Observer that counts and measures, by OpenTelemetry's GenAI conventions and under names of our own.

Only `opentelemetry-api` is called; without an SDK every instrument is a no-op. No user, prompt or request id stands
in an attribute: series stay few.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import metrics

from turnout.ports.runtime import ProviderCall
from turnout.records import Attempt, Outcome, ServedTier
from turnout.settings import Settings
from turnout.telemetry import names
from turnout.telemetry.endpoint_labels import EndpointLabels

Attributes = dict[str, str | int | float | bool]

# The attributes of an event that its counter keeps: those with few values, so that series stay few.
_COUNTER_ATTRIBUTES = frozenset(
    {
        names.CIRCUIT,
        names.STATE,
        names.OLD_STATE,
        names.MODEL,
        names.USAGE_FAULT,
        names.ERROR_TYPE,
        names.SKIP_REASON,
        names.BUDGET_POLICY,
        names.BUDGET_ALERT,
        names.JOB_STATUS,
    }
)


class MetricsObserver:
    """Implements the Observer port. `meter_provider` defaults to the global one."""

    def __init__(self, settings: Settings, meter_provider: metrics.MeterProvider | None = None) -> None:
        self._meter = meter = metrics.get_meter(names.SCOPE, meter_provider=meter_provider)
        self._endpoint = EndpointLabels(settings.endpoints).of
        latest = settings.telemetry.semconv == "latest"
        self._requests = meter.create_counter(names.REQUESTS, "{request}", "Requests, by how they were answered")
        self._cost = meter.create_counter(names.COST, "USD", "What answers cost, in USD")

        def histogram(name: str, unit: str, description: str, bounds: tuple[float, ...]) -> metrics.Histogram:
            return meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=bounds)

        duration, first_chunk = (
            (names.INFERENCE_DURATION, names.INFERENCE_FIRST_CHUNK)
            if latest
            else (names.OPERATION_DURATION, names.OPERATION_FIRST_CHUNK)
        )
        self._own = histogram(names.OWN_DURATION, "s", "Turnout's own time", names.OWN_SECONDS_BOUNDS)
        self._score = histogram(names.SCORE, "1", "Uniform on the training logs' traffic", names.SCORE_BOUNDS)
        self._duration = histogram(duration, "s", "One attempt of one model", names.SECONDS_BOUNDS)
        self._first_chunk = histogram(first_chunk, "s", "Time to the first chunk", names.SECONDS_BOUNDS)
        self._tokens = _Tokens(meter, latest=latest)
        self._events: dict[str, metrics.Counter] = {}
        self._timed = {
            event: {name: histogram(name, "s", text, names.SECONDS_BOUNDS) for name, text in timed.items()}
            for event, timed in names.TIMED.items()
        }
        self._gauges = {
            event: {name: meter.create_gauge(name, "1", description) for name, description in gauges.items()}
            for event, gauges in names.GAUGES.items()
        }

    def request_started(self, request_id: str) -> None:
        return None

    def request_ended(self, token: None, outcome: Outcome) -> None:
        endpoint = self._endpoint(outcome.endpoint)
        attributes = _outcome_attributes(outcome, endpoint)
        self._requests.add(1, attributes)
        self._own.record(outcome.turnout_s, {names.CACHE: outcome.cache})
        if outcome.cost_usd:
            self._cost.add(float(outcome.cost_usd), attributes)
        decision = outcome.decision
        if decision is not None and decision.score is not None and outcome.reason != "cache":
            self._score.record(decision.score, {names.ENDPOINT: endpoint})

    def attempt_started(self, token: None, call: ProviderCall, *, tier: ServedTier, stream: bool) -> None:
        return None

    def attempt_ended(self, token: None, attempt: Attempt) -> None:
        attributes = _attempt_attributes(attempt)
        self._duration.record(attempt.duration_s, attributes)
        if attempt.first_chunk_s is not None:
            self._first_chunk.record(attempt.first_chunk_s, attributes)
        if attempt.usage is not None:
            self._tokens.add(attempt.usage.prompt_tokens, attempt.usage.completion_tokens, attributes)

    def event(self, token: None, name: str, attributes: Mapping[str, str | int | float | bool]) -> None:
        if name in self._gauges:
            for attribute, gauge in self._gauges[name].items():
                gauge.set(float(attributes[attribute]))
            return
        if name == names.EVENT_SIDE_CALL and (cost := attributes[names.COST_NANO_USD]):
            endpoint = self._endpoint(str(attributes[names.ENDPOINT]))
            places = {
                names.TIER: attributes[names.TIER],
                names.MODEL: attributes[names.MODEL],
                names.ENDPOINT: endpoint,
            }
            self._cost.add(float(cost) / 1e9, places)
        for attribute, timed in self._timed.get(name, {}).items():
            timed.record(float(attributes[attribute]))
        counter = self._events.get(name)
        if counter is None:
            counter_name = names.COUNTER_NAMES.get(name, name)
            counter = self._events[name] = self._meter.create_counter(counter_name, "{event}", f"How often: {name}")
        counter.add(1, {key: value for key, value in attributes.items() if key in _COUNTER_ATTRIBUTES})


class _Tokens:
    """Two counters by today's conventions; one histogram with a type by those of v1.41."""

    def __init__(self, meter: metrics.Meter, *, latest: bool) -> None:
        self._counters: tuple[metrics.Counter, metrics.Counter] | None = None
        self._histogram: metrics.Histogram | None = None
        if latest:
            self._counters = (
                meter.create_counter(names.INFERENCE_INPUT, "{token}", "Input tokens"),
                meter.create_counter(names.INFERENCE_OUTPUT, "{token}", "Output tokens"),
            )
        else:
            self._histogram = meter.create_histogram(names.TOKEN_USAGE, "{token}", "Tokens of one attempt")

    def add(self, prompt: int, completion: int, attributes: Attributes) -> None:
        if self._counters is not None:
            self._counters[0].add(prompt, attributes)
            self._counters[1].add(completion, attributes)
        if self._histogram is not None:
            self._histogram.record(prompt, {**attributes, names.TOKEN_TYPE: "input"})
            self._histogram.record(completion, {**attributes, names.TOKEN_TYPE: "output"})


def _outcome_attributes(outcome: Outcome, endpoint: str) -> Attributes:
    attributes: Attributes = {names.TIER: outcome.tier, names.CACHE: outcome.cache, names.ENDPOINT: endpoint}
    for name, value in (
        (names.MODEL, outcome.model),
        (names.REASON, outcome.reason),
        (names.ERROR_TYPE, outcome.error),
    ):
        if value:
            attributes[name] = value
    return attributes


def _attempt_attributes(attempt: Attempt) -> Attributes:
    attributes: Attributes = {
        names.OPERATION: attempt.operation,
        names.PROVIDER: names.provider_name(attempt.model),
        names.REQUEST_MODEL: names.request_model(attempt.model),
        names.TIER: attempt.tier,
    }
    if attempt.response_model:
        attributes[names.RESPONSE_MODEL] = attempt.response_model
    if attempt.error:
        attributes[names.ERROR_TYPE] = attempt.error
    return attributes
