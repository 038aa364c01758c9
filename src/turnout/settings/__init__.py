"""The settings: small, frozen, one section a concern, each checked when it is built.

`Settings.of(config)` takes a path to a TOML file, a mapping of the same shape, or a Settings.
"""

from turnout.settings.notation import Budget, Rate
from turnout.settings.queue import Queue
from turnout.settings.sections import (
    LEASE_MARGIN_S,
    Alerts,
    Breaker,
    Budgets,
    Cache,
    Endpoint,
    Fallback,
    Identity,
    Limits,
    Log,
    Model,
    Redis,
    Responses,
    Retry,
    Routing,
    Semantic,
    Server,
    Settings,
    Telemetry,
    TierModels,
    Tiers,
    Upstream,
    Webhooks,
)
from turnout.settings.status import Status

__all__ = [
    "LEASE_MARGIN_S",
    "Alerts",
    "Breaker",
    "Budget",
    "Budgets",
    "Cache",
    "Endpoint",
    "Fallback",
    "Identity",
    "Limits",
    "Log",
    "Model",
    "Queue",
    "Rate",
    "Redis",
    "Responses",
    "Retry",
    "Routing",
    "Semantic",
    "Server",
    "Settings",
    "Status",
    "Telemetry",
    "TierModels",
    "Tiers",
    "Upstream",
    "Webhooks",
]
