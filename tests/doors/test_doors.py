"""One behaviour at both doors, over real HTTP: the openai SDK, litellm, a loopback provider; uvicorn, gunicorn
with its processes and threads, and wsgiref's validator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import openai
from tests.support import fastapi_app, flask_app
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from tests.support.wsgi_servers import gunicorn, validated

CHAT = "/v1/chat/completions"
ANN = {"x-user-id": "ann"}


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackProvider]:
    """One provider for the module."""
    with LoopbackProvider() as provider:
        yield provider


@pytest.fixture(scope="module", params=["uvicorn", "gunicorn", "wsgiref"])
def door(request: pytest.FixtureRequest) -> str:
    """What serves the app: each test runs on both doors, and under the WSGI validator."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="module")
def url(door: str, running: LoopbackProvider) -> Iterator[str]:
    """One app a door for the module."""
    config = settings(running.base_url, server={"max_body_bytes": 20_000})
    if door == "uvicorn":
        with served(fastapi_app.mounted(config)) as base:
            yield base
    elif door == "gunicorn":
        with gunicorn(config, "--preload") as server:
            yield server.url
    else:
        with validated(flask_app.mounted(config)) as base:
            yield base


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    """One connection, so that one of gunicorn's workers has it all: each has a cache of its own. The first request of a
    process waits for litellm's import, which takes long where nothing is compiled yet."""
    with httpx.Client(base_url=url, headers=ANN, limits=httpx.Limits(max_connections=1), timeout=60) as client:
        yield client


@pytest.fixture(autouse=True)
def healthy(running: LoopbackProvider) -> None:
    """Each test begins with a healthy provider and no calls counted."""
    running.modes.clear()
    running.calls.clear()
    running.bodies.clear()


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **more}


def test_a_miss_then_a_hit_tell_what_was_decided(http: httpx.Client, running: LoopbackProvider) -> None:
    """Tier, model, score, reason, cache and time in the headers; the real model in the body; one call."""
    miss = http.post(CHAT, json=body("a hard one"))
    assert miss.status_code == 200
    assert miss.json()["model"] == "large-2026"
    actual = {name: miss.headers[name] for name in miss.headers if name.startswith("x-turnout")}
    assert actual == {
        "x-turnout-tier": "expensive",
        "x-turnout-model": "openai/large",
        "x-turnout-score": "0.9000",
        "x-turnout-reason": "scored",
        "x-turnout-cost-usd": "0.000069",
    }
    assert miss.headers["cache-status"] == "turnout; fwd=miss; stored"
    assert "inference;dur=" in miss.headers["server-timing"]
    hit = http.post(CHAT, json=body("a hard one"))
    assert hit.json() == miss.json()
    assert (hit.headers["cache-status"], hit.headers["x-turnout-reason"]) == ("turnout; hit", "cache")
    assert hit.headers["x-turnout-score"] == "0.9000"
    assert "inference" not in hit.headers["server-timing"]
    assert running.calls.total() == 1


def test_the_openai_sdk_gets_completions_streams_usage_and_models(url: str) -> None:
    """The sync client, streaming and not, tools included."""
    client = openai.OpenAI(api_key="-", base_url=f"{url}/v1", default_headers=ANN, max_retries=0)
    whole = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "sdk"}])
    assert whole.choices[0].message.content == "It is four."
    assert whole.usage is not None
    assert whole.usage.total_tokens == 11
    for _ in ("miss", "hit"):
        chunks = list(
            client.chat.completions.create(
                model="auto",
                messages=[{"role": "user", "content": "sdk stream"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text.strip() == "It is four."
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 4
        assert all(chunk.usage is None for chunk in chunks[:-1])
        assert {chunk.model for chunk in chunks} == {"small-2026"}
    tools: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    called = client.chat.completions.create(model="cheap", messages=[{"role": "user", "content": "add"}], tools=tools)
    assert called.choices[0].finish_reason == "tool_calls"
    assert called.choices[0].message.tool_calls is not None
    assert {"auto", "cheap", "expensive", "openai/small"} <= {model.id for model in client.models.list()}
    client.close()


def test_the_openai_sdk_gets_typed_errors(url: str, running: LoopbackProvider) -> None:
    """Unknown model, wrong parameter, a provider's refusal and its outage."""
    client = openai.OpenAI(api_key="-", base_url=f"{url}/v1", default_headers=ANN, max_retries=0)

    def ask(**change: Any) -> None:
        client.chat.completions.create(**{**body("errors"), **change})

    with pytest.raises(openai.NotFoundError, match="does not exist"):
        ask(model="gpt-9")
    with pytest.raises(openai.BadRequestError) as refused:
        ask(temperature="hot")
    assert refused.value.param == "temperature"
    surrogate = b'{"model":"auto","messages":[{"role":"user","content":"\\ud800"}]}'
    raw = httpx.post(url + CHAT, content=surrogate, headers={**ANN, "content-type": "application/json"})
    assert raw.status_code == 400
    assert "lone surrogate" in raw.json()["error"]["message"]
    running.modes.update(small="422", large="422")
    with pytest.raises(openai.UnprocessableEntityError):
        ask()
    running.modes.update(small="500", large="500")
    with pytest.raises(openai.InternalServerError) as down:
        ask(messages=[{"role": "user", "content": "outage"}])
    assert down.value.status_code == 503
    assert down.value.code == "upstream_unavailable"
    assert down.value.response.headers["retry-after"] == "1"
    client.close()


@pytest.mark.parametrize(
    ("request_args", "status", "code"),
    [
        ({"content": b"{"}, 400, "invalid_request_error"),
        ({"content": b"\xff\xfe"}, 400, "invalid_request_error"),
        ({"content": b"x" * 30_000}, 413, "request_too_large"),
        ({"content": b"{}", "headers": {"content-type": "text/xml"}}, 415, "unsupported_media_type"),
        ({"content": b"{}", "method": "PUT"}, 405, "method_not_allowed"),
        ({"content": b"{}", "headers": {"x-turnout-deadline-ms": "soon"}}, 400, "invalid_request_error"),
    ],
    ids=["json", "utf8", "large", "type", "method", "deadline"],
)
def test_what_is_malformed_is_told_in_openais_shape(
    url: str, request_args: dict[str, Any], status: int, code: str
) -> None:
    """Never a traceback; the request id is always there."""
    headers = {"content-type": "application/json", **ANN, **request_args.get("headers", {})}
    answer = httpx.request(**{"method": "POST", "url": url + CHAT, **request_args, "headers": headers})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "code", "param"}
    assert answer.json()["error"]["code"] == code
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_body_without_a_length_is_bounded_too(url: str, door: str) -> None:
    """Chunked upload beyond the limit: 413."""
    if door == "wsgiref":
        pytest.skip("wsgiref's server knows no chunked uploads")

    def parts() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 1000

    assert httpx.post(url + CHAT, content=parts(), headers=ANN).status_code == 413


@pytest.mark.parametrize("mode", ["truncated", "html", "no_choices", "error_in_200", "500", "401", "404"])
def test_what_a_sick_provider_sends_is_not_passed_on(url: str, running: LoopbackProvider, mode: str) -> None:
    """The other tier answers for it."""
    running.modes["large"] = mode
    answer = httpx.post(url + CHAT, json=body(f"hard {mode}"), headers=ANN)
    assert (answer.status_code, answer.headers["x-turnout-model"]) == (200, "openai/small")
    assert answer.headers["x-turnout-reason"] == "fallback"


@pytest.mark.parametrize("mode", ["cut", "half_frame"])
def test_a_stream_that_breaks_off_says_so(http: httpx.Client, running: LoopbackProvider, mode: str) -> None:
    """One error event, no [DONE], nothing cached: not taken for a finished answer."""
    running.modes["small"] = running.modes["large"] = mode
    answer = http.post(CHAT, json=body(f"break {mode}", stream=True))
    events = [line for line in answer.text.split("\n\n") if line]
    assert '"error"' in events[-1]
    assert "[DONE]" not in answer.text
    running.modes.clear()
    again = http.post(CHAT, json=body(f"break {mode}"))
    assert again.headers["cache-status"] == "turnout; fwd=miss; stored"


def test_usage_is_counted_where_the_provider_tells_none(url: str, running: LoopbackProvider) -> None:
    """The body holds it all the same."""
    running.modes["small"] = running.modes["large"] = "no_usage"
    actual = httpx.post(url + CHAT, json=body("count me"), headers=ANN).json()["usage"]
    assert actual["completion_tokens"] == 3
    assert actual["prompt_tokens"] >= 2


def test_a_client_that_leaves_ends_the_providers_call(url: str, running: LoopbackProvider) -> None:
    """In mid-stream: the provider sees its connection closed, soon."""
    running.modes["small"] = running.modes["large"] = "endless"
    running.gone.clear()
    with httpx.stream("POST", url + CHAT, json=body("endless", stream=True), headers=ANN) as answer:
        assert next(answer.iter_lines()).startswith("data:")
    assert running.gone.wait(5)


def test_a_slow_client_holds_the_provider_back(url: str, running: LoopbackProvider) -> None:
    """What the provider may send ahead is bounded."""
    running.modes["small"] = running.modes["large"] = "endless"
    running.sent = 0
    with httpx.stream("POST", url + CHAT, json=body("slow reader", stream=True), headers=ANN) as answer:
        next(answer.iter_lines())
        time.sleep(1.0)
        early = running.sent
        time.sleep(1.0)
        # By then every buffer on the way is full: what is sent in the second second is close to nothing.
        assert running.sent - early < 60


def test_a_providers_own_parameters_reach_it_and_ours_never_leave(url: str, running: LoopbackProvider) -> None:
    """top_k travels in the body; api_base in a body is no way to aim the call elsewhere."""
    more = {"top_k": 3, "api_base": "http://127.0.0.1:1/v1", "mock_response": "gotcha", "turnout": {"tag": "x"}}
    answer = httpx.post(url + CHAT, json=body("extra", **more), headers=ANN)
    assert answer.json()["choices"][0]["message"]["content"] == "It is four."
    assert running.bodies[-1]["top_k"] == 3
    assert "turnout" not in running.bodies[-1]


def test_a_handler_asks_for_the_right_caller(url: str, door: str) -> None:
    """User and route template reach a call made inside a handler; decide and stream work there too."""
    actual = httpx.get(f"{url}/ask/tea", headers=ANN).json()
    template = "/ask/{topic}" if door == "uvicorn" else "/ask/<topic>"
    assert actual == {"text": "It is four.", "user": "ann", "endpoint": template}
    assert httpx.get(f"{url}/decide").json() == {"tier": "expensive"}
    assert httpx.get(f"{url}/words").text.strip() == "It is four."


def test_old_sdk_code_in_a_handler_is_routed_in_process(url: str, door: str, running: LoopbackProvider) -> None:
    """The openai SDK's own client of each door, streaming and tools, for a model that is none here."""
    actual = httpx.get(f"{url}/sdk", headers=ANN, timeout=30).json()
    assert actual == {"streamed": "It is four.", "called": "add"}
    # Which tier hangs on what this server decided before: the share of expensive calls is kept.
    assert running.calls.total() == 2
    if door == "uvicorn":
        actual = httpx.get(f"{url}/sdk-thread", headers=ANN, timeout=30).json()
        assert actual == {"sdk": "It is four.", "verb": "It is four.", "user": "ann"}


def test_a_lower_deadline_is_kept(url: str, running: LoopbackProvider) -> None:
    """504 in OpenAI's shape, near the time asked for."""
    running.modes["small"] = running.modes["large"] = "hang"
    headers = {**ANN, "x-turnout-deadline-ms": "100"}
    answer = httpx.post(url + CHAT, json=body("late"), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")


def test_one_model_is_told_of_and_an_unknown_one_is_not(url: str) -> None:
    """`GET /v1/models/{id}`, the id holding a slash or not."""
    client = openai.OpenAI(api_key="-", base_url=f"{url}/v1", max_retries=0)
    assert client.models.retrieve("openai/small").id == "openai/small"
    assert client.models.retrieve("auto").object == "model"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("gpt-9")
    assert unknown.value.code == "model_not_found"
    assert httpx.post(f"{url}/v1/models/auto").status_code == 405
    client.close()
