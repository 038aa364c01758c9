"""The counts in Prometheus' text form, from a registry of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from turnout.telemetry.figures import Counts
from turnout.telemetry.series import BOUNDS, COARSE, GAUGES, METRICS, MICRO, TIMINGS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# A gauge's labels and value, by its key in GAUGES.
GaugeRows = Mapping[str, Iterable[tuple[tuple[str, ...], float]]]


def render(totals: Mapping[str, int], gauges: GaugeRows) -> bytes:
    """Every counter, histogram and gauge, in text format 0.0.4."""
    # Imported here: importing turnout is light.
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Counted(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _families(Counts(totals), gauges)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Counted())
    return generate_latest(registry)


def _families(counts: Counts, gauges: GaugeRows) -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    for key, metric in METRICS.items():
        kind = GaugeMetricFamily if metric.negative else CounterMetricFamily
        family = kind(metric.name, metric.help, labels=metric.labels)
        rows: dict[tuple[str, ...], int] = {}
        for labels, amount in counts.rows(key):
            rows[labels] = rows.get(labels, 0) + amount
        for labels, amount in rows.items():
            family.add_metric(labels, amount / metric.scale)
        if not rows and not metric.labels:
            family.add_metric((), 0)
        yield family
    for key, timing in TIMINGS.items():
        histogram = HistogramMetricFamily(timing.name, timing.help, labels=timing.labels)
        for labels in sorted({row[:-1] for row, _ in counts.rows(key) if len(row) == len(timing.labels) + 1}):
            bins = counts.bins(key, *labels)
            micros = sum(amount for row, amount in counts.rows(f"{key}_us") if row == labels)
            histogram.add_metric(labels, [*_cumulated(bins)], sum_value=micros / MICRO)
        yield histogram
    for key, values in gauges.items():
        gauge = GaugeMetricFamily(GAUGES[key].name, GAUGES[key].help, labels=GAUGES[key].labels)
        for labels, value in values:
            gauge.add_metric(labels, value)
        yield gauge


def _cumulated(bins: Mapping[int, int]) -> Iterator[tuple[str, float]]:
    for index in range(0, len(BOUNDS), COARSE):
        yield f"{BOUNDS[index]:.6g}", sum(count for place, count in bins.items() if place <= index)
    yield "+Inf", sum(bins.values())
