"""A demo provider speaks the OpenAI protocol."""

import asyncio
import json
import math
from typing import Any

import httpx
import pytest

from turnout.demo.provider_protocol import count_tokens
from turnout.demo.provider_server import Provider
from turnout.demo.solver.skills import CHEAP, EXPENSIVE, solve

QUESTION = "What is (7 + 5) * 3 - 4?"
REPLY = solve(QUESTION, EXPENSIVE)


def instant_provider() -> Provider:
    """An expensive one that answers at once."""
    return Provider(skill=EXPENSIVE, speed=math.inf)


def request_body(**changes: Any) -> dict[str, Any]:
    """A request body, with changes; a change to None leaves the key out."""
    body = {"model": "demo-large", "messages": [{"role": "user", "content": QUESTION}], **changes}
    return {key: value for key, value in body.items() if value is not None}


def send(provider: Provider, method: str, path: str, **content: Any) -> httpx.Response:
    """One request through the app, no socket involved."""

    async def request() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(provider.app()), base_url="http://provider"
        ) as client:
            return await client.request(method, path, **content)

    return asyncio.run(request())


def complete(provider: Provider, body: Any) -> httpx.Response:
    """The response to one request for a completion."""
    return send(provider, "POST", "/v1/chat/completions", json=body)


def events(answer: httpx.Response) -> list[Any]:
    """The data of a stream's events; the end mark stays a string."""
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_completion_holds_the_solved_task_and_its_usage() -> None:
    """OpenAI's object, with tokens counted from the texts."""
    answer = complete(instant_provider(), request_body()).json()
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "demo-large"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": REPLY, "refusal": None}
    assert answer["choices"][0]["finish_reason"] == "stop"
    prompt, completion = count_tokens(QUESTION), count_tokens(REPLY)
    assert answer["usage"] == {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def test_four_characters_are_a_token() -> None:
    """Rounded up; nothing is nothing."""
    assert [count_tokens("x" * size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_a_stream_holds_the_same_text_in_pieces() -> None:
    """A role first, then pieces, then the finish and the end mark; no usage unless asked for."""
    answer = complete(instant_provider(), request_body(stream=True))
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
    answer = complete(instant_provider(), request_body(stream=True, stream_options={"include_usage": True}))
    last = events(answer)[-2]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == count_tokens(REPLY)


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_reply(limit: str) -> None:
    """And the finish reason says so."""
    answer = complete(instant_provider(), request_body(**{limit: 5})).json()
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
    answer = complete(instant_provider(), request_body(messages=messages)).json()
    assert answer["choices"][0]["message"]["content"] == REPLY
    assert answer["usage"]["prompt_tokens"] == count_tokens("Be brief." + "What is 1 + 1?" + QUESTION)


def test_calls_and_tokens_are_counted() -> None:
    """Streamed and whole ones; a refused request is no call."""
    provider = instant_provider()
    complete(provider, request_body())
    complete(provider, request_body(stream=True))
    complete(provider, request_body(model="other"))
    stats = send(provider, "GET", "/stats").json()
    assert stats == {
        "calls": 2,
        "prompt_tokens": 2 * count_tokens(QUESTION),
        "completion_tokens": 2 * count_tokens(REPLY),
    }


def test_it_lists_its_one_model() -> None:
    """Each skill under a name of its own."""
    for skill, name in ((CHEAP, "demo-small"), (EXPENSIVE, "demo-large")):
        listed = send(Provider(skill=skill), "GET", "/v1/models").json()
        assert [model["id"] for model in listed["data"]] == [name]


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        (request_body(model=None), 400, "model", None),
        (request_body(model=3), 400, "model", None),
        (request_body(model="gpt"), 404, "model", "model_not_found"),
        (request_body(model="\ud800"), 404, "model", "model_not_found"),
        (request_body(messages=None), 400, "messages", None),
        (request_body(messages=[]), 400, "messages", None),
        (request_body(messages=["hello"]), 400, "messages", None),
        (request_body(messages=[{"role": "user", "content": 3}]), 400, "messages", None),
        (request_body(max_tokens=0), 400, "max_tokens", None),
        (request_body(max_tokens="many"), 400, "max_tokens", None),
        ([], 400, None, None),
    ],
)
def test_a_bad_request_gets_an_error_in_the_protocol_s_shape(
    body: Any, status: int, param: str | None, code: str | None
) -> None:
    """The right status, and which parameter it is about."""
    answer = send(instant_provider(), "POST", "/v1/chat/completions", content=json.dumps(body))
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"]


def test_what_is_not_json_or_not_there_gets_one_too() -> None:
    """Broken bodies, unknown paths and wrong methods."""
    broken = send(instant_provider(), "POST", "/v1/chat/completions", content=b'{"model": ')
    unknown = send(instant_provider(), "GET", "/v1/nothing")
    wrong = send(instant_provider(), "GET", "/v1/chat/completions")
    assert [answer.status_code for answer in (broken, unknown, wrong)] == [400, 404, 405]
    assert all(answer.json()["error"]["message"] for answer in (broken, unknown, wrong))
