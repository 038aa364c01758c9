"""Numbers from outside."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.numbers import MAX_RETRY_AFTER_S, parse_count, parse_number, parse_retry_after


@pytest.mark.parametrize(
    "text", ["inf", "nan", "-1", "-inf", "1e308", "1e400", "1_000", "\u00b2", "0x10", "", "soon", None]
)
def test_what_is_no_plain_number_is_none(text: str | None) -> None:
    """Nothing that float() takes beyond digits and a point."""
    assert parse_number(text, 10.0) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7.0), (" 0.5 ", 0.5), ("3.", 3.0), ("99", 10.0), ("9" * 400, 10.0), ("0" * 50 + "1", 1.0)],
)
def test_a_number_is_clipped(text: str, number: float) -> None:
    """However many digits it has."""
    assert parse_number(text, 10.0) == number


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7", 7), ("0", 0), ("007", 7), ("99", 10), ("9" * 5000, 10), ("0" * 5000 + "1", 1),
        ("-1", None), ("1.0", None), (" 7", None), ("\u0667", None), ("", None), (7, None),
    ],
)  # fmt: skip
def test_a_count_is_of_ascii_digits_and_is_clipped(text: object, count: int | None) -> None:
    """However many digits it has: Python itself converts no more than 4300."""
    assert parse_count(text, 10) == count


def test_milliseconds_go_before_seconds() -> None:
    """As OpenAI's own client reads them."""
    assert parse_retry_after({"retry-after-ms": "1500", "retry-after": "9"}, now=1e9) == 1.5


@given(name=st.sampled_from(["retry-after", "retry-after-ms"]), value=st.text())
def test_any_retry_after_is_a_sensible_wait_or_none(name: str, value: str) -> None:
    """No header raises, and none asks for more than a day."""
    wait = parse_retry_after({name: value}, now=1e9)
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_S),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Sun, 09 Sep 2001 01:46:47 GMT", 7.0),
        ("Sunday, 09-Sep-01 01:46:47 GMT", 7.0),
        ("Sun Sep  9 01:46:47 2001", 7.0),
    ],
)
def test_a_date_counts_from_now(value: str, wait: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each of RFC 9110's forms, whatever zone we are in. One that is over is no wait; a far one is a day."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    found = parse_retry_after({"retry-after": value}, now=1e9)
    monkeypatch.undo()
    time.tzset()
    assert found == wait
