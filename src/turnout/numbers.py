"""Numbers that providers and callers send, read so that none of them can do harm. Pure."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from datetime import UTC

# A plain decimal number in ASCII: `float` also takes inf, nan, 1e400, 1_000 and other scripts' digits.
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]*)?")
# More digits than this are above every bound; longer fractions say nothing.
_MAX_DIGITS = 20
# The longest time that a provider is believed to mean: a daily quota's.
MAX_RETRY_AFTER_S = 86400.0


def parse_number(text: object, most: float) -> float | None:
    """The number from 0 on that a text is, at most `most`; None where it is none."""
    if not isinstance(text, str) or not (match := _PLAIN.fullmatch(text.strip())):
        return None
    digits, _, fraction = match[0].partition(".")
    if len(digits.lstrip("0")) > _MAX_DIGITS:
        return most
    return min(most, float(f"{digits.lstrip('0') or '0'}.{fraction[:_MAX_DIGITS] or '0'}"))


def parse_count(text: object, most: int) -> int | None:
    """The whole number from 0 on that a text of ASCII digits is, at most `most`; None where it is none."""
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    # Python converts no more than 4300 digits.
    return most if len(digits) > _MAX_DIGITS else min(most, int(digits))


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or a date, RFC 9110), at most a day; None where
    neither says so. now: seconds since 1970."""
    milliseconds = parse_number(headers.get("retry-after-ms"), MAX_RETRY_AFTER_S * 1000)
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = parse_number(value, MAX_RETRY_AFTER_S)
    if seconds is not None or not isinstance(value, str):
        return seconds
    try:
        date = email.utils.parsedate_to_datetime(value)
        # One of the older forms names no zone: RFC 9110 means GMT.
        when = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(MAX_RETRY_AFTER_S, max(0.0, when - now))
