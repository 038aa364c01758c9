"""Builds the observers that the settings configure."""

from __future__ import annotations

from turnout.ports.runtime import Clock, Observer
from turnout.settings import Settings
from turnout.telemetry import names
from turnout.telemetry.counters import Counters
from turnout.telemetry.metrics import MetricsObserver
from turnout.telemetry.observers import Observers
from turnout.telemetry.request_log import RequestLog
from turnout.telemetry.spans import SpanObserver


def request_log_from(settings: Settings, clock: Clock) -> RequestLog | None:
    """The request log, where one is configured."""
    path, content = settings.log.path, settings.log.content
    return RequestLog(path, content=content, wall=clock.time) if path else None


def observer_from(settings: Settings, log: RequestLog | None, counters: Counters) -> Observer:
    """Spans, metrics, counts, and the log where there is one."""
    observers: list[Observer] = [SpanObserver(settings), MetricsObserver(settings), counters]
    return Observers(*observers) if log is None else Observers(*observers, log)


def report_store_change(observer: Observer, up: bool, why: str) -> None:
    """Reports that a store was lost (`up` is false) or found again, as an event of the process."""
    observer.event(None, names.EVENT_STORE_FOUND if up else names.EVENT_STORE_LOST, {names.STORE_REASON: why})
