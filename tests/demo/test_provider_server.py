"""A demo provider speaks the OpenAI protocol."""

import asyncio
import json
import math
from typing import Any

import httpx
import pytest

from turnout.demo.provider_protocol import tokens
from turnout.demo.provider_server import Provider
from turnout.demo.solver import CHEAP, EXPENSIVE, solve

QUESTION = "What is (7 + 5) * 3 - 4?"
REPLY = solve(QUESTION, EXPENSIVE)


def answering() -> Provider:
    """An expensive one that answers at once."""
    return Provider(skill=EXPENSIVE, speed=math.inf)


def asked(**changed: Any) -> dict[str, Any]:
    """A request body, with changes; a change to None leaves the key out."""
    body = {"model": "demo-large", "messages": [{"role": "user", "content": QUESTION}], **changed}
    return {key: value for key, value in body.items() if value is not None}


def send(to: Provider, method: str, path: str, **sent: Any) -> httpx.Response:
    """One request through the app, no socket involved."""

    async def sending() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(to.app()), base_url="http://provider") as client:
            return await client.request(method, path, **sent)

    return asyncio.run(sending())


def complete(to: Provider, body: Any) -> httpx.Response:
    """One completion asked for."""
    return send(to, "POST", "/v1/chat/completions", json=body)


def events(answer: httpx.Response) -> list[Any]:
    """The data of a stream's events; the end mark stays a string."""
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_completion_holds_the_solved_task_and_its_usage() -> None:
    """OpenAI's object, with tokens counted from the texts."""
    answer = complete(answering(), asked()).json()
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "demo-large"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": REPLY, "refusal": None}
    assert answer["choices"][0]["finish_reason"] == "stop"
    prompt, completion = tokens(QUESTION), tokens(REPLY)
    assert answer["usage"] == {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def test_four_characters_are_a_token() -> None:
    """Rounded up; nothing is nothing."""
    assert [tokens("x" * size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_a_stream_holds_the_same_text_in_pieces() -> None:
    """A role first, then pieces, then the finish and the end mark; no usage unless asked for."""
    answer = complete(answering(), asked(stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, end = events(answer)
    assert end == "[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == REPLY
    assert len(chunks) > 10
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)


def test_a_stream_ends_with_usage_where_asked_for() -> None:
    """As `stream_options.include_usage` has it: one more chunk, without choices."""
    answer = complete(answering(), asked(stream=True, stream_options={"include_usage": True}))
    last = events(answer)[-2]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == tokens(REPLY)


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_reply(limit: str) -> None:
    """And the finish reason says so."""
    answer = complete(answering(), asked(**{limit: 5})).json()
    assert answer["choices"][0]["message"]["content"] == REPLY[:20]
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


def test_the_last_user_message_is_solved_and_all_are_counted() -> None:
    """Content in parts is read as well."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1 + 1?"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
    ]
    answer = complete(answering(), asked(messages=messages)).json()
    assert answer["choices"][0]["message"]["content"] == REPLY
    assert answer["usage"]["prompt_tokens"] == tokens("Be brief." + "What is 1 + 1?" + QUESTION)


def test_calls_and_tokens_are_counted() -> None:
    """Streamed and whole ones; a refused request is no call."""
    to = answering()
    complete(to, asked())
    complete(to, asked(stream=True))
    complete(to, asked(model="other"))
    counted = send(to, "GET", "/stats").json()
    assert counted == {"calls": 2, "prompt_tokens": 2 * tokens(QUESTION), "completion_tokens": 2 * tokens(REPLY)}


def test_it_lists_its_one_model() -> None:
    """Each skill under a name of its own."""
    for skill, name in ((CHEAP, "demo-small"), (EXPENSIVE, "demo-large")):
        listed = send(Provider(skill=skill), "GET", "/v1/models").json()
        assert [model["id"] for model in listed["data"]] == [name]


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        (asked(model=None), 400, "model", None),
        (asked(model=3), 400, "model", None),
        (asked(model="gpt"), 404, "model", "model_not_found"),
        (asked(model="\ud800"), 404, "model", "model_not_found"),
        (asked(messages=None), 400, "messages", None),
        (asked(messages=[]), 400, "messages", None),
        (asked(messages=["hello"]), 400, "messages", None),
        (asked(messages=[{"role": "user", "content": 3}]), 400, "messages", None),
        (asked(max_tokens=0), 400, "max_tokens", None),
        (asked(max_tokens="many"), 400, "max_tokens", None),
        ([], 400, None, None),
    ],
)
def test_a_bad_request_gets_an_error_in_the_protocol_s_shape(
    body: Any, status: int, param: str | None, code: str | None
) -> None:
    """The right status, and which parameter it is about."""
    answer = send(answering(), "POST", "/v1/chat/completions", content=json.dumps(body))
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"]


def test_what_is_not_json_or_not_there_gets_one_too() -> None:
    """Broken bodies, unknown paths and wrong methods."""
    broken = send(answering(), "POST", "/v1/chat/completions", content=b'{"model": ')
    unknown = send(answering(), "GET", "/v1/nothing")
    wrong = send(answering(), "GET", "/v1/chat/completions")
    assert [answer.status_code for answer in (broken, unknown, wrong)] == [400, 404, 405]
    assert all(answer.json()["error"]["message"] for answer in (broken, unknown, wrong))
