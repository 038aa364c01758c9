"""Answers: a whole one and its chunks are one another's image."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.openai.answers import as_sent, chunks_of, dumps, event, is_content, load_foreign, loads
from turnout.openai.builder import AnswerBuilder
from turnout.testing import chunk, completion, usage_body

TEXT = st.text(max_size=40)


@given(texts=st.lists(TEXT, min_size=1, max_size=3), finish=st.sampled_from(["stop", "length"]))
def test_a_whole_answer_survives_being_streamed(texts: list[str], finish: str) -> None:
    """Chunks made of a whole answer assemble to it again."""
    body = completion("", model="m")
    body["choices"] = [
        {"index": i, "message": {"role": "assistant", "content": t}, "logprobs": None, "finish_reason": finish}
        for i, t in enumerate(texts)
    ]
    whole = AnswerBuilder()
    for part in chunks_of(body, include_usage=True):
        whole.add(part)
    assert whole.finished
    assert whole.body() == body


def test_tool_calls_arrive_in_pieces() -> None:
    """Name and arguments are joined by index; ids are kept."""
    whole = AnswerBuilder()
    pieces: list[dict[str, Any]] = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a":'}},
        {"index": 1, "id": "c2", "function": {"name": "sub", "arguments": "{}"}},
        {"index": 0, "function": {"arguments": "2}"}},
    ]
    for piece in pieces:
        whole.add(chunk({"tool_calls": [piece]}, model="m"))
    assert not whole.finished
    whole.add(chunk({}, model="m", finish_reason="tool_calls"))
    message = whole.body()["choices"][0]["message"]
    assert message["content"] is None
    assert [c["function"] for c in message["tool_calls"]] == [
        {"name": "add", "arguments": '{"a":2}'},
        {"name": "sub", "arguments": "{}"},
    ]


def test_a_role_alone_is_no_content() -> None:
    """Text, a tool call, a refusal and a finish are."""
    assert not is_content(chunk({"role": "assistant", "content": ""}, model="m"))
    assert is_content(chunk({"content": "a"}, model="m"))
    assert is_content(chunk({"refusal": "no"}, model="m"))
    assert is_content(chunk({}, model="m", finish_reason="stop"))


def test_usage_is_told_only_where_asked_for() -> None:
    """Asked: null on all but the last. Not asked: nowhere."""
    last = {**chunk({}, model="m"), "choices": [], "usage": usage_body(1, 2)}
    assert as_sent(last, include_usage=False) is None
    assert as_sent(last, include_usage=True)["usage"]["total_tokens"] == 3  # type: ignore[index]
    word = chunk({"content": "a"}, model="m")
    assert as_sent(word, include_usage=True)["usage"] is None  # type: ignore[index]
    assert "usage" not in as_sent(word, include_usage=False)  # type: ignore[operator]


def test_an_event_is_one_line_for_every_reader() -> None:
    """What Unicode takes for a line's end is escaped; the text stays the same, and other letters stay as they are."""
    text = "a\u2028b\u2029c\u0085d\nü"
    sent = event({"text": text})
    assert sent.decode().removesuffix("\n\n").splitlines() == [sent.decode().removesuffix("\n\n")]
    assert json.loads(sent.removeprefix(b"data: ")) == {"text": text}
    assert "ü" in sent.decode()


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_what_could_not_be_written_again_is_not_read(opening: bytes) -> None:
    """Nested deeper than JSON is written; an answer that is stored and sent must be."""
    closing = b"]" if opening == b"[" else b"}"
    for levels, readable in ((190, True), (230, False), (900, False), (5000, False)):
        data = opening * levels + b"1" + closing * levels
        if readable:
            assert loads(dumps({"answer": {"choices": [load_foreign(data)]}}))
        else:
            with pytest.raises(ValueError, match="nested too deeply"):
                load_foreign(data)


@pytest.mark.parametrize("values", [b"[]," * 750_000, b'{"a":1},' * 750_000, b"1," * 4_000_001])
def test_very_many_values_are_not_decoded(values: bytes) -> None:
    """Not even looked at: it is no JSON. As many as a long answer may hold are."""
    with pytest.raises(ValueError, match="too many values"):
        load_foreign(b"[" + values + b"}")
    assert len(load_foreign(b"[" + b"[]," * 1000 + b"0]")) == 1001


def test_what_orjson_does_not_write_is_measured_too() -> None:
    """A lone surrogate changes nothing of how deep an answer may be."""
    for levels, readable in ((190, True), (230, False)):
        data = b'["\\ud800",' * levels + b"1" + b"]" * levels
        if readable:
            assert loads(dumps({"answer": load_foreign(data)}))
        else:
            with pytest.raises(ValueError, match="nested too deeply"):
                load_foreign(data)
