"""Replies of the HTTP API."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from turnout.api.exchange import AnswerEvents, error_reply
from turnout.errors import RateLimitExceeded, UpstreamUnavailable
from turnout.openai.completion import AnswerStream
from turnout.records import Outcome


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


@pytest.mark.parametrize("breaks", [False, True])
def test_a_stream_ends_with_done_or_with_one_error_event(breaks: bool) -> None:
    """Never with both: a client must not take half an answer for a whole one."""

    async def chunks() -> AsyncGenerator[Sequence[Mapping[str, Any]], None]:
        yield [{"choices": [{"index": 0, "delta": {"content": "half"}}]}]
        if breaks:
            raise UpstreamUnavailable("the answer broke off")

    async def scenario() -> list[bytes]:
        head = Outcome(request_id="r", decision=None, tier="cheap", model="m", reason=None, cache="off")
        return [
            event
            async for event in AnswerEvents(
                AnswerStream(chunks(), head, lambda: None, include_usage=False, cost=Decimal)
            )
        ]

    first, last = asyncio.run(scenario())
    assert b"half" in first
    if breaks:
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_unavailable"
    else:
        assert last == b"data: [DONE]\n\n"
