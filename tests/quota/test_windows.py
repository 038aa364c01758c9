"""Calendar windows: in their zone, of true length, each beginning where the last one ends."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.quota.windows import windows_around

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def test_a_day_is_its_zones_day() -> None:
    """Twenty-four hours, but for the days on which the clocks change."""
    ((_, _), (start, end), (_, _)) = windows_around("day", BERLIN, at("2026-07-01T15:00"))
    assert datetime.fromtimestamp(start, UTC).isoformat() == "2026-06-30T22:00:00+00:00"
    assert end - start == 86400
    lengths = [end - start for start, end in windows_around("day", BERLIN, at("2026-03-29T12:00"))]
    assert lengths == [86400, 82800, 86400]
    lengths = [end - start for start, end in windows_around("day", BERLIN, at("2026-10-25T12:00"))]
    assert lengths == [86400, 90000, 86400]


def test_a_week_begins_on_monday_and_a_month_on_its_first() -> None:
    """The turn of the year included."""
    week = windows_around("week", BERLIN, at("2027-01-01T09:00"))[1]
    assert [datetime.fromtimestamp(edge, BERLIN).date().isoformat() for edge in week] == ["2026-12-28", "2027-01-04"]
    months = windows_around("month", BERLIN, at("2026-12-31T23:59"))
    assert [datetime.fromtimestamp(start, BERLIN).date().isoformat() for start, _ in months] == [
        "2026-11-01",
        "2026-12-01",
        "2027-01-01",
    ]


@pytest.mark.parametrize("calendar", ["day", "week", "month"])
@given(st.integers(0, 4_000_000_000), st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"]))
def test_now_is_in_the_middle_one_and_nothing_lies_between(calendar: str, now: int, zone: str) -> None:
    """Whatever the time and the zone."""
    before, own, after = windows_around(calendar, ZoneInfo(zone), now)  # type: ignore[arg-type]
    assert own[0] <= now < own[1]
    assert (before[1], own[1]) == (own[0], after[0])
