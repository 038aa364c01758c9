"""The observers that the settings ask for."""

from __future__ import annotations

from turnout.ports.runtime import Clock, Observer
from turnout.settings import Settings
from turnout.telemetry import names
from turnout.telemetry.metrics import MetricsObserver
from turnout.telemetry.observers import Observers
from turnout.telemetry.request_log import RequestLog
from turnout.telemetry.spans import SpanObserver


def request_log_from(settings: Settings, clock: Clock) -> RequestLog | None:
    """The request log, where one is configured."""
    told = settings.log
    return RequestLog(told.path, content=told.content, wall=clock.time) if told.path else None


def observer_from(settings: Settings, log: RequestLog | None) -> Observer:
    """Spans, metrics, and the log where there is one."""
    told: list[Observer] = [SpanObserver(settings), MetricsObserver(settings)]
    return Observers(*told) if log is None else Observers(*told, log)


def report_store_change(observer: Observer, up: bool, why: str) -> None:
    """A store was lost, or found again."""
    observer.event(None, names.EVENT_STORE_FOUND if up else names.EVENT_STORE_LOST, {names.STORE_REASON: why})
