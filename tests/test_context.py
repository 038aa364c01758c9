"""What a request's headers ask for."""

from __future__ import annotations

import pytest

from turnout.context import Caller, Directives, parse_directives
from turnout.errors import InvalidRequest


@pytest.mark.parametrize("text", ["abc", "0", "-5", "nan", "inf", "1e400"])
def test_a_deadline_is_a_number_of_milliseconds_above_zero(text: str) -> None:
    """Anything else is the caller's fault, named by its header."""
    with pytest.raises(InvalidRequest) as refused:
        parse_directives("", text)
    assert refused.value.param == "x-turnout-deadline-ms"


@pytest.mark.parametrize(
    ("cache_control", "directives"),
    [
        ("", Directives()),
        ("no-store", Directives(no_store=True)),
        ("No-Cache, max-age=abc", Directives(no_cache=True)),
        ("max-age=30", Directives(max_age_s=30.0)),
        ('max-age="0"', Directives(no_cache=True, max_age_s=0.0)),
        ("only-if-cached, min-fresh=60, max-stale", Directives(only_if_cached=True, min_fresh_s=60.0)),
        ("private, immutable, max-age=-1", Directives()),
    ],
)
def test_cache_control_is_read_as_rfc_9111_says(cache_control: str, directives: Directives) -> None:
    """In any case and order; what is unknown or malformed is ignored."""
    assert parse_directives(cache_control, "") == directives


def test_a_deadline_is_told_in_milliseconds() -> None:
    """And kept in seconds."""
    assert parse_directives("", "1500") == Directives(deadline_s=1.5)


@pytest.mark.parametrize("user", ["ann@example.com", "sk-a-raw-bearer", "\udce9t\udce9", ""])
def test_a_user_stands_in_stores_by_a_hash(user: str) -> None:
    """Whatever the app takes for an id, a lone surrogate included, is in no key; two users are two keys."""
    key = Caller(user=user).user_key
    assert key.startswith("user:")
    assert len(key) == len("user:") + 20
    assert not user or user not in key
    assert key != Caller(user=f"{user}x").user_key
