"""What each configured model costs: the settings' prices, else litellm's bundled table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from turnout.errors import SettingsError
from turnout.pricing import FREE, MILLION, Price
from turnout.settings import Model, Settings
from turnout.upstream import litellm_import

# Providers whose usage tells what they charge for the call, as they document it.
_REPORTING = frozenset({"openrouter", "perplexity", "xai"})
# Ways of being served that litellm's table may have prices of their own for.
_SERVICE_TIERS = ("balanced", "flex", "priority", "ultrafast")
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
            if len(self._own) == len(self._settings.every_model):
                self._whole = self._own
            elif litellm_import.loaded():
                self._whole = price_table(self._settings, litellm_import.load_litellm().model_cost)
            else:
                return self._own
        return self._whole

    def require_all(self) -> None:
        """Raises SettingsError where a model has no price. Reads litellm's table from its file, which takes
        some 20 ms instead of the import's seconds; where that file is not there, nothing is known yet."""
        self._require(self._settings.every_model, "a budget is set")

    def require_judge(self) -> None:
        """Likewise, where the judge of the semantic cache has none."""
        if judge := self._settings.judge_model:
            self._require((judge,), "[cache.semantic] judge is paid out of checks_usd")

    def _require(self, names: Sequence[str], why: str) -> None:
        table = self()
        if any(name not in table for name in names) and self._whole is None:
            if (bundled := litellm_import.bundled_prices()) is None:
                return
            table = self._whole = price_table(self._settings, bundled)
        missing = [name for name in names if name not in table]
        if missing:
            raise SettingsError(
                f"{why}, and no price is known for {', '.join(missing)}: {HOW_TO_PRICE}, in "
                f'[models."{missing[0]}"] (0 where it costs nothing)'
            )


HOW_TO_PRICE = "set input_usd_per_million and output_usd_per_million"


def price_table(settings: Settings, bundled: Mapping[str, Any]) -> dict[str, Price]:
    """Prices by configured name. `bundled` is litellm's `model_cost`; a model that neither prices is absent."""
    table = {}
    for name in settings.every_model:
        listed = settings.deployment(name)
        price = _own(settings, name) or _bundled(bundled.get(listed) or bundled.get(listed.partition("/")[2]))
        if price is not None:
            price = _overridden(settings.model(name), price)
            # A server of one's own may tell what it likes.
            own_server = settings.model(name).params.keys() & {"api_base", "base_url"}
            reported = listed.partition("/")[0] in _REPORTING and not own_server
            table[name] = replace(price, reported=True) if reported else price
    return table


def _own(settings: Settings, name: str) -> Price | None:
    model = settings.model(name)
    if model.input_usd_per_million is None or model.output_usd_per_million is None:
        # litellm's own parameters for a price of one's own.
        return _bundled(model.params)
    return Price(input=model.input_usd_per_million, output=model.output_usd_per_million)


def _overridden(model: Model, price: Price) -> Price:
    """The price with what the model's section says of caches and thinking."""
    own = {
        "cached": model.cached_input_usd_per_million,
        "written": model.cache_write_usd_per_million,
        "long_written": model.cache_write_1h_usd_per_million,
        "reasoning": model.reasoning_usd_per_million,
    }
    given: dict[str, Any] = {name: rate for name, rate in own.items() if rate is not None}
    if not given:
        return price
    above = tuple((tokens, replace(other, **given)) for tokens, other in price.above)
    tiers = tuple((name, replace(other, **given)) for name, other in price.service_tiers)
    return replace(price, **given, above=above, service_tiers=tiers)


def _bundled(row: Mapping[str, Any] | None) -> Price | None:
    if row and (by_length := _by_length(row.get("tiered_pricing"), row)) is not None:
        return by_length
    if not row or "input_cost_per_token" not in row or "output_cost_per_token" not in row:
        return None
    tiers = [tier for tier in _SERVICE_TIERS if f"input_cost_per_token_{tier}" in row]
    own = tuple((tier, _with_lengths(row, f"_{tier}")) for tier in tiers)
    price = replace(_with_lengths(row, ""), service_tiers=own)
    if row.get("litellm_provider") == "fireworks_ai" and price.cached is None:
        # As Fireworks documents it for every model that has no price of its own for it.
        return replace(price, cached=price.input / 2)
    return price


def _by_length(table: Any, row: Mapping[str, Any]) -> Price | None:
    """The price of a model that litellm lists by its prompt's length: of the whole call, by the range that it is in."""
    ranges = [each for each in table if isinstance(each, Mapping)] if isinstance(table, list) else []
    prices = [
        (int(each["range"][0]), _row({"output_cost_per_token": row.get("output_cost_per_token"), **each}, "", ""))
        for each in ranges
        if isinstance(each.get("range"), list) and "input_cost_per_token" in each
    ]
    if not prices:
        return None
    (_, first), *above = sorted(prices, key=lambda price: price[0])
    return replace(first, above=tuple(above))


def _with_lengths(row: Mapping[str, Any], tier: str) -> Price:
    marks = sorted(int(found[1]) for key in row if (found := _ABOVE.fullmatch(key)))
    above = ((thousands * 1000, _row(row, f"_above_{thousands}k_tokens", tier)) for thousands in marks)
    return replace(_row(row, "", tier), above=tuple(above))


def _row(row: Mapping[str, Any], length: str, tier: str) -> Price:
    def rate(name: str) -> Decimal | None:
        # The price of this length in this service tier, else of one of the two, else the model's plain one.
        for suffix in (length + tier, length, tier, ""):
            if isinstance(usd := row.get(name + suffix), int | float):
                return _per_million(usd)
        return None

    searches = row.get("search_context_cost_per_query")
    search = searches.get("search_context_size_medium") if isinstance(searches, Mapping) else None
    return Price(
        input=rate("input_cost_per_token") or FREE,
        output=rate("output_cost_per_token") or FREE,
        cached=rate("cache_read_input_token_cost"),
        written=rate("cache_creation_input_token_cost"),
        long_written=rate("cache_creation_input_token_cost_above_1hr"),
        reasoning=rate("output_cost_per_reasoning_token"),
        audio=rate("input_cost_per_audio_token"),
        image=rate("input_cost_per_image_token"),
        spoken=rate("output_cost_per_audio_token"),
        drawn=rate("output_cost_per_image_token"),
        search=Decimal(repr(search)) if isinstance(search, int | float) else None,
    )


def _per_million(per_token: float) -> Decimal:
    return Decimal(repr(per_token)) * MILLION
