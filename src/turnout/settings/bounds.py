"""What numbers in the settings may be: above 0, at most what stores and clocks can hold. Raises SettingsError."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from turnout.settings.reader import require

# Ten years: longer is meant as "for ever", which no store keeps, and a clock in milliseconds must hold the sum.
LONGEST_S = 315_360_000.0
# Counts, bytes and amounts beyond these are no longer whole numbers in Redis' scripts, which reckon in doubles.
LARGEST_COUNT = 10**12
LARGEST_USD_PER_MILLION = Decimal(1_000_000)


def check_positive(section: Any, *keys: str) -> None:
    """Checks that these keys of a section are more than 0, and not too much."""
    for key in keys:
        value = getattr(section, key)
        good = value > 0
        require(good, key, value, "must be more than 0")
        if good:
            _check_most(key, value)


def check_not_negative(section: Any, *keys: str) -> None:
    """Checks that these keys of a section are 0 or more, and not too much."""
    for key in keys:
        value = getattr(section, key)
        # A price may be a Decimal, whose NaN compares with nothing.
        good = math.isfinite(value) and value >= 0
        require(good, key, value, "must be at least 0")
        if good:
            _check_most(key, value)


def check_share(section: Any, *keys: str) -> None:
    """Checks that these keys of a section, where they are set, are between 0 and 1."""
    for key in keys:
        value = getattr(section, key)
        require(value is None or 0 <= value <= 1, key, value, "must be between 0 and 1")


def _check_most(key: str, value: Any) -> None:
    if key.endswith("_s"):
        require(value <= LONGEST_S, key, value, f"must be at most {LONGEST_S:.0f} seconds (ten years)")
    elif key.endswith("usd_per_million"):
        require(value <= LARGEST_USD_PER_MILLION, key, value, f"must be at most {LARGEST_USD_PER_MILLION} USD")
    else:
        require(value <= LARGEST_COUNT, key, value, f"must be at most {LARGEST_COUNT}")
