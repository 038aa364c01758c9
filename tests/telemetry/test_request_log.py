"""The request log: a line a request, prompts only where asked for, the loop never made to wait."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from turnout import Turnout
from turnout.errors import ServedError, SettingsError
from turnout.openai.requests import parse
from turnout.records import Outcome
from turnout.telemetry.request_log import MAX_QUEUED, MAX_QUEUED_CHARACTERS, Record, RequestLog, json_line
from turnout.testing import FixedScorer, ManualClock, ScriptedProvider, settle

SECRET = "the secret recipe"
CONFIG: dict[str, Any] = {
    "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
    "models": {"openai/small": {"input_usd_per_million": 1, "output_usd_per_million": 2}},
    "routing": {"threshold": 0.5},
    "retry": {"attempts": 1},
    "cache": {"scope": "app"},
}


def _logged(path: Path, *, content: bool) -> list[dict[str, Any]]:
    """A miss, a hit, and a model that is not there, which is no request yet."""
    config = {**CONFIG, "log": {"path": str(path), "content": content}}
    provider = ScriptedProvider({"openai/small": ["four"]})

    async def ask() -> None:
        async with Turnout(config, provider=provider, scorer=FixedScorer(0.25), clock=ManualClock()) as turnout:
            for _ in range(2):
                await turnout.complete(SECRET, tag="/ask")
                # Settled by then, so that the second one hits.
                await settle()
            with pytest.raises(ServedError):
                await turnout.complete(SECRET, model="nonsense")

    asyncio.run(ask())
    return [json.loads(line) for line in path.read_text().splitlines()]


def _outcome(**more: Any) -> Outcome:
    fields = {"request_id": "r", "decision": None, "tier": "none", "model": "", "reason": None, "cache": "off"}
    return Outcome(**{**fields, **more})


def test_a_line_tells_what_was_decided_and_what_it_cost(tmp_path: Path) -> None:
    """The miss with its attempt, the hit without; the group is the tag; every request once."""
    lines = _logged(tmp_path / "log.jsonl", content=False)
    assert [line["cache"] for line in lines] == ["miss_stored", "hit"]
    miss = lines[0]
    assert (miss["tier"], miss["model"], miss["group"], miss["score"]) == ("cheap", "openai/small", "/ask", 0.25)
    assert miss["attempts"][0]["model"] == "openai/small"
    assert miss["cost_usd"] == pytest.approx((10 * 1 + 1 * 2) / 1e6)
    assert miss["time"].startswith("1970-01-12T")
    assert lines[1]["attempts"] == []
    assert miss["id"] != lines[1]["id"]


@pytest.mark.parametrize("content", [True, False])
def test_prompts_stand_there_only_where_asked_for(tmp_path: Path, content: bool) -> None:
    """As the messages that were sent, for `turnout label` to read; without content not a word of them."""
    path = tmp_path / "log.jsonl"
    lines = _logged(path, content=content)
    assert (SECRET in path.read_text()) is content
    if content:
        assert lines[0]["messages"] == [{"role": "user", "content": SECRET}]
    # A hit calls nothing, so nothing was sent.
    assert "messages" not in lines[1]


def test_a_renamed_file_is_left_and_a_new_one_begun(tmp_path: Path) -> None:
    """As logrotate moves it; no line is lost in between."""
    path = tmp_path / "log.jsonl"
    log = RequestLog(str(path), content=False, wall=lambda: 0.0)
    for name in ("first", "second"):
        log.request_ended(log.request_started(name), _outcome())
        log.close()
        path.rename(tmp_path / name)
    log.request_ended(log.request_started("third"), _outcome())
    waited = threading.Event()
    for _ in range(500):
        if path.exists() and path.read_text():
            break
        waited.wait(0.01)
    # The thread still holds the file open that is moved away now.
    path.rename(tmp_path / "third")
    log.request_ended(log.request_started("fourth"), _outcome())
    log.close()
    ids = {p.name: [json.loads(line)["id"] for line in p.read_text().splitlines()] for p in tmp_path.iterdir()}
    assert ids == {"first": ["first"], "second": ["second"], "third": ["third"], "log.jsonl": ["fourth"]}
    assert log.dropped == 0


def test_a_line_that_was_cut_short_is_ended_before_the_next(tmp_path: Path) -> None:
    """By a kill or a full disk: one line is lost then, not two."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"id": "cut')
    with pytest.raises(json.JSONDecodeError):
        _logged(path, content=False)
    first, *lines = path.read_text().splitlines()
    assert first == '{"id": "cut'
    assert [json.loads(line)["cache"] for line in lines] == ["miss_stored", "hit"]


def test_a_disk_that_hangs_costs_lines_and_no_time(tmp_path: Path) -> None:
    """A pipe that nobody reads: the queue fills, what is over is dropped and counted, no call waits."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    log = RequestLog(str(path), content=False, wall=lambda: 0.0)
    for number in range(MAX_QUEUED + 600):
        log.request_ended(log.request_started(str(number)), _outcome())
    assert 0 < log.dropped <= 600
    reader = os.open(path, os.O_RDONLY)
    written = 0
    closing = threading.Thread(target=log.close)
    closing.start()
    while part := os.read(reader, 1 << 16):
        written += part.count(b"\n")
    closing.join()
    os.close(reader)
    assert written == MAX_QUEUED + 600 - log.dropped


def test_prompts_that_wait_are_bounded_by_size(tmp_path: Path) -> None:
    """A record with more than there may be is dropped, small ones still go through."""
    log = RequestLog(str(tmp_path / "log.jsonl"), content=True, wall=lambda: 0.0)
    huge = Record(request_id="huge", messages=({"role": "user", "content": "x" * (MAX_QUEUED_CHARACTERS + 1)},))
    log.request_ended(huge, _outcome())
    log.request_ended(log.request_started("small"), _outcome())
    log.close()
    assert log.dropped == 1
    assert '"id": "small"' in (tmp_path / "log.jsonl").read_text()


@pytest.mark.parametrize("content", [True, False])
def test_requests_that_wait_are_bounded_by_all_that_they_hold(content: bool, tmp_path: Path) -> None:
    """Images, tools and parameters as well as texts; where none of it is written, the request is held all the same."""
    log = RequestLog(str(tmp_path / "log.jsonl"), content=content, wall=lambda: 0.0)
    body = b'{"messages": [{"role": "user", "content": "x"}], "zz": "%s"}' % (b"x" * (MAX_QUEUED_CHARACTERS + 1))
    for request_id, raw in (("huge", body), ("small", body[:47] + b"}")):
        log.request_ended(log.request_started(request_id), replace(_outcome(), request=parse(raw)))
    log.close()
    assert log.dropped == 1
    assert '"id": "small"' in (tmp_path / "log.jsonl").read_text()


def test_a_place_that_cannot_be_written_is_refused_at_start(tmp_path: Path) -> None:
    """Not found out at the first request."""
    for path in (tmp_path, tmp_path / "no" / "such.jsonl"):
        with pytest.raises(SettingsError, match=r"log\.path = .*cannot be written"):
            Turnout({**CONFIG, "log": {"path": str(path)}})


def test_text_that_is_no_unicode_is_still_a_line() -> None:
    """The log never fails over a text."""
    record = Record(request_id="r", messages=({"role": "user", "content": "\ud800"},))
    assert json.loads(json_line(record, _outcome(), 0.0))["messages"][0]["content"] == "?"
