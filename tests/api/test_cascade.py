"""A cascade over HTTP, at both doors, by a verifier that was trained: headers, bodies, bills, spans' names, the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cascade_logs import answer, trained, trained_on_pairs
from tests.support.redis_server import RedisServer
from tests.support.status_doors import BEARER, DOORS, TOKEN, Behind
from turnout.testing import Says, ScriptedProvider

SMALL, LARGE = "openai/small", "openai/large"
ROUTING = {"keep_quality": 0.95, "cascade": {"mode": "on", "streams": "hold", "max_held_share": 1.0}}


def behind(door: str, *, right: bool, **sections: Any) -> Behind:
    provider = ScriptedProvider({SMALL: [Says(answer(20, 22, right=right))], LARGE: [Says("Forty-two")]})
    sections = {"routing": ROUTING, "status": {}, **sections}
    return Behind(door, provider, trained().fitted.scorer, **sections)


def asked(text: str = "What is 20 plus 22?", **more: Any) -> dict[str, Any]:
    return {"json": {"model": "auto", "messages": [{"role": "user", "content": text}], **more}}


@pytest.mark.parametrize("door", DOORS)
def test_a_right_answer_is_served_and_a_wrong_one_is_not(door: str, tmp_path: Path) -> None:
    """Headers say what was thought of it; the cost is that of both calls; so does the request log."""
    for right in (True, False):
        path = tmp_path / f"{door}-{right}.jsonl"
        here = behind(door, right=right, log={"path": str(path)})
        try:
            reply = here.ask("POST", "/v1/chat/completions", **asked())
            assert reply.status_code == 200, reply.text
            shown = reply.headers
            text = reply.json()["choices"][0]["message"]["content"]
            expected = ("verified", "cheap", "accepted") if right else ("escalated", "expensive", "rejected")
            assert (shown["x-turnout-reason"], shown["x-turnout-tier"], shown["x-turnout-verdict"]) == expected
            assert (text == "Forty-two") != right
            assert shown["x-turnout-model"] == (SMALL if right else LARGE)
            again = here.ask("POST", "/v1/chat/completions", **asked())
            assert again.headers["x-turnout-reason"] == "cache"
            assert again.json()["choices"][0]["message"]["content"] == text
        finally:
            here.close()
        line = json.loads(path.read_text().splitlines()[0])
        assert line["verdict"] == expected[2]
        assert line["escalation_propensity"] == (0.01 if right else 1.0)
        assert len(line["attempts"]) == (1 if right else 2)
        assert float(line["cost_usd"]) == pytest.approx(sum(float(each["cost_usd"]) for each in line["attempts"]))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("right", [True, False])
def test_a_held_stream_is_one_answer(door: str, right: bool) -> None:
    """Its headers stand before its first chunk, and say already who answered."""
    here = behind(door, right=right)
    try:
        reply = here.ask("POST", "/v1/chat/completions", **asked(stream=True))
        events = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: {")]
        text = "".join(
            choice["delta"].get("content") or "" for event in events for choice in json.loads(event)["choices"]
        )
        assert text == (answer(20, 22, right=True) if right else "Forty-two")
        assert reply.headers["x-turnout-verdict"] == ("accepted" if right else "rejected")
        assert "data: [DONE]" in reply.text
    finally:
        here.close()


@pytest.mark.parametrize("door", DOORS)
def test_on_redis_both_calls_are_billed_and_nothing_stays_reserved(door: str, redis_server: RedisServer) -> None:
    """The budget holds five pairs of calls at their real cost, and but one pair's worst case at a time."""
    here = behind(
        door,
        right=False,
        redis={"url": redis_server.url, "prefix": f"cascade-{door}", "timeout_s": 5.0},
        budgets={"total": "0.025/day", "default_max_output_tokens": 1000},
        cache={"enabled": False},
    )
    try:
        replies = [here.ask("POST", "/v1/chat/completions", **asked()) for _ in range(5)]
        assert [reply.headers["x-turnout-reason"] for reply in replies] == ["escalated"] * 5
        assert len({reply.headers["x-turnout-cost-usd"] for reply in replies}) == 1
        assert float(replies[0].headers["x-turnout-cost-usd"]) > 10 * 1e-5
    finally:
        here.close()


@pytest.mark.parametrize("mode", ["shadow", "on"])
def test_the_status_tells_what_was_thought_and_what_came_of_it(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In shadow too, where nothing comes of it."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    routing = {"threshold": 0.6, "cascade": {"mode": mode, "max_held_share": 1.0}}
    status = {"status": {"token_env": "TURNOUT_STATUS_TOKEN"}}
    here = behind("asgi", right=False, routing=routing, cache={"enabled": False}, **status)
    try:
        here.provider.say(SMALL, *(Says(answer(20, 22, right=right)) for right in (True, False, False)))
        for _ in range(3):
            assert here.ask("POST", "/v1/chat/completions", **asked()).status_code == 200
        told = here.ask("GET", "/turnout/status.json", headers=BEARER).json()["cascade"]
        escalated = 2 if mode == "on" else 0
        assert told == {"mode": mode, "accepted": 1, "rejected": 2, "escalated": escalated, "fallback": 0}
        metrics = here.ask("GET", "/turnout/metrics", headers=BEARER).text
        assert 'turnout_cascade_verdicts_total{verdict="rejected"} 2' in metrics
    finally:
        here.close()


@pytest.mark.parametrize("door", DOORS)
def test_messages_go_by_the_same_cascade(door: str) -> None:
    """Another wire, the same request inside."""
    here = behind(door, right=False)
    try:
        body = {"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": "What is 20 plus 22?"}]}
        reply = here.ask("POST", "/v1/messages", json=body)
        assert reply.headers["x-turnout-reason"] == "escalated"
        assert reply.json()["content"][0]["text"] == "Forty-two"
    finally:
        here.close()


@pytest.mark.parametrize("agrees", [True, False])
def test_a_second_cheap_answer_is_asked_for_by_a_file_that_knows_pairs(agrees: bool, tmp_path: Path) -> None:
    """Trained, switched on, served: the doubt comes of the pair alone, and both cheap calls are on the bill."""
    path, said = tmp_path / "log.jsonl", "The answer is 42"
    provider = ScriptedProvider(
        {SMALL: [Says(said), Says(said if agrees else "The answer is 57")], LARGE: [Says("Yes")]}
    )
    cascade = {"mode": "on", "second_sample": "auto", "max_held_share": 1.0}
    sections = {"routing": {"threshold": 0.6, "cascade": cascade}, "status": {}, "log": {"path": str(path)}}
    here = Behind("asgi", provider, trained_on_pairs().fitted.scorer, **sections)
    try:
        reply = here.ask("POST", "/v1/chat/completions", **asked())
        assert reply.headers["x-turnout-verdict"] == ("accepted" if agrees else "rejected")
        assert reply.json()["choices"][0]["message"]["content"] == (said if agrees else "Yes")
    finally:
        here.close()
    line = json.loads(path.read_text().splitlines()[0])
    assert line["second_agrees"] is agrees
    assert [each.get("second_sample", False) for each in line["attempts"]] == [*([False] * (1 if agrees else 2)), True]
    assert float(line["cost_usd"]) == pytest.approx(sum(float(each["cost_usd"]) for each in line["attempts"]))
