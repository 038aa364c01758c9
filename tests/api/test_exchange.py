"""Replies of the HTTP API."""

from __future__ import annotations

import json
import logging

import pytest

from turnout.api.exchange import error_reply
from turnout.errors import RateLimitExceeded


def test_a_served_error_tells_its_message_status_and_headers() -> None:
    """And the request's id."""
    reply = error_reply(RateLimitExceeded("slow down", retry_after_s=3.0), "req_1")
    assert (reply.status, json.loads(reply.body)["error"]["message"]) == (429, "slow down")
    headers = dict(reply.all_headers)
    assert (headers["x-request-id"], headers["retry-after"]) == ("req_1", "3")
    assert headers["content-length"] == str(len(reply.body))


def test_an_internal_defect_keeps_its_text_from_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the request's id alone; the log gets text and traceback."""
    with caplog.at_level(logging.ERROR, "turnout"):
        reply = error_reply(KeyError("sk-secret"), "req_1")
    assert reply.status == 500
    assert b"sk-secret" not in reply.body
    assert json.loads(reply.body)["error"]["message"] == "internal error; request req_1"
    assert "sk-secret" in caplog.text
