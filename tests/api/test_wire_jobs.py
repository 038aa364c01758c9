"""Jobs submitted in other protocols, at both doors: each ends in its own protocol's shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_jobs import ASYNC, App
from tests.support.job_doors import DOORS, scripted, turnout_with
from turnout.attempt_errors import CallerFault
from turnout.testing import Says

RESPONSES, MESSAGES, COMPLETIONS = "/v1/responses", "/v1/messages", "/v1/completions"
ASK: dict[str, dict[str, Any]] = {
    RESPONSES: {"model": "auto", "input": "hi", "instructions": "be short"},
    COMPLETIONS: {"model": "auto", "prompt": "hi"},
    MESSAGES: {"model": "auto", "max_tokens": 40, "messages": [{"role": "user", "content": "hi"}]},
}


SHAPES = {RESPONSES: "response", MESSAGES: "message", COMPLETIONS: "text_completion"}
FIRST_AND_LAST = {
    RESPONSES: ("response.created", "response.completed"),
    MESSAGES: ("message_start", "message_stop"),
    COMPLETIONS: ("text_completion", "text_completion"),
}


def submit(app: App, path: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
    return app.http.post(path, headers={**ASYNC, **(headers or {})}, json={**ASK[path], **more})


def text_in(path: str, result: dict[str, Any]) -> str:
    if path == COMPLETIONS:
        return str(result["choices"][0]["text"])
    parts = result["output"][0]["content"] if path == RESPONSES else result["content"]
    return "".join(part["text"] for part in parts)


@pytest.mark.parametrize("path", sorted(ASK))
def test_the_result_has_the_protocols_own_shape(app: App, path: str) -> None:
    """202 and a job as for a chat completion; asked with a wait, 200 and the answer itself."""
    response = submit(app, path)
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "respond-async"
    result = app.ended(response)["result"]
    assert result.get("object", result.get("type")) == SHAPES[path]
    assert text_in(path, result) == "four"
    waited = submit(app, path, {"prefer": "respond-async, wait=10"})
    assert (waited.status_code, text_in(path, waited.json())) == (200, "four")
    assert waited.headers["x-turnout-tier"] == "cheap"


@pytest.mark.parametrize("path", sorted(ASK))
def test_a_streams_chunks_are_the_protocols_own_events(app: App, path: str) -> None:
    """Each event of the protocol is one chunk of the job, the last one included."""
    app.provider.say("openai/small", Says("one two", between_s=0.02))
    response = submit(app, path, stream=True)
    text = app.http.get(response.headers["location"] + "/events").text
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in text.strip().split("\n\n")]
    chunks = [json.loads(event["data"]) for event in events if event["event"] == "chunk"]
    assert tuple(chunks[at].get("type", chunks[at].get("object")) for at in (0, -1)) == FIRST_AND_LAST[path]
    assert text_in(path, json.loads(events[-1]["data"])["result"]) == "one two"


def test_a_response_that_was_a_job_can_be_asked_for_and_continued(app: App) -> None:
    """Where this process worked on it, under the id in the result."""
    result = app.ended(submit(app, RESPONSES))["result"]
    assert app.http.get(f"{RESPONSES}/{result['id']}").json()["output"] == result["output"]
    more = {"model": "auto", "input": "and now?", "previous_response_id": result["id"]}
    assert app.http.post(RESPONSES, json=more).status_code == 200
    sent = app.provider.seen[-1].messages
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]


def test_a_failed_job_is_told_in_the_protocols_own_shape(app: App) -> None:
    """To a caller who waited for it; what is refused at once too."""
    app.provider.say("openai/small", CallerFault("no", status=400))
    waited = submit(app, MESSAGES, {"prefer": "respond-async, wait=10"})
    assert (waited.status_code, waited.json()["type"]) == (400, "error")
    assert waited.json()["error"]["type"] == "invalid_request_error"
    refused = submit(app, MESSAGES, model="nobody")
    assert (refused.status_code, refused.json()["error"]["type"]) == (404, "not_found_error")


def test_one_idempotency_key_is_no_bridge_between_protocols(app: App) -> None:
    """The same key and body is the same job; in another protocol it is another body."""
    key = {"idempotency-key": "k"}
    first, again = submit(app, MESSAGES, key), submit(app, MESSAGES, key)
    assert first.json()["id"] == again.json()["id"]
    assert submit(app, RESPONSES, key).status_code == 422


def test_a_heavy_path_of_another_protocol_makes_jobs(tmp_path: Path) -> None:
    """Without any preference, and of no other path."""
    turnout = turnout_with(scripted(), tmp_path, endpoints={MESSAGES: {"heavy": True}})
    with DOORS["asgi"](turnout) as url:
        app = App(url, scripted())
        assert app.http.post(MESSAGES, json=ASK[MESSAGES]).status_code == 202
        assert app.http.post(RESPONSES, json=ASK[RESPONSES]).status_code == 200


def test_a_jobs_session_is_kept(app: App) -> None:
    """Its call is told the conversation that a request of the same session is told."""
    headers = {"x-session-id": "s1"}
    app.ended(app.submit("a", headers=headers))
    app.http.post("/v1/chat/completions", headers=headers, json={"messages": [{"role": "user", "content": "b"}]})
    app.ended(app.submit("c"))
    keys = [(call.params.get("extra_body") or {}).get("prompt_cache_key") for call in app.provider.seen]
    assert keys[0] == keys[1]
    assert keys[0]
    assert keys[2] != keys[0]
