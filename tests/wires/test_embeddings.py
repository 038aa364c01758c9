"""Embeddings over real HTTP at both doors, in memory and in Redis, through litellm to a provider on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

import openai
from tests.support import fastapi_app, flask_app
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider, vector_of
from tests.support.wsgi_servers import validated
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware

EMBED = "openai/text-embedding-3-small"
ANN = {"x-user-id": "ann"}


def config(provider: LoopbackProvider, **sections: Any) -> dict[str, Any]:
    whole = settings(provider.base_url, **sections)
    called = {"params": {"api_base": provider.base_url}}
    whole["models"][EMBED] = {**called, "input_usd_per_million": 1, "output_usd_per_million": 0}
    return whole


@pytest.fixture(scope="module", params=["asgi", "wsgi", "asgi-redis", "wsgi-redis"])
def url(request: pytest.FixtureRequest, provider: LoopbackProvider) -> Iterator[str]:
    door, _, store = request.param.partition("-")
    sections = {}
    if store:
        redis_server = request.getfixturevalue("redis_server")
        sections = {"redis": {"url": redis_server.url, "prefix": f"embed-{door}", "timeout_s": 2.0}}
    settings = config(provider, **sections)
    app = fastapi_app.mounted(settings) if door == "asgi" else flask_app.mounted(settings)
    with served(app) if door == "asgi" else validated(app) as base:
        yield base


def test_a_batch_is_asked_once_and_then_a_hit(url: str, provider: LoopbackProvider) -> None:
    """OpenAI's body, the decision's headers, the cost; the second time nothing is asked, and it costs nothing."""
    provider.calls.clear()
    provider.bodies.clear()
    with httpx.Client(base_url=url, headers=ANN, timeout=60) as http:
        first = http.post("/v1/embeddings", json={"model": EMBED, "input": ["one text", "two"]})
        second = http.post("/v1/embeddings", json={"model": EMBED, "input": ["two", "a third", "one text"]})
        third = http.post("/v1/embeddings", json={"model": EMBED, "input": ["a third", "two"]})
    assert first.status_code == 200, first.text
    body = first.json()
    assert body["object"] == "list"
    assert body["data"][0] == {"object": "embedding", "index": 0, "embedding": vector_of("one text")}
    assert body["model"] == "text-embedding-3-small"
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    headers = first.headers
    assert headers["x-turnout-model"] == EMBED
    assert (headers["x-turnout-tier"], headers["x-turnout-reason"]) == ("none", "forced")
    assert headers["x-turnout-cost-usd"] == "0.000003"
    assert headers["cache-status"] == "turnout; fwd=miss; stored"
    assert "inference;dur=" in headers["server-timing"]
    assert provider.bodies[-1]["input"] == ["a third"]
    assert [item["embedding"] for item in second.json()["data"]] == [
        vector_of(text) for text in ("two", "a third", "one text")
    ]
    assert third.headers["cache-status"] == "turnout; hit"
    assert third.headers["x-turnout-cost-usd"] == "0"
    assert "inference" not in third.headers["server-timing"]
    assert provider.calls == {"text-embedding-3-small": 2}


def test_the_sdk_gets_vectors_of_its_own_kind(url: str) -> None:
    """openai's client asks for base64; sizes and tokens go through; errors are OpenAI's."""
    client = openai.OpenAI(api_key="-", base_url=f"{url}/v1", default_headers=ANN, max_retries=0)
    with client:
        made = client.embeddings.create(model="text-embedding-3-small", input="sdk text")
        assert made.data[0].embedding == vector_of("sdk text")
        small = client.embeddings.create(model="auto", input=[1, 2, 3], dimensions=2, encoding_format="float")
        assert small.data[0].embedding == vector_of([1, 2, 3], 2)
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="openai/nothing", input="a")
        with pytest.raises(openai.BadRequestError) as refused:
            client.embeddings.create(model=EMBED, input=[])
        assert refused.value.param == "input"
        with pytest.raises(openai.NotFoundError, match="no tier"):
            client.chat.completions.create(model=EMBED, messages=[{"role": "user", "content": "a"}])
        assert EMBED in [model.id for model in client.models.list()]


def test_a_sick_provider_is_openais_error(url: str, provider: LoopbackProvider) -> None:
    """503 with Retry-After where it fails, and where it answers fewer vectors than texts; 400 for its own 400."""
    with httpx.Client(base_url=url, headers=ANN, timeout=60) as http:
        for mode, status in (("400", 400), ("no_choices", 503), ("503", 503)):
            provider.modes["text-embedding-3-small"] = mode
            try:
                got = http.post("/v1/embeddings", json={"model": EMBED, "input": f"sick {mode}"})
            finally:
                provider.modes["text-embedding-3-small"] = "ok"
            assert got.status_code == status, got.text
            assert set(got.json()["error"]) == {"message", "type", "code", "param"}
            assert ("retry-after" in got.headers) == (status == 503)


def test_verbs_and_sdk_code_in_a_handler(provider: LoopbackProvider) -> None:
    """`embed`, its blocking twin, and both kinds of SDK clients over the transport are one caller's, and one entry."""
    app = FastAPI()

    @app.get("/verb")
    async def verb(request: Request) -> Any:
        answer = await request.state.turnout.embed("in a handler")
        return [answer.vector, answer.outcome.cache, answer.outcome.user]

    @app.get("/blocking")
    def blocking(request: Request) -> Any:
        answer = request.state.turnout.blocking.embed(["in a handler", "more"], model=EMBED)
        return [answer.vectors, answer.outcome.cache]

    @app.get("/sdk")
    async def sdk(request: Request) -> Any:
        transport = request.state.turnout.turnout.transport()
        async with httpx.AsyncClient(transport=transport) as http:
            client = openai.AsyncOpenAI(api_key="-", base_url="http://turnout/v1", http_client=http)
            made = await client.embeddings.create(model="text-embedding-3-small", input="in a handler")
            return made.data[0].embedding

    app.add_middleware(TurnoutMiddleware, config=config(provider))
    with served(app) as base, httpx.Client(base_url=base, headers=ANN) as http:
        provider.calls.clear()
        assert http.get("/verb").json() == [vector_of("in a handler"), "miss_stored", "ann"]
        both = http.get("/blocking").json()
        assert both == [[vector_of("in a handler"), vector_of("more")], "miss_stored"]
        assert http.get("/sdk").json() == vector_of("in a handler")
        assert sum(provider.calls.values()) == 2


def test_closed_paths_are_the_apps(provider: LoopbackProvider) -> None:
    """`embeddings_path = ""`, and none without a chat path."""
    for server in ({"embeddings_path": ""}, {"chat_path": ""}):
        with (
            served(fastapi_app.mounted(config(provider, server=server))) as base,
            httpx.Client(base_url=base) as http,
        ):
            assert http.post("/v1/embeddings", json={"model": EMBED, "input": "a"}).json() == {"detail": "Not Found"}


def test_without_an_app(provider: LoopbackProvider) -> None:
    """`async with Turnout(...)`: the same verb; anonymous callers share no vectors."""
    import asyncio

    async def main() -> None:
        async with Turnout(config(provider)) as turnout:
            answer = await turnout.embed(["a", "b"])
            assert answer.to_openai()["data"][1]["embedding"] == vector_of("b")
            assert answer.outcome.cache == "bypass"

    asyncio.run(main())
