"""Calendar windows in a time zone, as seconds since 1970. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from turnout.settings.notation import Calendar

Window = tuple[int, int]


def windows_around(calendar: Calendar, zone: ZoneInfo, now: float) -> tuple[Window, ...]:
    """The window before this time's own, its own and the next, so that a store whose clock differs from ours
    finds the one that holds its own now. A day may have 23 or 25 hours; a week begins on Monday (ISO 8601)."""
    return _around(calendar, zone, *datetime.fromtimestamp(now, zone).timetuple()[:3])


@lru_cache(maxsize=64)
def _around(calendar: Calendar, zone: ZoneInfo, year: int, month: int, day: int) -> tuple[Window, ...]:
    begins = [datetime(year, month, day)]
    if calendar == "week":
        begins = [begins[0] - timedelta(days=begins[0].weekday())]
    elif calendar == "month":
        begins = [datetime(year, month, 1)]
    begins = [_before(calendar, begins[0]), begins[0]]
    for _ in range(2):
        begins.append(_after(calendar, begins[-1]))
    edges = [_midnight(begin, zone) for begin in begins]
    return tuple(pairwise(edges))


def _after(calendar: Calendar, begin: datetime) -> datetime:
    if calendar == "month":
        return datetime(begin.year + begin.month // 12, begin.month % 12 + 1, 1)
    return begin + timedelta(days=7 if calendar == "week" else 1)


def _before(calendar: Calendar, begin: datetime) -> datetime:
    if calendar == "month":
        return datetime(begin.year - (begin.month == 1), (begin.month - 2) % 12 + 1, 1)
    return begin - timedelta(days=7 if calendar == "week" else 1)


def _midnight(local: datetime, zone: ZoneInfo) -> int:
    # Where the clocks skip midnight, `fold=0` gives the instant at which they do.
    return round(local.replace(tzinfo=zone).timestamp())
