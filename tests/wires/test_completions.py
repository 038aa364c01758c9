"""OpenAI's legacy completions, over chat; and the Responses protocol by verbs and by litellm."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

import openai
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from turnout.asgi import TurnoutMiddleware
from turnout.errors import InvalidRequest
from turnout.upstream import litellm_import
from turnout.wires.completions import to_chat

ANN = {"x-user-id": "ann"}


def test_a_prompt_is_answered_whole_and_streamed(url: str, provider: LoopbackProvider) -> None:
    """As the SDK reads it, with the decision's headers; one entry with the chat that asks the same."""
    with openai.OpenAI(api_key="-", base_url=f"{url}/v1", default_headers=ANN, max_retries=0) as client:
        raw = client.completions.with_raw_response.create(model="auto", prompt="What is 2 + 2?", max_tokens=9)
        made = raw.parse()
        assert made.object == "text_completion"
        assert made.choices[0].text == "It is four."
        assert made.choices[0].finish_reason == "stop"
        assert made.usage is not None
        assert raw.headers["x-turnout-tier"] in ("cheap", "expensive")
        calls = sum(provider.calls.values())
        streamed = client.completions.create(
            model="auto", prompt=["What is 2 + 2?"], max_tokens=9, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(streamed)
        assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "It is four."
        assert chunks[-1].usage is not None
        with httpx.Client(base_url=url, headers=ANN) as http:
            ask = {"model": "auto", "messages": [{"role": "user", "content": "What is 2 + 2?"}], "max_tokens": 9}
            assert http.post("/v1/chat/completions", json=ask).headers["cache-status"] == "turnout; hit"
            bare = http.post("/v1/completions", json={"model": "auto", "prompt": "x", "stream": True}).text
            assert "usage" not in bare
            assert bare.endswith("data: [DONE]\n\n")
        assert sum(provider.calls.values()) == calls + 1
        with pytest.raises(openai.BadRequestError) as refused:
            client.completions.create(model="auto", prompt="x", echo=True)
        assert refused.value.param == "echo"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "a", "best_of": 3}, "best_of"),
        ({"prompt": "a", "logprobs": 2}, "logprobs"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "tools": [{"type": "function"}]}, "tools"),
    ],
)
def test_what_a_chat_cannot_be_asked_is_named(body: dict[str, Any], param: str) -> None:
    """Refused with its name, never dropped."""
    with pytest.raises(InvalidRequest) as refused:
        to_chat(body)
    assert refused.value.param == param
    assert to_chat({"prompt": "a", "echo": False, "best_of": 1, "suffix": None})["messages"][0]["content"] == "a"


def test_respond_and_its_twin_and_litellm(provider: LoopbackProvider) -> None:
    """The Responses protocol from a handler: continued, blocking, whole and streamed through litellm."""
    app = FastAPI()

    @app.get("/verb")
    async def verb(request: Request) -> Any:
        first = await request.state.turnout.respond("hello", max_output_tokens=20)
        second = await request.state.turnout.respond("more", previous_response_id=first.id)
        return [first.text, second.to_openai()["previous_response_id"] == first.id, second.outcome.user]

    @app.get("/blocking")
    def blocking(request: Request) -> Any:
        return request.state.turnout.blocking.respond([{"role": "user", "content": "hello"}]).text

    @app.get("/litellm")
    async def through_litellm(request: Request) -> Any:
        litellm = litellm_import.load_litellm()
        whole = await litellm.aresponses(model="turnout/auto", input="by litellm")
        kinds = []
        async for event in await litellm.aresponses(model="turnout/cheap", input="by litellm", stream=True):
            kinds.append(str(getattr(event.type, "value", event.type)))
        return [
            whole.output[0].content[0].text,
            kinds[-1],
            [outcome.tier for outcome in request.state.turnout.outcomes],
        ]

    app.add_middleware(TurnoutMiddleware, config=settings(provider.base_url))
    with served(app) as base, httpx.Client(base_url=base, headers=ANN, timeout=30) as http:
        assert http.get("/verb").json() == ["It is four.", True, "ann"]
        assert http.get("/blocking").json() == "It is four."
        text, last, tiers = http.get("/litellm").json()
        assert text == "It is four."
        assert last == "response.completed"
        assert tiers[-1] == "cheap"
