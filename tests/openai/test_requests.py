"""The request: parsed, checked, and every wrong field named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.errors import InvalidRequest
from turnout.openai.requests import parse

HELLO = [{"role": "user", "content": "hello"}]


def test_known_parameters_and_a_providers_own_are_kept_apart() -> None:
    """What OpenAI does not name never becomes an argument of the call."""
    body = {"model": "cheap", "messages": HELLO, "temperature": 0, "stop": None, "top_k": 3, "api_base": "http://x"}
    request = parse(json.dumps(body).encode())
    assert request.model == "cheap"
    assert dict(request.params) == {"temperature": 0}
    assert dict(request.extra) == {"top_k": 3, "api_base": "http://x"}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": True}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 1.5}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": 1}}, "include_usage"),
        ({"stop": [1]}, "stop"),
        ({"tools": {}}, "tools"),
        ({"turnout": {"tga": "x"}}, "turnout.tga"),
        ({"model": 3}, "model"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], param: str) -> None:
    """`param` is the path of what is wrong."""
    with pytest.raises(InvalidRequest) as refused:
        parse(json.dumps({"model": "auto", "messages": HELLO, **change}).encode())
    assert refused.value.param == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"messages": NaN}', b"[" * 100_000, b"null"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """Also what is nested too deeply, and numbers that JSON does not have."""
    with pytest.raises(InvalidRequest):
        parse(body)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1" * 5000])
def test_a_number_that_json_does_not_have_is_refused_wherever_it_stands(number: str) -> None:
    """As a parameter, and as one of a provider's own, that nothing else looks at."""
    for name in ("temperature", "top_k"):
        with pytest.raises(InvalidRequest):
            parse(b'{"messages": %b, "%b": %b}' % (json.dumps(HELLO).encode(), name.encode(), number.encode()))
