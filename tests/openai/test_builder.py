"""A complete answer built from a stream is the one that OpenAI's own client assembles, or says that it is not exact."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming._deltas import accumulate_delta

from turnout.openai.answers import chunks_of
from turnout.openai.builder import AnswerBuilder
from turnout.testing import chunk
from turnout.upstream.answer_form import ChunkForm

Delta = dict[str, Any]


def build(*deltas: Delta, finish: str = "stop") -> AnswerBuilder:
    """Of these deltas, in the form that each answer has before anybody reads it."""
    whole, form = AnswerBuilder(), ChunkForm()
    for delta in deltas:
        whole.add(form.read(chunk(delta, model="m")))
    whole.add(form.read(chunk({}, model="m", finish_reason=finish)))
    return whole


def message_of(whole: AnswerBuilder) -> Delta:
    message: Delta = whole.body()["choices"][0]["message"]
    return message


def call(call_id: str | None, name: str | None, arguments: str, *, index: Any = 0, **more: Any) -> Delta:
    fields = {"index": index, "id": call_id, "type": "function" if call_id else None, **more}
    function = {"name": name, "arguments": arguments}
    given = {key: value for key, value in fields.items() if value is not None}
    return {"tool_calls": [{**given, "function": {key: value for key, value in function.items() if value is not None}}]}


def test_a_new_id_begins_a_new_call() -> None:
    """Some servers give every call the index 0, or none."""
    for index in (0, None):
        whole = build(
            call("a", "f", '{"x":1}', index=index),
            call("b", "g", '{"y"', index=index),
            call(None, None, ":2}", index=index),
        )
        assert [one["function"] for one in message_of(whole)["tool_calls"]] == [
            {"name": "f", "arguments": '{"x":1}'},
            {"name": "g", "arguments": '{"y":2}'},
        ]
        assert whole.exact


def test_a_name_that_is_told_again_stands_once() -> None:
    """With each delta of its call."""
    assert message_of(build(call("a", "f", '{"x"'), call("a", "f", ":1}")))["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    ]


def test_custom_tools_are_joined_by_their_input() -> None:
    """They have no arguments."""
    first = {"tool_calls": [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": ""}}]}
    message = message_of(build(first, {"tool_calls": [{"index": 0, "custom": {"input": "ls"}}]}))
    assert message["tool_calls"] == [{"id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]


def test_fields_that_nobody_knows_are_kept() -> None:
    """Of a call, a message, a choice and the answer."""
    signed = call("a", "f", "{}", extra_content={"google": {"thought_signature": "SIG"}})
    whole = AnswerBuilder()
    whole.add({**chunk({**signed, "annotations": [{"type": "a"}]}, model="m"), "citations": ["x"]})
    last = chunk({"annotations": [{"type": "b"}], "mood": "good"}, model="m", finish_reason="tool_calls")
    last["choices"][0]["native_finish_reason"] = "STOP"
    whole.add(last)
    body = whole.body()
    message = body["choices"][0]["message"]
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "SIG"}}
    assert (message["annotations"], message["mood"]) == ([{"type": "a"}, {"type": "b"}], "good")
    assert (body["citations"], body["choices"][0]["native_finish_reason"], whole.exact) == (["x"], "STOP", True)


def test_a_thinking_block_goes_on_until_its_signature() -> None:
    """The next turn is refused without it."""
    blocks = [
        {"type": "thinking", "thinking": "hm"}, {"type": "thinking", "thinking": "m", "signature": ""},
        {"type": "thinking", "thinking": "", "signature": "S1"}, {"type": "redacted_thinking", "data": "x"},
        {"type": "thinking", "thinking": "so", "signature": "S2"},
    ]  # fmt: skip
    assert message_of(build(*({"thinking_blocks": [block]} for block in blocks)))["thinking_blocks"] == [
        {"type": "thinking", "thinking": "hmm", "signature": "S1"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "thinking", "thinking": "so", "signature": "S2"},
    ]


def test_sound_is_joined_where_its_pieces_can_be() -> None:
    """Base64 that is padded in its middle is not the sound any more."""
    pieces = [{"audio": {"id": "au", "transcript": "hel"}}, {"audio": {"data": "QUJD"}}, {"audio": {"data": "QUI="}}]
    whole = build(*pieces, {"audio": {"transcript": "lo"}})
    assert message_of(whole)["audio"] == {"id": "au", "transcript": "hello", "data": "QUJDQUI="}
    assert whole.exact
    assert not build(*pieces, {"audio": {"data": "QUJD"}}).exact


@pytest.mark.parametrize("field", ["mood", "images"])
def test_what_nobody_can_join_is_not_exact(field: str) -> None:
    """A text of unknown meaning that comes twice: told as a whole, or in pieces?"""
    value = "a" if field == "mood" else [{"index": 0, "url": "a"}]
    other = "b" if field == "mood" else [{"index": 0, "url": "b"}]
    assert build({field: value}).exact
    assert not build({field: value}, {field: other}).exact
    # Two equal pieces, or the same once more?
    assert not build({field: value}, {field: value}).exact


def test_parts_and_a_text_of_one_field_are_not_exact() -> None:
    """Mistral tells what it thinks as parts and what it says as a text: no client joins them to one."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    assert build({"content": parts}).exact
    assert not build({"content": parts}, {"content": "so"}).exact
    assert not build({"content": "so"}, {"content": parts}).exact


@pytest.mark.parametrize(
    ("finishes", "exact"), [(["length", "stop"], False), (["stop", "stop"], True), (["a", "b", "b"], False)]
)
def test_two_finishes_are_not_exact(finishes: list[str], exact: bool) -> None:
    """A replay tells one."""
    whole = AnswerBuilder()
    for finish in finishes:
        whole.add(chunk({"content": "x"}, model="m", finish_reason=finish))
    assert whole.exact is exact


def test_calls_that_are_mixed_under_one_index_are_told_by_their_ids() -> None:
    """Each gets an index of its own, in the stream too."""
    deltas = [
        call("a", "f", '{"x"', index=0), call("b", "g", '{"y"', index=0), call("a", None, ":1}", index=0),
        call("b", None, ":2}", index=0),
    ]  # fmt: skip
    assert [one["function"] for one in message_of(build(*deltas))["tool_calls"]] == [
        {"name": "f", "arguments": '{"x":1}'},
        {"name": "g", "arguments": '{"y":2}'},
    ]


TEXT = st.text(max_size=6)
CALLS = st.lists(
    st.tuples(st.sampled_from(["f", "go"]), st.lists(TEXT, min_size=1, max_size=3), st.booleans()), max_size=3
)


@st.composite
def streams(draw: Any) -> list[Delta]:
    """Deltas of every kind, as servers send them: calls that share an index or have none, whose pieces are mixed, whose
    id and name come again; parts where others send a text; fields that nobody knows, once or twice."""
    deltas: list[Delta] = [{"role": "assistant", "content": draw(st.sampled_from(["", None]))}]
    for name in ("reasoning_content", "content", "refusal"):
        deltas += [{name: piece} for piece in draw(st.lists(TEXT, max_size=3))]
    if draw(st.integers(0, 4)) == 0:
        deltas.append({"content": [{"type": "text", "text": draw(TEXT)}]})
    form = draw(st.sampled_from(["counted", "one index", "no index"]))
    again = draw(st.booleans())
    pieces = []
    for at, (name, texts, signed) in enumerate(draw(CALLS)):
        index = {"counted": at, "one index": 0, "no index": None}[form]
        extra = {"extra_content": {"signature": "S"}} if signed else {}
        mine = [call(f"id{at}", name, texts[0], index=index, **extra)]
        told = (f"id{at}", name) if again else (None, None)
        pieces.append(mine + [call(*told, text, index=index) for text in texts[1:]])
    mixed = draw(st.booleans()) and (form == "counted" or again)
    in_order = chain.from_iterable(zip_longest(*pieces) if mixed else pieces)
    deltas += [delta for delta in in_order if delta is not None]
    if draw(st.booleans()):
        deltas.append({"annotations": [{"type": "url_citation"}]})
    if draw(st.booleans()):
        deltas += [{"audio": {"id": "a", "transcript": "x"}}, {"audio": {"transcript": "y"}}]
    deltas += [{"mood": piece} for piece in draw(st.lists(st.sampled_from(["a", "b"]), max_size=2))]
    return deltas


def assembled(deltas: Iterable[Delta]) -> Delta:
    """What OpenAI's client makes of them. It keeps the index of calls, and empty texts, which mean nothing."""
    snapshot: Delta = {}
    for delta in deltas:
        snapshot = accumulate_delta(snapshot, json.loads(json.dumps(delta)))
    for one in snapshot.get("tool_calls") or ():
        del one["index"]
    return {name: value for name, value in snapshot.items() if value}


@given(streams())
def test_streamed_replayed_and_whole_are_one_message(deltas: list[Delta]) -> None:
    """By OpenAI's own accumulator, wherever the answer may be stored; and what every server sends may be."""
    whole = build(*deltas)
    doubtful = [name for delta in deltas for name in delta if name == "mood"]
    kinds = {type(delta["content"]) for delta in deltas if delta.get("content") is not None}
    assert whole.exact is (len(doubtful) < 2 and len(kinds) < 2)
    if not whole.exact:
        return
    form = ChunkForm()
    streamed = [form.read(chunk(delta, model="m"))["choices"][0]["delta"] for delta in deltas]
    message = {name: value for name, value in message_of(whole).items() if value}
    assert assembled(streamed) == message
    replayed = [part["choices"][0]["delta"] for part in chunks_of(whole.body(), include_usage=False)]
    assert assembled(replayed) == message


@pytest.mark.parametrize(("first", "second"), [(0, None), (0, "0"), (None, 0), (0, {}), (0, True)])
def test_an_index_that_is_no_number_is_the_first_choice(first: Any, second: Any) -> None:
    """Whatever a server puts there: the answer is one, and is built."""
    whole, form = AnswerBuilder(), ChunkForm()
    for index, text in ((first, "so"), (second, " it is")):
        whole.add(form.read({"choices": [{"index": index, "delta": {"content": text}}]}))
    assert message_of(whole)["content"] == "so it is"
    numbered = [call("a", "f", "{}", index=1), call("b", "g", "{}", index="0")]
    assert [one["id"] for one in message_of(build(*numbered))["tool_calls"]] == ["b", "a"]


def test_an_image_alone_is_content() -> None:
    """A role is not."""
    whole = AnswerBuilder()
    whole.add(chunk({"role": "assistant"}, model="m"))
    assert not whole.bears_content
    whole.add(chunk({"images": [{"image_url": {"url": "data:image/png;base64,"}}]}, model="m"))
    assert whole.bears_content
