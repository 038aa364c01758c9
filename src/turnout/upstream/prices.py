"""What each configured model costs: the settings' prices, else litellm's bundled table."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from turnout.pricing import MILLION, Price
from turnout.settings import Settings


def price_table(settings: Settings, bundled: Mapping[str, Any]) -> dict[str, Price]:
    """Prices by configured name. `bundled` is litellm's `model_cost`; a model that neither prices is absent."""
    table = {}
    for name in settings.model_names:
        price = _own(settings, name) or _bundled(bundled.get(name) or bundled.get(name.partition("/")[2]))
        if price is not None:
            table[name] = price
    return table


def _own(settings: Settings, name: str) -> Price | None:
    model = settings.model(name)
    if model.input_usd_per_million is None or model.output_usd_per_million is None:
        return None
    return Price(
        input=model.input_usd_per_million,
        output=model.output_usd_per_million,
        cached=model.cached_input_usd_per_million,
    )


def _bundled(row: Mapping[str, Any] | None) -> Price | None:
    if not row or "input_cost_per_token" not in row or "output_cost_per_token" not in row:
        return None
    cached = row.get("cache_read_input_token_cost")
    return Price(
        input=_per_million(row["input_cost_per_token"]),
        output=_per_million(row["output_cost_per_token"]),
        cached=_per_million(cached) if cached is not None else None,
    )


def _per_million(per_token: float) -> Decimal:
    return Decimal(repr(per_token)) * MILLION
