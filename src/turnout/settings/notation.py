"""The short notations: "60/minute", "100k tokens/hour", "1/day", "5/24h". Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from turnout.errors import SettingsError

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_SHORT = {"s": "second", "sec": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day"}
_SCALE = {"": 1, "k": 1_000, "m": 1_000_000}

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([km]?)\s*(requests?|tokens?)?\s*/\s*(\d*)\s*([a-z]+)\s*", re.I)
_BUDGET = re.compile(r"\s*\$?\s*(\d+(?:\.\d+)?)\s*(?:usd)?\s*/\s*(\d*)\s*([a-z]+)\s*", re.I)

Calendar = Literal["day", "week", "month"]

# A year: what is counted over a longer window outlives every deployment.
LONGEST_WINDOW_S = 366 * 86400
# In nano-USD the largest whole number of a double, which Redis' scripts reckon in, is 9,007,199 USD.
LARGEST_USD = Decimal(9_000_000)
LARGEST_RATE = 10**12


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` requests or tokens in any window of `window_s` seconds."""

    limit: int
    window_s: int
    unit: Literal["requests", "tokens"] = "requests"

    @classmethod
    def parse(cls, text: str) -> Rate:
        """`"60/minute"`, `"10/30s"`, `"100k tokens/hour"`. Raises SettingsError."""
        found = _RATE.fullmatch(text)
        window = _window(found[4], found[5]) if found else None
        if not found or window is None:
            raise SettingsError(
                'not a rate; write it as "60/minute", "10/30s" or "100k tokens/hour" (second, minute, hour, day)'
            )
        limit = Decimal(found[1]) * _SCALE[found[2].lower()]
        if limit != int(limit) or limit < 1 or window < 1:
            raise SettingsError("a rate is a whole number of at least 1, in a window of at least a second")
        if limit > LARGEST_RATE or window > LONGEST_WINDOW_S:
            raise SettingsError(f"a rate is at most {LARGEST_RATE}, in a window of at most 366 days")
        unit = (found[3] or "requests").lower()
        return cls(int(limit), window, "tokens" if unit.startswith("token") else "requests")


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `usd` in a calendar day, week or month, or in any rolling window of `rolling_s` seconds."""

    usd: Decimal
    calendar: Calendar | None = None
    rolling_s: int | None = None

    def __str__(self) -> str:
        return f"{self.usd:f}/{self.calendar or f'{self.rolling_s}s'}"

    @classmethod
    def parse(cls, text: str) -> Budget:
        """`"1/day"`, `"20/week"`, `"100/month"` (calendar), `"5/24h"` (rolling). Raises SettingsError."""
        found = _BUDGET.fullmatch(text)
        wrong = 'not a budget; write it as "1/day", "20/week", "100/month" (calendar) or "5/24h" (rolling)'
        if not found:
            raise SettingsError(wrong)
        usd, count, unit = Decimal(found[1]), found[2], found[3].lower()
        if usd <= 0:
            raise SettingsError("a budget is more than 0 USD")
        if usd > LARGEST_USD:
            raise SettingsError(f"a budget is at most {LARGEST_USD} USD")
        if not count and unit in ("day", "week", "month"):
            return cls(usd, calendar=unit)  # type: ignore[arg-type]
        window = _window(count, unit) if count else None
        if window is None or window < 1:
            raise SettingsError(wrong)
        if window > LONGEST_WINDOW_S:
            raise SettingsError("a budget's window is at most 366 days")
        return cls(usd, rolling_s=window)


def _window(count: str, unit: str) -> int | None:
    """The window in seconds, or None where the unit is not known."""
    unit = unit.lower()
    name = _SHORT.get(unit, unit.removesuffix("s"))
    seconds = _SECONDS.get(name)
    return None if seconds is None else int(count or 1) * seconds
