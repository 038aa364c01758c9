"""Whatever a provider sends, what is read of it is of OpenAI's types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.attempt_errors import MalformedReply, NoAnswer
from turnout.openai.builder import AnswerBuilder
from turnout.testing import chunk, completion
from turnout.upstream.answer_form import ChunkForm, whole
from turnout.upstream.direct.reading import plain_completion


def answer(finish: str = "stop", **message: Any) -> dict[str, Any]:
    body = completion("", model="m", finish_reason=finish)
    body["choices"][0]["message"] = message
    return body


def message(**fields: Any) -> dict[str, Any]:
    formed: dict[str, Any] = whole(answer(**fields))["choices"][0]["message"]
    return formed


@pytest.mark.parametrize(
    ("arguments", "told"), [({"a": 1}, '{"a":1}'), ([1], "[1]"), (7, "7"), (True, "true"), ("{", "{"), (None, "")]
)
def test_a_tools_arguments_are_a_text(arguments: Any, told: str) -> None:
    """Ollama's are an object; whole and streamed."""
    calls = [{"id": 5, "index": "0", "function": {"name": "f", "arguments": arguments}}]
    (call,) = message(tool_calls=calls)["tool_calls"]
    assert (call["id"], call["function"].get("arguments") or "") == ("5", told)
    (streamed,) = ChunkForm().read(chunk({"tool_calls": calls}, model="m"))["choices"][0]["delta"]["tool_calls"]
    assert (streamed["id"], streamed["index"], streamed["function"].get("arguments") or "") == ("5", 0, told)


@pytest.mark.parametrize(
    ("blocks", "kept"),
    [
        ("x", None),
        ([None, 1, "x"], None),
        ([{"type": "thinking", "thinking": 5, "signature": None}], [{"type": "thinking", "thinking": "5"}]),
    ],
)
def test_odd_thinking_is_left_out_and_the_answer_told(blocks: Any, kept: Any) -> None:
    """Nothing hangs on it."""
    assert message(content="so", thinking_blocks=blocks).get("thinking_blocks") == kept
    assert message(content="so", thinking_blocks=blocks)["content"] == "so"


@pytest.mark.parametrize("calls", ["x", 5, [None], ["f"], {"0": {}}])
def test_calls_that_are_none_are_no_answer(calls: Any) -> None:
    """An answer without what it asks for is another one."""
    with pytest.raises(MalformedReply):
        whole(answer(tool_calls=calls))
    with pytest.raises(MalformedReply):
        ChunkForm().read(chunk({"tool_calls": calls}, model="m"))


@pytest.mark.parametrize(
    "items", [5, [None], [{"type": 1}], [{"type": "message", "content": [{"type": "output_text"}]}]]
)
def test_odd_items_of_a_response_are_left_out(items: Any) -> None:
    """The answer's words stand beside them."""
    assert "response_items" not in message(content="so", response_items=items)


def test_odd_fields_of_the_frame_are_left_out() -> None:
    """What nobody reads stays."""
    body = whole({**answer(content="so"), "id": 5, "model": {}, "created": "x", "citations": [1]})
    assert not body.keys() & {"id", "model", "created"}
    assert body["citations"] == [1]


@pytest.mark.parametrize("body", [answer(finish="OTHER"), {**answer(), "choices": []}, {**answer(), "choices": None}])
def test_an_answer_of_nothing_is_not_the_providers_to_answer_for(body: Any) -> None:
    """Another model may have one; what a caller asks for may be the cause."""
    with pytest.raises(NoAnswer) as raised:
        whole(body)
    assert not raised.value.counts
    assert whole(answer(finish="stop", content=""))


def test_a_stream_of_nothing_that_ends_with_an_unknown_finish_is_none() -> None:
    """With words before it, it is told as it came."""
    with pytest.raises(NoAnswer):
        ChunkForm().read(chunk({"role": "assistant"}, model="m", finish_reason="MALFORMED_FUNCTION_CALL"))
    form = ChunkForm()
    form.read(chunk({"content": "so"}, model="m"))
    assert form.read(chunk({}, model="m", finish_reason="OTHER"))["choices"][0]["finish_reason"] == "OTHER"


def test_an_id_and_a_name_that_are_sent_again_stand_once() -> None:
    """Clients join what comes in pieces."""
    form = ChunkForm()
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}
    deltas = [form.read(chunk({"tool_calls": [call]}, model="m"))["choices"][0]["delta"] for _ in range(2)]
    assert json.dumps(deltas).count('"a"') == 1
    assert json.dumps(deltas).count('"name"') == 1


def test_a_streams_usage_is_the_most_of_each_count() -> None:
    """Zeros that come late take nothing back; none of its chunks holds it."""
    form = ChunkForm()
    for usage in ({"prompt_tokens": 3, "completion_tokens": "4"}, {"prompt_tokens": 0, "completion_tokens": 0}, None):
        assert "usage" not in form.read({**chunk({"content": "x"}, model="m"), "usage": usage})
    assert form.usage == {"prompt_tokens": 3, "completion_tokens": "4"}


def joined(*deltas: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Name and arguments of each call, as a client joins the pieces: by index, texts one after another."""
    form, calls = ChunkForm(), dict[int, list[str]]()
    for pieces in deltas:
        for piece in form.read(chunk({"tool_calls": pieces}, model="m"))["choices"][0]["delta"]["tool_calls"]:
            call = calls.setdefault(piece["index"], ["", ""])
            for at, name in enumerate(("name", "arguments")):
                call[at] += piece.get("function", {}).get(name, "")
    return [(calls[index][0], calls[index][1]) for index in sorted(calls)]


def piece(name: str | None, arguments: str, **fields: Any) -> dict[str, Any]:
    return {**fields, "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    "deltas",
    [
        [[piece("f", "{}"), piece("g", "[]")]],
        [[piece("f", "{}", id=""), piece("g", "[]", id="")]],
        [[piece("f", "{}")], [piece("g", "[]")]],
        [[piece("f", "{")], [piece(None, "}")], [piece("g", "[")], [piece(None, "]")]],
        [[piece("f", "{", index=0)], [piece("g", "[", index=1)],
         [piece(None, "}", index=0), piece(None, "]", index=1)]],
        [[piece("f", "{", index=0, id="a")], [piece("g", "[", index=0, id="b")], [piece(None, "]", index=0)],
         [piece("f", "}", index=0, id="a")]],
        [[piece("f", "{", id="a")], [piece("f", "}", id="a")], [piece("g", "[]", id="b")]],
        [[piece("f", "{}", index=0, id="a")], [piece("g", "[", id="b")], [piece(None, "]")]],
    ],
)  # fmt: skip
def test_the_calls_of_a_stream_stay_apart(deltas: list[list[dict[str, Any]]]) -> None:
    """Whatever the server counts them by: an index, an id, both, or nothing."""
    assert joined(*deltas) == [("f", "{}"), ("g", "[]")]


def test_one_of_two_choices_that_ends_with_nothing_ends_no_stream() -> None:
    """The other may have words yet; where both hold nothing, there is no answer."""

    def end(index: int) -> dict[str, Any]:
        formed = chunk({}, model="m", finish_reason="OTHER")
        return {**formed, "choices": [{**formed["choices"][0], "index": index}]}

    form = ChunkForm(choices=2)
    form.read(end(0))
    with pytest.raises(NoAnswer):
        form.read(end(1))


def test_the_choices_of_a_whole_answer_keep_their_numbers() -> None:
    """In whatever order their provider sends them."""
    choices = [{"index": at, "message": {"content": f"{at}"}, "finish_reason": "stop"} for at in (1, 0)]
    formed = whole(plain_completion({"id": "c", "choices": choices}))["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in formed] == [(0, "0"), (1, "1")]
    unnumbered = [{**choice, "index": None} for choice in choices]
    formed = whole(plain_completion({"id": "c", "choices": unnumbered}))["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in formed] == [(0, "1"), (1, "0")]


def test_a_call_of_another_type_has_no_function() -> None:
    """Whole and built of a stream; one without a type is a function's."""
    searched = {"id": "a", "type": "web_search", "web_search": {"query": "q"}}
    assert message(tool_calls=[searched])["tool_calls"] == [searched]
    built = AnswerBuilder()
    built.add(ChunkForm().read(chunk({"tool_calls": [{"index": 0, **searched}]}, model="m")))
    assert built.body()["choices"][0]["message"]["tool_calls"] == [searched]
    (call,) = message(tool_calls=[{"id": "a"}])["tool_calls"]
    assert call["function"] == {"name": "", "arguments": ""}


def test_a_message_beside_a_delta_is_not_told() -> None:
    """Perplexity's says all deltas so far once more: it would take the built message's place."""
    one = chunk({"content": "b"}, model="m")
    one["choices"][0]["message"] = {"content": "ab"}
    formed = ChunkForm().read(one)
    assert formed["choices"][0]["delta"] == {"content": "b"}
    assert "message" not in formed["choices"][0]
