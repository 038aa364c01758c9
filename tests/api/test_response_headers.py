"""Each response header, from the record that it tells of."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.api.exchange import error_reply
from turnout.api.response_headers import decision_headers, handler_timing, outcome_headers
from turnout.errors import RateLimitExceeded, ServedError
from turnout.records import Decision, Outcome

DECISION = Decision(tier="expensive", reason="scored", candidates=("openai/large",), score=0.83123)


def outcome(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "request_id": "req_1",
        "decision": DECISION,
        "tier": "expensive",
        "model": "openai/large",
        "reason": "scored",
        "cache": "miss_stored",
        "turnout_s": 0.00084,
        "inference_s": 0.812,
    }
    return Outcome(**{**fields, **changes})


def test_a_miss_tells_decision_cache_and_time() -> None:
    """The score with four decimals, times in milliseconds, inference apart from our own."""
    assert dict(outcome_headers(outcome())) == {
        "x-request-id": "req_1",
        "x-turnout-tier": "expensive",
        "x-turnout-model": "openai/large",
        "x-turnout-score": "0.8312",
        "x-turnout-reason": "scored",
        "x-turnout-cost-usd": "0",
        "cache-status": "turnout; fwd=miss; stored",
        "server-timing": "turnout;dur=0.84, inference;dur=812.00",
    }


@pytest.mark.parametrize("cache", ["hit", "stale"])
def test_what_the_cache_answered_tells_its_age_and_no_inference(cache: Any) -> None:
    """A stale answer's failed attempts took time too, and are none of it."""
    headers = dict(outcome_headers(outcome(cache=cache, reason="cache", age_s=12.7)))
    assert headers["age"] == "12"
    assert headers["server-timing"] == "turnout;dur=0.84"
    assert headers["cache-status"].startswith("turnout; hit")


def test_a_forced_request_has_no_score_and_the_plain_answer_no_model() -> None:
    """What is not known is absent, not empty."""
    forced = Decision(tier="cheap", reason="forced", candidates=("openai/small",))
    headers = dict(outcome_headers(outcome(decision=forced, reason="forced", tier="none", model="")))
    assert "x-turnout-score" not in headers
    assert "x-turnout-model" not in headers
    assert dict(decision_headers(forced)) == {
        "x-turnout-tier": "cheap",
        "x-turnout-model": "openai/small",
        "x-turnout-reason": "forced",
    }


def test_waiting_is_told_apart_from_our_own_time_and_from_inference() -> None:
    """Back-off and queueing have a figure of their own."""
    headers = dict(outcome_headers(outcome(waited_s=1.5)))
    assert headers["server-timing"] == "turnout;dur=0.84, inference;dur=812.00, wait;dur=1500.00"


def test_an_app_s_own_endpoint_tells_its_part_and_ours() -> None:
    """The score with four decimals; the app's time is what inference, waiting and we leave."""
    assert dict(decision_headers(DECISION))["x-turnout-score"] == "0.8312"
    timing = dict(handler_timing(2.0, [outcome(turnout_s=0.1, inference_s=0.5, waited_s=0.4)]))
    assert timing["server-timing"] == "app;dur=1000.00, turnout;dur=100.00, inference;dur=500.00"


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (2.0, "2"), (2.1, "3")])
def test_retry_after_is_whole_seconds_and_never_too_early(seconds: float, header: str) -> None:
    """Rounded up, and at least one: an earlier retry would be refused again."""
    assert dict(RateLimitExceeded("slow down", retry_after_s=seconds).told_headers) == {"retry-after": header}


def test_an_error_that_knows_no_time_tells_none() -> None:
    """The request's id stands in every error's headers."""
    assert error_reply(ServedError("no"), "req_1").headers == [("x-request-id", "req_1")]
