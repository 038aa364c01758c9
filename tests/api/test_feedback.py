"""Ratings: whose they may be, what they change, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.status_doors import BEARER, DOORS, TOKEN, Behind
from turnout.api.feedback import MOST_RATINGS, parse_rating
from turnout.errors import InvalidRequest

PATH = "/turnout/feedback"


@pytest.fixture(params=DOORS)
def behind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Behind]:
    """A Turnout whose status page is on, with a request log."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    one = Behind(request.param, log={"path": str(tmp_path / "requests.jsonl")})
    yield one
    one.close()


def test_a_rating_is_counted_and_written_beside_the_log(behind: Behind, tmp_path: Path) -> None:
    """204 with no body; a line as `turnout train` joins it."""
    request_id = behind.chat("easy one").headers["x-request-id"]
    reply = behind.ask("POST", PATH, json={"request_id": request_id, "quality": 0.75})
    assert (reply.status_code, reply.content) == (204, b"")
    lines = (tmp_path / "requests.feedback.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"request_id": request_id, "quality": 0.75}]
    figures = behind.status()["feedback"]
    assert figures == {"count": 1, "mean_quality": 0.75, "evicted": 0}


def test_another_user_s_answer_is_not_known(behind: Behind) -> None:
    """404, as an id that nobody got; the status token may rate any."""
    request_id = behind.chat("easy one").headers["x-request-id"]
    rating = {"request_id": request_id, "quality": 1}
    assert behind.ask("POST", PATH, json=rating, headers={"x-user-id": "bob"}).status_code == 404
    assert behind.ask("POST", PATH, json={**rating, "request_id": "req_unknown"}).status_code == 404
    assert behind.ask("POST", PATH, json=rating, headers={"x-user-id": "bob", **BEARER}).status_code == 204


def test_a_wrong_cached_answer_is_evicted(behind: Behind) -> None:
    """A rating of the miss leaves it; one of the hit asks the model anew."""
    miss = behind.chat("easy one").headers["x-request-id"]
    assert behind.ask("POST", PATH, json={"request_id": miss, "quality": 0}).status_code == 204
    hit = behind.chat("easy one")
    assert hit.headers["cache-status"] == "turnout; hit"
    rating = {"request_id": hit.headers["x-request-id"], "quality": "down"}
    assert behind.ask("POST", PATH, json=rating).status_code == 204
    assert behind.chat("easy one").headers["cache-status"].startswith("turnout; fwd=miss")
    assert behind.status()["feedback"]["evicted"] == 1


def test_one_answer_is_rated_a_few_times_at_most(behind: Behind) -> None:
    """Whoever got it may think twice, and neither fill the log nor make the figures of all."""
    request_id = behind.chat("easy one").headers["x-request-id"]
    rating = {"request_id": request_id, "quality": 1}
    statuses = [behind.ask("POST", PATH, json=rating).status_code for _ in range(MOST_RATINGS + 2)]
    assert statuses == [204] * MOST_RATINGS + [429, 429]
    assert behind.status()["feedback"]["count"] == MOST_RATINGS
    assert behind.ask("POST", PATH, json=rating, headers=BEARER).status_code == 204


def test_a_rating_of_more_than_a_few_kilobytes_is_413(behind: Behind) -> None:
    """Before it is parsed: it costs whoever sends it nothing."""
    reply = behind.ask("POST", PATH, content=b"[" * 5000)
    assert reply.status_code == 413


def test_only_a_similar_question_s_answer_is_reported_as_a_wrong_pair() -> None:
    """A miss and an exact hit say nothing of pairs."""
    behind = Behind("asgi", status={}, cache={"semantic": {"enabled": True, "max_error": 1.0}})
    question, rated = "How do I renew my passport?", {}
    for text in (question, question, f"Hello! {question} Thanks"):
        answered = behind.chat(text)
        request_id = answered.headers["x-request-id"]
        rated[answered.headers["cache-status"]] = request_id
        rating = {"request_id": request_id, "quality": 0}
        if "semantic" not in answered.headers["cache-status"]:
            behind.chat(question)
        assert behind.ask("POST", PATH, json=rating).status_code == 204
        behind.chat(question)
    semantic = behind.turnout._pipeline.semantic
    assert semantic is not None
    assert len(rated) == 3
    assert list(semantic._similar._rated) == [rated["turnout; hit; detail=semantic"]]
    behind.close()


def test_without_a_token_and_a_log_ratings_are_taken_all_the_same() -> None:
    """204: what is off is the page."""
    behind = Behind("asgi", status={})
    request_id = behind.chat("easy one").headers["x-request-id"]
    assert behind.ask("POST", PATH, json={"request_id": request_id, "quality": True}).status_code == 204
    behind.close()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"request_id": "r", "quality": 1.01}, "quality"),
        ({"request_id": "r", "quality": -0.1}, "quality"),
        ({"request_id": "r", "quality": "good"}, "quality"),
        ({"request_id": "r", "quality": None}, "quality"),
        ({"request_id": "r"}, "quality"),
        ({"quality": 1}, "request_id"),
        ({"request_id": "", "quality": 1}, "request_id"),
        ({"request_id": "r" * 201, "quality": 1}, "request_id"),
        ({"request_id": "r", "quality": 1, "note": "x"}, "note"),
        ([], None),
    ],
)
def test_a_wrong_rating_is_refused(body: Any, param: str | None) -> None:
    """400, with the field."""
    with pytest.raises(InvalidRequest) as refused:
        parse_rating(json.dumps(body).encode())
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("given", "quality"), [(True, 1.0), (False, 0.0), ("up", 1.0), ("👎", 0.0), (0, 0.0), (1, 1.0), (0.5, 0.5)]
)
def test_thumbs_are_one_and_zero(given: Any, quality: float) -> None:
    """And a number is itself."""
    assert parse_rating(json.dumps({"request_id": "r", "quality": given}).encode()) == ("r", quality)


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'{"request_id": "r", "quality": NaN}'])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """And a quality that is no number."""
    with pytest.raises(InvalidRequest):
        parse_rating(body)
