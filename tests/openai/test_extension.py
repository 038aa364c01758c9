"""The body field `turnout`: every key checked, the wrong one named."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.errors import InvalidRequest
from turnout.openai.requests import from_mapping

HELLO = [{"role": "user", "content": "hello"}]


def test_known_keys_are_kept_and_nothing_of_them_is_sent_on() -> None:
    """Neither as a parameter nor as a provider's own; null is absent."""
    extension = {"tier": "cheap", "threshold": 0.9, "cache": False, "deadline_ms": 500, "semantic": False, "tag": "faq"}
    request = from_mapping({"messages": HELLO, "turnout": {**extension, "webhook_url": None}})
    assert (request.extension, request.params, request.extra, request.tag) == (extension, {}, {}, "faq")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("teir", "cheap"),
        ("tier", "best"),
        ("tier", ["cheap"]),
        ("threshold", 1.5),
        ("threshold", True),
        ("threshold", float("nan")),
        ("cache", 0),
        ("deadline_ms", 0),
        ("deadline_ms", "500"),
        ("tag", 3),
        ("tag", "x" * 257),
        ("semantic", "no"),
    ],
)
def test_a_wrong_key_is_named(key: str, value: Any) -> None:
    """`param` is its path; the status is 400."""
    with pytest.raises(InvalidRequest) as refused:
        from_mapping({"messages": HELLO, "turnout": {key: value}})
    assert (refused.value.param, refused.value.told_status) == (f"turnout.{key}", 400)
