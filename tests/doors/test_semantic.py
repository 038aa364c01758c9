"""Similar questions over HTTP, at both doors: rewordings become hits, and questions that ask another thing never do."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.caching.semantic.adversarial import PAIRS
from tests.support import fastapi_app, flask_app
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from tests.support.wsgi_servers import validated

CHAT = "/v1/chat/completions"
QUESTIONS = [
    f"How do I {verb} {thing}?"
    for verb in ("renew", "find", "print", "cancel", "share")
    for thing in ("my passport", "the invoice", "a ticket", "our contract", "the report", "my badge")
]
ROUNDS = (
    "{}", "{0}!", "hello, {}", "{} please", "Hi there! {}", "{} Thanks!", "Please, {}", "Good morning, {} Thank you!",
)  # fmt: skip


@pytest.fixture(scope="module", params=["uvicorn", "wsgiref"])
def http(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """One app a door."""
    with LoopbackProvider() as provider, behind(request.param, provider, {}) as client:
        yield client


@contextmanager
def behind(door: str, provider: LoopbackProvider, semantic: dict[str, Any], **more: Any) -> Iterator[httpx.Client]:
    """An app whose semantic cache is on."""
    sections = {"cache": {"semantic": {"enabled": True, "max_error": 0.10, **semantic}}, "routing": {"threshold": 1.0}}
    config = settings(provider.base_url, **{**sections, **more})
    config["models"]["openai/judge"] = dict(config["models"]["openai/small"])
    mounted, around = (fastapi_app, served) if door == "uvicorn" else (flask_app, validated)
    with around(mounted.mounted(config)) as base, httpx.Client(base_url=base, timeout=30) as client:  # type: ignore[attr-defined]
        yield client


def ask(http: httpx.Client, text: str, user: str = "ann", headers: Any = None, **more: Any) -> httpx.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], **more}
    answer = http.post(CHAT, json=body, headers={"x-user-id": user, **(headers or {})})
    assert answer.status_code == 200, answer.text
    return answer


def test_rewordings_become_hits_and_other_questions_never(http: httpx.Client) -> None:
    """Thirty questions in eight rewordings: at least 30 % of the last four rounds; then pairs of two things each. The
    provider answers all alike."""
    states = [[ask(http, wrap.format(question)).headers["cache-status"] for question in QUESTIONS] for wrap in ROUNDS]
    hits = [state.count("turnout; hit; detail=semantic") for state in states]
    assert hits[0] == 0
    assert sum(hits[4:]) >= 0.3 * 4 * len(QUESTIONS)

    for number, (one, other, _) in enumerate(PAIRS[::40]):
        ask(http, one, user=f"u{number}")
        assert "semantic" not in ask(http, other, user=f"u{number}").headers["cache-status"], (one, other)

    answers = [ask(http, f"Hey! {QUESTIONS[0]} {'!' * number}") for number in range(2, 9)]
    hit = next(answer for answer in answers if "semantic" in answer.headers["cache-status"])
    assert 0.9 < float(hit.headers["x-turnout-similarity"]) <= 1.0
    assert hit.headers["x-turnout-reason"] == "cache"
    assert hit.headers["x-turnout-cost-usd"] == "0"
    assert "inference" not in hit.headers["server-timing"]
    off = ask(http, f"Hey! {QUESTIONS[1]} !", turnout={"semantic": False})
    assert off.headers["cache-status"] == "turnout; fwd=miss; stored"
    fresh = ask(http, f"Hey! {QUESTIONS[2]} !", headers={"cache-control": "no-cache"})
    assert fresh.headers["cache-status"] == "turnout; fwd=request; stored"


@pytest.mark.parametrize("door", ["uvicorn", "wsgiref"])
def test_a_judge_lets_answers_be_served_that_are_worded_anew_each_time(door: str) -> None:
    """It is asked over HTTP, as any model is, and no caller can ask it."""
    numbers = itertools.count()
    with LoopbackProvider() as provider:
        provider.says["small"] = lambda _: f"Go to desk {next(numbers)} and ask there."
        provider.says["judge"] = lambda _: "yes"
        with behind(door, provider, {"judge": "openai/judge", "max_error": 0.3}) as http:
            states = [
                [ask(http, wrap.format(question)).headers["cache-status"] for question in QUESTIONS[:16]]
                for wrap in ROUNDS[:5]
            ]
            assert "turnout; hit; detail=semantic" in states[-1]
            body = {"model": "openai/judge", "messages": [{"role": "user", "content": "hi"}]}
            assert http.post(CHAT, json=body).status_code == 404
            assert all("judge" not in model["id"] for model in http.get("/v1/models").json()["data"])
        asked = next(body for body in provider.bodies if body["model"] == "judge")
        assert json.loads(asked["messages"][-1]["content"]).keys() == {"question", "answer_1", "answer_2"}


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hit is answered by the model too, by chance: what it is asked is counted."""
    monkeypatch.setattr("turnout.pipeline.semantic.CHECK_SHARE", 0.0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("door", ["uvicorn", "wsgiref"])
def test_an_endpoint_switches_it_off_for_what_is_asked_there(door: str) -> None:
    """The app's own path by its route, called from its handler; and the chat path."""
    for off, calls in (("/decide", 2), ("/ask/{topic}", 4), (CHAT, 4)):
        off_at = {off: {"semantic": False}}
        with LoopbackProvider() as provider, behind(door, provider, {"max_error": 1.0}, endpoints=off_at) as http:
            states = []
            # In turns: a question is learnt off its client's path.
            for wrap in ("{}", "Hello! {}", "{} please"):
                own = http.get(f"/ask/{wrap.format('mend my bike')}", headers={"x-user-id": "ann"})
                assert own.status_code == 200
                states.append(ask(http, wrap.format(QUESTIONS[0])).headers["cache-status"])
            assert ["detail=semantic" in state for state in states] == [False, off != CHAT, off != CHAT]
            assert provider.calls["small"] == calls


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("door", ["uvicorn", "wsgiref"])
def test_a_wrong_hit_s_rating_evicts_the_answer_and_the_pair(door: str) -> None:
    """By the one who got it alone: the model is asked anew for both questions, and no wording of the pair is a hit
    again. Streams, the other protocols and a bounded age are answered alike before that."""
    with LoopbackProvider() as provider, behind(door, provider, {"max_error": 1.0}) as http:
        question = QUESTIONS[0]
        for text in (question, QUESTIONS[20]):
            assert "fwd=miss" in ask(http, text).headers["cache-status"]
        hit = ask(http, f"Hello! {question}", headers={"cache-control": "max-age=600"})
        assert (hit.headers["cache-status"], hit.headers["age"]) == ("turnout; hit; detail=semantic", "0")
        assert hit.headers["x-turnout-similarity"] == "1.0000"
        streamed = ask(http, f"{question} Thanks!", stream=True)
        assert (streamed.headers["cache-status"], streamed.headers["x-turnout-similarity"]) == (
            "turnout; hit; detail=semantic", "1.0000",
        )  # fmt: skip
        responses = http.post("/v1/responses", json={"input": f"Hey! {question}"}, headers={"x-user-id": "ann"})
        assert responses.headers["cache-status"] == "turnout; hit; detail=semantic"
        only = {"x-user-id": "ann", "cache-control": "only-if-cached"}
        again = ask(http, f"Good morning, {question}", headers=only)
        assert again.headers["cache-status"] == "turnout; hit; detail=semantic"
        for path, asked in ((CHAT, "messages"), ("/v1/messages", "messages"), ("/v1/responses", "input")):
            cap = {"max_tokens": 9} if asked == "messages" else {}
            body = {"model": "auto", asked: [{"role": "user", "content": "How do I fly to Mars?"}], **cap}
            unknown = http.post(path, json=body, headers=only)
            assert (unknown.status_code, unknown.headers["cache-status"]) == (504, "turnout; detail=only-if-cached")
        assert provider.calls["small"] == 2

        rating = {"request_id": hit.headers["x-request-id"], "quality": 0}
        statuses = [
            http.post("/turnout/feedback", json=rating, headers={"x-user-id": user}).status_code
            for user in ("bob", "ann")
        ]
        assert statuses == [404, 204]
        for asked in (f"Hello! {question}", question, f"Hi there! {question} Thank you!"):
            assert ask(http, asked).headers["cache-status"] == "turnout; fwd=miss; stored"
        assert ask(http, question).headers["cache-status"] == "turnout; hit"
