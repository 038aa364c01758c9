"""Budget alerts as a metric: a counter, by whose budget it is and what was told."""

from __future__ import annotations

from functools import lru_cache

from opentelemetry import metrics
from opentelemetry.metrics import Counter

from turnout.telemetry import names


@lru_cache(maxsize=1)
def budget_alerts() -> Counter:
    """The counter of the global meter provider; no-op without an SDK."""
    return metrics.get_meter(names.SCOPE).create_counter(
        names.METRIC_BUDGET_ALERTS, unit="{alert}", description="Budgets that reached a share, or will run out early"
    )
