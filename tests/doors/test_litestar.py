"""Turnout around a Litestar app: its handlers, its routes' templates, and our own paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from litestar import Litestar, Request, Response, get, post
from starlette.testclient import TestClient

from turnout.asgi import TurnoutMiddleware
from turnout.errors import ServedError
from turnout.testing import FixedScorer, ScriptedProvider
from turnout.turnout import Turnout

# Newer versions would have path parameters declared in a way that older ones do not know.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
SETTINGS = {
    "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
    "routing": {"threshold": 0.5},
    "identity": {"user_header": "x-user-id"},
    "limits": {"per_endpoint": ["3/minute"]},
    "endpoints": {"/ask/{topic:str}": {"rate": "2/minute"}, "/scored": {"prompt": "/question"}},
}


@get("/ask/{topic:str}")
async def ask(topic: str, request: Request) -> str:  # type: ignore[type-arg]
    return str((await request.state.turnout.complete(topic)).text)


@get("/in-thread", sync_to_thread=True)
def in_thread(request: Request) -> str:  # type: ignore[type-arg]
    return str(request.state.turnout.blocking.complete("hello").text)


@get("/item/{number:int}")
async def item(number: int, request: Request) -> str:  # type: ignore[type-arg]
    return str((await request.state.turnout.complete(f"{number}")).text)


@post("/scored")
async def scored(data: dict[str, str], request: Request) -> dict[str, str]:  # type: ignore[type-arg]
    return {"tier": request.state.turnout.decision.tier, "question": data["question"]}


def served_error(request: Request, error: ServedError) -> Response[object]:  # type: ignore[type-arg]
    return Response(error.to_openai(), status_code=error.told_status, headers=dict(error.told_headers))


@pytest.fixture
def client() -> Iterator[TestClient]:
    turnout = Turnout(SETTINGS, scorer=FixedScorer(0.9), provider=ScriptedProvider())
    app = Litestar([ask, in_thread, item, scored], exception_handlers={ServedError: served_error})
    with TestClient(TurnoutMiddleware(app, turnout=turnout)) as running:
        yield running


def test_handlers_find_their_turnout(client: TestClient) -> None:
    """In `request.state`, on the loop and in a thread; the path of ours is served beside the app's."""
    assert client.get("/ask/tea").text == "ok"
    assert client.get("/in-thread").text == "ok"
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    assert client.post("/v1/chat/completions", json=body).headers["x-turnout-tier"] == "expensive"
    assert client.get("/nothing").status_code == 404


def test_an_endpoint_is_known_by_its_template(client: TestClient) -> None:
    """As Litestar writes it: its rate counts all topics together, however the path is written."""
    assert [client.get(path).status_code for path in ("/ask/a", "/ask/b/", "/ask/c")][2] == 429


def test_limits_by_endpoint_count_the_route_and_not_the_path(client: TestClient) -> None:
    """Four numbers are one endpoint."""
    answers = [client.get(f"/item/{number}") for number in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["error"]["code"] == "rate_limit_exceeded"
    assert int(answers[3].headers["retry-after"]) > 0


def test_a_named_prompt_is_scored_and_the_body_replayed(client: TestClient) -> None:
    """Before the handler runs; the response tells the decision."""
    answer = client.post("/scored", json={"question": "Why?"})
    assert answer.json() == {"tier": "expensive", "question": "Why?"}
    assert answer.headers["x-turnout-tier"] == "expensive"
