"""What each configured model costs: the settings' prices, else litellm's bundled table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from turnout.errors import SettingsError
from turnout.pricing import FREE, MILLION, Price
from turnout.settings import Settings
from turnout.upstream import litellm_import

# litellm's name for the price of a call with a long prompt.
_ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


class PriceBook:
    """The prices by configured name. Without litellm's table, which comes with its import, for as long as that
    is not there: the settings' own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own = price_table(settings, {})
        self._whole: dict[str, Price] | None = None

    def __call__(self) -> Mapping[str, Price]:
        if self._whole is None:
            if len(self._own) == len(self._settings.model_names):
                self._whole = self._own
            elif litellm_import.loaded():
                self._whole = price_table(self._settings, litellm_import.load_litellm().model_cost)
            else:
                return self._own
        return self._whole

    def require_all(self) -> None:
        """Raises SettingsError where a model has no price. Reads litellm's table from its file, which takes
        some 20 ms instead of the import's seconds; where that file is not there, nothing is known yet."""
        if len(self()) < len(self._settings.model_names) and self._whole is None:
            if (bundled := litellm_import.bundled_prices()) is None:
                return
            self._whole = price_table(self._settings, bundled)
        table = self()
        missing = [name for name in self._settings.model_names if name not in table]
        if missing:
            raise SettingsError(
                f"a budget is set, and no price is known for {', '.join(missing)}: {HOW_TO_PRICE}, in "
                f'[models."{missing[0]}"] (0 where it costs nothing)'
            )


HOW_TO_PRICE = "set input_usd_per_million and output_usd_per_million"


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
        # litellm's own parameters for a price of one's own.
        return _bundled(model.params)
    return Price(
        input=model.input_usd_per_million,
        output=model.output_usd_per_million,
        cached=model.cached_input_usd_per_million,
    )


def _bundled(row: Mapping[str, Any] | None) -> Price | None:
    if not row or "input_cost_per_token" not in row or "output_cost_per_token" not in row:
        return None
    marks = sorted(int(found[1]) for key in row if (found := _ABOVE.fullmatch(key)))
    above = ((thousands * 1000, _row(row, f"_above_{thousands}k_tokens")) for thousands in marks)
    return replace(_row(row, ""), above=tuple(above))


def _row(row: Mapping[str, Any], suffix: str) -> Price:
    def rate(name: str) -> Decimal | None:
        usd = row.get(name + suffix, row.get(name))
        return _per_million(usd) if isinstance(usd, int | float) else None

    return Price(
        input=rate("input_cost_per_token") or FREE,
        output=rate("output_cost_per_token") or FREE,
        cached=rate("cache_read_input_token_cost"),
        written=rate("cache_creation_input_token_cost"),
        reasoning=rate("output_cost_per_reasoning_token"),
    )


def _per_million(per_token: float) -> Decimal:
    return Decimal(repr(per_token)) * MILLION
