"""The request: parsed, checked, and every wrong field named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import InvalidRequest, TooLarge
from turnout.openai.requests import check_params, decode, parse

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
        ({"n": 129}, "n"),
        ({"n": 2**31}, "n"),
        ({"best_of": 10**30}, "best_of"),
        ({"generationConfig": 5}, "generationConfig"),
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


def body_of(**more: Any) -> bytes:
    return json.dumps({"messages": HELLO, **more}).encode()


@pytest.mark.parametrize(("levels", "fits"), [(100, True), (240, True), (300, False), (1000, False)])
@pytest.mark.parametrize("place", ["tools", "zz", "messages"])
def test_a_body_is_no_deeper_than_can_be_written_again(place: str, levels: int, fits: bool) -> None:
    """A 400 before anything reads it: a job's, a kept response's and a provider's body are made of it."""
    body = b'{"input": "x", "%s": %s1%s}' % (place.encode(), b'{"a":' * levels, b"}" * levels)
    if fits:
        decode(body)
        return
    with pytest.raises(InvalidRequest, match="too deeply"):
        decode(body)


def test_what_stands_outside_texts_and_media_is_bounded() -> None:
    """Numbers, tools and structure are; texts, images and whatever is written between the fields are not."""
    numbers = [1.5] * 500
    for more in ({"zz": numbers}, {"tools": [{"type": "function", "function": {"parameters": {"enum": numbers}}}]}):
        with pytest.raises(TooLarge):
            parse(body_of(**more), max_params_bytes=1000)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5000}}
    parts = [{"type": "text", "text": "é" * 5000}, image]
    parse(json.dumps({"messages": [{"role": "user", "content": parts}]}).encode(), max_params_bytes=1000)
    parse(json.dumps({"messages": [{"role": "user", "content": "x" * 5000}]}).encode(), max_params_bytes=1000)
    with pytest.raises(TooLarge):
        parse(json.dumps({"messages": HELLO * 100}).encode(), max_params_bytes=1000)
    assert len(parse(body_of(zz=numbers)).extra["zz"]) == 500


def test_a_value_that_is_nested_deeply_is_refused_by_name() -> None:
    """Neither its error message nor its size runs out of stack."""
    deep = b"[" * 50_000 + b"]" * 50_000
    with pytest.raises(InvalidRequest):
        parse(b'{"messages": [{"role": "user", "content": "x"}], "temperature": ' + deep + b"}")
    with pytest.raises(InvalidRequest):
        parse(b'{"messages": [{"role": "user", "content": "x"}], "zz": ' + deep + b"}", max_params_bytes=1_000_000)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "a" * 40}] * 20_001,
        [{"role": "user", "content": [{"type": "text", "text": "a" * 40}] * 20_000}],
    ],
    ids=["messages", "parts"],
)
def test_a_long_body_of_very_many_messages_or_parts_is_too_large(messages: list[Any]) -> None:
    """Told by their number alone, before anything is made of each."""
    body = json.dumps({"messages": messages}).encode()
    with pytest.raises(TooLarge, match="are more than 20000"):
        parse(body, max_params_bytes=1_048_576)


def test_very_many_strings_are_too_large_before_they_are_decoded() -> None:
    """Not even looked at: the body is no JSON. Quotes that a text holds are not counted; one behind an escaped
    backslash ends its text."""
    for string in (b'"a"', rb'"\\"'):
        with pytest.raises(TooLarge, match="holds 400000 strings"):
            decode((string + b", ") * 400_000, max_params_bytes=1_048_576)
    text = json.dumps({"messages": [{"role": "user", "content": '"' * 800_000}]}).encode()
    assert len(decode(text, max_params_bytes=1_048_576)["messages"][0]["content"]) == 800_000


@pytest.mark.parametrize(
    ("unit", "times"), [(b"[], ", 1_000_000), (b"{}, ", 200_000), (b"[[[]]], ", 50_000), (b"1, ", 1_100_000)]
)
def test_very_many_values_are_too_large_before_they_are_decoded(unit: bytes, times: int) -> None:
    """Not even looked at: the body is no JSON. Those that texts hold are not counted, behind whatever escape."""
    with pytest.raises(TooLarge, match="values outside texts count as"):
        decode(b'{"messages": [' + unit * times, max_params_bytes=1_048_576)
    text = json.dumps({"messages": [{"role": "user", "content": '\\"' + "\\"}, (unit * times).decode()]}).encode()
    assert len(decode(text, max_params_bytes=1_048_576)["messages"][1]) == len(unit) * times


def test_long_numbers_are_too_large_by_their_digits_and_blanks_are_not() -> None:
    """400,000 numbers of ten bytes are more than 1 MiB of values of four bytes; as many short ones are not."""
    for unit, refused in ((b"1.2345678,", True), (b"1,        ", False)):
        body = b'{"zz": [' + unit * 430_000 + b"0]}"
        if refused:
            with pytest.raises(TooLarge, match="values outside texts count as"):
                decode(body, max_params_bytes=1_048_576)
        else:
            assert len(decode(body, max_params_bytes=1_048_576)["zz"]) == 430_001


@given(texts=st.lists(st.text(alphabet='ab"\\ [{,', max_size=8), max_size=30), limit=st.integers(90, 300))
def test_only_what_cannot_fit_is_refused_for_its_strings(texts: list[str], limit: int) -> None:
    """What the count refuses, the size of the parameters would have refused. Five objects and arrays count as 40."""
    value = {"messages": [{"role": "user", "content": text} for text in texts[:3]], "stop": texts}
    try:
        decode(json.dumps(value).encode(), max_params_bytes=limit)
    except TooLarge:
        with pytest.raises(TooLarge):
            check_params(value, limit)


def test_a_byte_order_mark_before_the_body_is_left_out() -> None:
    """As some clients write it; inside a text it stands for itself."""
    body = b'\xef\xbb\xbf{"messages": [{"role": "user", "content": "\\ufeffhi"}]}'
    assert parse(body).messages[0]["content"] == "\ufeffhi"
