"""What is counted and measured, under the conventions' names, with few series."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from turnout import Turnout
from turnout.attempt_errors import ProviderFailed
from turnout.context import Caller
from turnout.errors import ServedError
from turnout.records import Outcome
from turnout.settings import Settings
from turnout.telemetry.endpoint_labels import MOST_ENDPOINTS
from turnout.telemetry.metrics import MetricsObserver
from turnout.testing import FixedScorer, ManualClock, ScriptedProvider, settle

CONFIG: dict[str, Any] = {
    "tiers": {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}},
    "models": {"openai/a": {"input_usd_per_million": 1, "output_usd_per_million": 1}},
    "retry": {"attempts": 1},
    "breaker": {"failures": 1},
}


def _points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


def _recorded(semconv: str) -> dict[str, list[Any]]:
    """A miss, a hit of it, and a failure that opens the circuit."""
    reader = InMemoryMetricReader()
    settings = Settings.of({**CONFIG, "telemetry": {"semconv": semconv}})
    provider = ScriptedProvider({"openai/a": ["four"]})
    observer = MetricsObserver(settings, MeterProvider([reader], shutdown_on_exit=False))
    turnout = Turnout(settings, clock=ManualClock(), provider=provider, scorer=FixedScorer(0.0), observer=observer)

    async def scenario() -> None:
        ann = Caller(user="ann", endpoint="/ask")
        await turnout.complete("two and two", caller=ann)
        await settle()
        await turnout.complete("two and two", caller=ann)
        provider.say("openai/a", ProviderFailed("x", status=500))
        with pytest.raises(ServedError):
            await turnout.complete("three", caller=ann)
        attributes = {
            "turnout.budget.policy": "total",
            "turnout.budget.alert.kind": "spent",
            "turnout.budget.share": 0.5,
        }
        observer.event(None, "turnout.budget.alert", attributes)
        await turnout.aclose()

    asyncio.run(scenario())
    return _points(reader)


def test_requests_cost_and_attempts_are_recorded_by_todays_names() -> None:
    """One series for each way of answering; no user in any attribute."""
    points = _recorded("latest")
    caches = sorted(point.attributes["turnout.cache"] for point in points["turnout.requests"])
    assert caches == ["hit", "miss", "miss_stored"]
    assert sum(point.value for point in points["turnout.cost"]) > 0
    durations = points["gen_ai.client.inference.duration"]
    assert sorted(point.attributes.get("error.type", "") for point in durations) == ["", "provider_error"]
    assert durations[0].explicit_bounds[0] == 0.01
    assert points["gen_ai.client.inference.usage.input_tokens"][0].value == 10
    assert points["turnout.circuit.changed"][0].value == 1
    (alert,) = points["turnout.budget.alerts"]
    assert dict(alert.attributes) == {"turnout.budget.policy": "total", "turnout.budget.alert.kind": "spent"}
    assert "ann" not in str(points)


def test_paths_that_callers_invent_are_one_endpoint() -> None:
    """Beyond the first of them, and where a call was made beside any request too."""
    reader = InMemoryMetricReader()
    observer = MetricsObserver(Settings.of(CONFIG), MeterProvider([reader], shutdown_on_exit=False))
    for number in range(200):
        shown: dict[str, Any] = {"request_id": "r", "decision": None, "reason": None, "cache": "miss"}
        observer.request_ended(None, Outcome(tier="none", model="", endpoint=f"/user/{number}", **shown))
        call = {"turnout.endpoint": f"/other/{number}", "turnout.tier": "cheap", "turnout.model": "openai/a"}
        observer.event(None, "turnout.side_call", {**call, "turnout.cost_nano_usd": 5})
    points = _points(reader)
    assert len(points["turnout.requests"]) <= MOST_ENDPOINTS + 1
    assert sum(point.value for point in points["turnout.requests"]) == 200
    assert sum(point.value for point in points["turnout.cost"]) == pytest.approx(200 * 5e-9)
    assert len(points["turnout.cost"]) <= MOST_ENDPOINTS + 1


def test_the_older_names_are_used_where_the_settings_choose_them() -> None:
    """v1.41: another duration, and tokens as one histogram with a type."""
    points = _recorded("v1.41")
    assert "gen_ai.client.inference.duration" not in points
    assert {point.attributes["gen_ai.token.type"] for point in points["gen_ai.client.token.usage"]} == {
        "input",
        "output",
    }
    assert points["gen_ai.client.operation.duration"]


def test_drift_is_a_gauge_of_the_last_figure() -> None:
    """And only its crossings are counted."""
    reader = InMemoryMetricReader()
    observer = MetricsObserver(Settings.of(CONFIG), MeterProvider([reader], shutdown_on_exit=False))
    for distance in (0.1, 0.3):
        attributes = {"turnout.drift.distance": distance, "turnout.drift.novel_share": distance / 10}
        observer.event(None, "turnout.drift.measured", attributes)
    observer.event(None, "turnout.drift", {"turnout.drift.distance": 0.3, "turnout.drift.drifted": True})
    points = _points(reader)
    (gauge,) = points["turnout.drift.distance"]
    assert (gauge.value, dict(gauge.attributes)) == (0.3, {})
    assert points["turnout.drift.novel_share"][0].value == 0.03
    assert points["turnout.drift"][0].value == 1
    assert "turnout.drift.measured" not in points


def test_a_running_turnout_feeds_the_gauge() -> None:
    """Six hundred equal scores: the figure that its drift watch holds."""
    reader = InMemoryMetricReader()
    settings = Settings.of({**CONFIG, "cache": {"enabled": False}, "routing": {"threshold": 0.5}})
    observer = MetricsObserver(settings, MeterProvider([reader], shutdown_on_exit=False))
    turnout = Turnout(
        settings, clock=ManualClock(), provider=ScriptedProvider(), scorer=FixedScorer(0.3), observer=observer
    )

    async def scenario() -> None:
        for _ in range(600):
            await turnout.complete("x")
        await turnout.aclose()

    asyncio.run(scenario())
    assert turnout.drift is not None
    (gauge,) = _points(reader)["turnout.drift.distance"]
    assert gauge.value == turnout.drift.distance
    assert gauge.value > 0.6


def test_a_jobs_end_is_counted_and_timed() -> None:
    """By its status; how long it waited, and how long it ran."""
    reader = InMemoryMetricReader()
    observer = MetricsObserver(Settings.of(CONFIG), MeterProvider([reader], shutdown_on_exit=False))
    for status in ("done", "failed"):
        attributes = {"turnout.job.status": status, "turnout.job.wait": 2.0, "turnout.job.run": 0.5}
        observer.event(None, "turnout.job.ended", attributes)
    points = _points(reader)
    assert {point.attributes["turnout.job.status"]: point.value for point in points["turnout.job.ended"]} == {
        "done": 1,
        "failed": 1,
    }
    assert [(points[f"turnout.job.{name}"][0].sum) for name in ("wait", "run")] == [4.0, 1.0]
