"""The route table: which row a path finds, and which methods it takes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from turnout import Turnout
from turnout.api.exchange import ApiRequest
from turnout.api.routes import Routes
from turnout.context import Caller
from turnout.errors import MethodNotAllowed, NotFound, UnsupportedMediaType
from turnout.testing import FixedScorer, ScriptedProvider


def routes(**server: Any) -> Routes:
    tiers = {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}}
    config = {"tiers": tiers, "server": server}
    return Turnout(config, provider=ScriptedProvider(), scorer=FixedScorer()).api.routes


def request(method: str, path: str) -> ApiRequest:
    return ApiRequest(
        method=method, path=path, header=lambda name: "", body=b"", caller=Caller(), request_id="req_1", started=0.0
    )


@pytest.mark.parametrize(
    ("path", "relative"),
    [
        ("/llm/chat/completions", "/chat/completions"),
        ("/llm/models", "/models"),
        ("/llm/models/openai/a", "/models/"),
        ("/llm/models/", "/models/"),
        ("/llm/modelsx", None),
        ("/v1/models", None),
        ("/llm/chat/completions/x", None),
    ],
)
def test_a_door_finds_a_row_by_its_exact_path_or_its_prefix(path: str, relative: str | None) -> None:
    """The models stand beside the chat path; every other path is the app's."""
    route = routes(chat_path="/llm/chat/completions").find(path)
    assert (route and route.relative) == relative


@pytest.mark.parametrize("server", [{}, {"chat_path": ""}])
def test_the_transport_finds_the_same_rows_below_any_base_url(server: dict[str, Any]) -> None:
    """Also where the doors do not serve them."""
    table = routes(**server)
    assert table.find_relative("/any/base/chat/completions").relative == "/chat/completions"
    assert table.find_relative("/models").relative == "/models"
    assert table.find_relative("/v1/models/openai/a").relative == "/models/"
    with pytest.raises(NotFound, match=r"/v1/images is not served in-process: /chat/completions, /models, .* are"):
        table.find_relative("/v1/images")


def test_switched_off_no_path_is_ours() -> None:
    """`chat_path = ""`."""
    table = routes(chat_path="")
    for path in ("", "/", "/v1/models", "/v1/models/auto", "/v1/chat/completions"):
        assert table.find(path) is None


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/auto", "GET, HEAD"),
    ],
)
def test_another_method_is_405_with_allow(method: str, path: str, allow: str) -> None:
    """One place decides it for every row."""
    route = routes().find(path)
    assert route is not None
    with pytest.raises(MethodNotAllowed) as refused:
        asyncio.run(route(request(method, path)))
    assert ("allow", allow) in refused.value.told_headers


@pytest.mark.parametrize(
    "path",
    ["chat/completions", "completions", "embeddings", "responses", "messages", "messages/count_tokens"],
)
def test_a_body_that_says_it_is_no_json_is_415_in_the_shape_of_its_protocol(path: str) -> None:
    """At each path that takes JSON; Anthropic's tell it, like any error, as Anthropic does."""
    route = routes().find(f"/v1/{path}")
    assert route is not None
    header = {"content-type": "text/xml"}
    asked = replace(request("POST", path), header=lambda name: header.get(name, ""), body=b"<a>")
    if not path.startswith("messages"):
        with pytest.raises(UnsupportedMediaType, match="text/xml"):
            asyncio.run(route(asked))
        return
    for each, status in ((asked, 415), (request("GET", path), 405)):
        reply: Any = asyncio.run(route(each))
        assert (reply.status, json.loads(reply.body)["type"]) == (status, "error")


def test_a_models_row_answers_with_the_model() -> None:
    """By the name that ends the path, slashes included."""
    route = routes().find("/v1/models/openai/a")
    assert route is not None
    reply: Any = asyncio.run(route(request("GET", "/v1/models/openai/a")))
    assert json.loads(reply.body)["id"] == "openai/a"
