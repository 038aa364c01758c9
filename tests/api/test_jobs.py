"""Jobs over HTTP, at both doors: accepted, followed, cancelled, kept from others, notified of."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.apps import settings
from tests.support.job_doors import DOORS, scripted, turnout_with
from turnout import Turnout
from turnout.attempt_errors import CallerFault, ProviderFailed
from turnout.errors import SettingsError
from turnout.testing import Hangs, Says, ScriptedProvider

CHAT = "/v1/chat/completions"
ASYNC = {"prefer": "respond-async"}


class App:
    """A served app with a queue."""

    def __init__(self, url: str, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.http = httpx.Client(base_url=url, headers={"x-user-id": "ann"}, timeout=30)

    def submit(self, text: str = "hi", *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        messages = [{"role": "user", "content": text}]
        return self.http.post(CHAT, headers={**ASYNC, **(headers or {})}, json={"messages": messages, **body})

    def ended(self, response: httpx.Response) -> dict[str, Any]:
        headers = {"prefer": "wait=20"}
        if secret := response.headers.get("x-turnout-job-secret"):
            headers["x-turnout-job-secret"] = secret
        body: dict[str, Any] = self.http.get(response.headers["location"], headers=headers).json()
        return body


@pytest.fixture(params=sorted(DOORS))
def door(request: pytest.FixtureRequest) -> str:
    """What serves the app."""
    name: str = request.param
    return name


@pytest.fixture
def app(door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app that works on its own jobs."""
    monkeypatch.setenv("TURNOUT_WEBHOOK_SECRET", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
    provider = scripted({"openai/small": ["four"]})
    sections = {"webhooks": {"allow_hosts": ["127.0.0.1"]}, "queue": {"max_per_user": 30}, "cache": {"enabled": False}}
    with DOORS[door](turnout_with(provider, tmp_path, **sections)) as url:
        app = App(url, provider)
        yield app
        app.http.close()


@pytest.mark.parametrize(("asked", "given"), [({"priority": 9}, 4), ({"priority": 2}, 2), ({}, 4)])
def test_no_caller_goes_before_others_where_the_app_says_so(
    asked: dict[str, int], given: int, door: str, tmp_path: Path
) -> None:
    """[queue] max_priority holds for whoever asks from outside; the app's own code chooses freely."""
    turnout = turnout_with(scripted({"openai/small": ["four"]}), tmp_path, queue={"max_priority": 4})
    with DOORS[door](turnout) as url:
        job = App(url, ScriptedProvider()).submit(turnout=asked).json()
    assert job["priority"] == given


def test_a_submission_is_answered_202_and_its_job_can_be_asked_for(app: App) -> None:
    """Location, Preference-Applied, Retry-After and the job in the body; the answer is the job's result."""
    response = app.submit(turnout={"priority": 7})
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "respond-async"
    assert int(response.headers["retry-after"]) >= 1
    body = response.json()
    assert response.headers["location"] == f"/turnout/jobs/{body['id']}"
    assert (body["object"], body["status"], body["priority"]) == ("turnout.job", "queued", 7)
    assert body["position"] == 1
    assert "expected_wait_s" in body
    assert len(body["id"]) > 24
    done = app.ended(response)
    assert done["status"] == "done"
    assert done["result"]["object"] == "chat.completion"
    assert done["result"]["choices"][0]["message"]["content"] == "four"
    assert app.provider.calls.total() == 1


def test_an_answer_within_the_wait_is_answered_200(app: App) -> None:
    """As if there were no job: the same body and headers of the decision."""
    response = app.submit(headers={"prefer": "respond-async, wait=10"})
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"] == "four"
    assert response.headers["x-turnout-tier"] == "cheap"
    assert response.headers["preference-applied"] == "respond-async, wait=10"
    app.provider.say("openai/small", Hangs())
    late = app.submit(headers={"prefer": "respond-async, wait=1"})
    assert (late.status_code, late.json()["status"]) == (202, "running")
    app.http.delete(late.headers["location"])


def test_events_tell_status_and_chunks_and_can_be_resumed(app: App) -> None:
    """The chunks of a streaming job as they come; after a Last-Event-ID only what came later."""
    app.provider.say("openai/small", Says("one two three", between_s=0.02))
    response = app.submit(stream=True)
    with app.http.stream("GET", response.headers["location"] + "/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = stream.read().decode()
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in text.strip().split("\n\n")]
    assert [int(event["id"]) for event in events] == list(range(1, len(events) + 1))
    chunks = [json.loads(event["data"]) for event in events if event["event"] == "chunk"]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "one two three"
    last = json.loads(events[-1]["data"])
    assert last["status"] == "done"
    assert last["result"]["choices"][0]["message"]["content"] == "one two three"
    assert last["result"]["usage"]["total_tokens"] == 13
    seen = events[2]["id"]
    again = app.http.get(response.headers["location"] + "/events", headers={"last-event-id": seen}).text
    assert again == text.split(f"id: {seen}\n", 1)[1].split("\n\n", 1)[1]


def test_a_cancelled_job_ends_in_mid_call(app: App) -> None:
    """The provider's call ends too."""
    app.provider.say("openai/small", Hangs())
    response = app.submit()
    assert app.http.get(response.headers["location"], headers={"prefer": "wait=1"}).json()["status"] == "running"
    assert app.http.delete(response.headers["location"]).json()["status"] == "cancelled"
    assert app.provider.open == 0
    assert app.http.delete(response.headers["location"]).json()["status"] == "cancelled"


def test_nobody_else_sees_a_job(app: App) -> None:
    """404 to every other user, for all verbs, and for what is below it."""
    location = app.submit().headers["location"]
    for who in ({"x-user-id": "bob"}, {"x-user-id": ""}):
        assert app.http.get(location, headers=who).status_code == 404
        assert app.http.delete(location, headers=who).status_code == 404
        assert app.http.get(location + "/events", headers=who).status_code == 404
    assert app.http.get(location + "/other").status_code == 404
    assert app.http.get("/turnout/jobs/job_none").status_code == 404


def test_an_anonymous_caller_shows_the_secret(app: App) -> None:
    """It comes with the 202 and is sent back under the same name."""
    anonymous = {"x-user-id": ""}
    response = app.submit(headers=anonymous)
    secret = response.headers["x-turnout-job-secret"]
    location = response.headers["location"]
    assert app.http.get(location, headers=anonymous).status_code == 404
    assert app.http.get(location, headers={**anonymous, "x-turnout-job-secret": "x"}).status_code == 404
    good = {**anonymous, "x-turnout-job-secret": secret}
    assert app.http.get(location, headers=good).json()["object"] == "turnout.job"
    assert app.http.get(location, headers={"x-turnout-job-secret": secret}).status_code == 404
    assert "x-turnout-job-secret" not in app.submit().headers


def test_an_idempotency_key_is_honoured(app: App) -> None:
    """The same job for the same body, 422 for another; an anonymous caller gets its secret again."""
    key = {"idempotency-key": "k1"}
    first, again = app.submit("a", headers=key), app.submit("a", headers=key)
    assert first.json()["id"] == again.json()["id"]
    other = app.submit("b", headers=key)
    assert (other.status_code, other.json()["error"]["param"]) == (422, "Idempotency-Key")
    assert app.submit("b", headers={**key, "x-user-id": "bob"}).status_code == 202
    anonymous = {**key, "x-user-id": ""}
    secrets = {app.submit("c", headers=anonymous).headers["x-turnout-job-secret"] for _ in range(2)}
    assert len(secrets) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"turnout": {"priority": 10}}, "turnout.priority"),
        ({"turnout": {"priority": "high"}}, "turnout.priority"),
        ({"turnout": {"webhook_url": "https://other.test/hook"}}, "turnout.webhook_url"),
        ({"turnout": {"webhook_url": "http://[::1]:1/"}}, "turnout.webhook_url"),
        ({"turnout": {"webhook_url": "file:///etc/passwd"}}, "turnout.webhook_url"),
        ({"turnout": {"webhook_url": "http://127.0.0.1:x/"}}, "turnout.webhook_url"),
        ({"model": "nobody"}, "model"),
        ({"messages": []}, "messages"),
    ],
)
def test_what_can_never_run_is_refused_at_once(app: App, body: dict[str, Any], param: str) -> None:
    """With the field that is wrong; nothing is queued."""
    response = app.submit(**body)
    assert response.status_code in (400, 404)
    assert response.json()["error"]["param"] == param


def test_a_job_that_fails_says_why(app: App) -> None:
    """A provider's refusal of the request ends it at once, without another try."""

    app.provider.say("openai/small", CallerFault("no", status=400))
    body = app.ended(app.submit())
    assert body["status"] == "failed"
    assert body["error"]["code"]
    assert "result" not in body
    assert app.provider.calls.total() == 1


def test_a_failure_that_may_pass_is_tried_again(app: App) -> None:
    """The job ends done once the provider answers."""
    app.provider.say("openai/small", *[ProviderFailed("down", status=500)] * 3, "four")
    body = app.ended(app.submit("try"))
    assert (body["status"], body["attempts"]) == ("done", 1)


def test_the_apps_own_code_submits(app: App) -> None:
    """By the verb, blocking or not, for the user who asks."""
    assert app.http.get("/turnout/health/ready").json() == {"status": "up"}
    body = app.http.get("/later").json()
    assert (body["status"], body["priority"]) == ("queued", 7)
    assert app.http.get(body["location"], headers={"prefer": "wait=10"}).json()["status"] == "done"


def test_jobs_are_counted_and_timed(door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how they ended; how long they waited and ran; how many wait and run, and who works."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", "a long random text")
    provider = scripted({"openai/small": ["four", CallerFault("no", status=400)]})
    with DOORS[door](turnout_with(provider, tmp_path, status={"token_env": "TURNOUT_STATUS_TOKEN"})) as url:
        app = App(url, provider)
        for text in ("a", "b"):
            app.ended(app.submit(text))
        token = {"authorization": "Bearer a long random text"}
        lines: list[str] = []
        ends = time.monotonic() + 10
        # A job has ended a moment before it is counted.
        while "turnout_job_run_seconds_count 2.0" not in lines and time.monotonic() < ends:
            lines = app.http.get("/turnout/metrics", headers=token).text.splitlines()
    for line in (
        'turnout_jobs_total{status="done"} 1.0',
        'turnout_jobs_total{status="failed"} 1.0',
        "turnout_job_wait_seconds_count 2.0",
        "turnout_job_run_seconds_count 2.0",
        "turnout_queue_depth 0.0",
        "turnout_queue_workers 1.0",
    ):
        assert line in lines


class Receiver:
    """Takes webhooks, refusing the first so many."""

    def __init__(self, refused: int = 0) -> None:
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.arrived = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.messages.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(500 if len(outer.messages) <= refused else 204)
                self.end_headers()
                if len(outer.messages) > refused:
                    outer.arrived.set()

            def log_message(self, *_: Any) -> None:
                return None

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_a_signed_webhook_tells_the_end(app: App) -> None:
    """Signed as Standard Webhooks, checked by its own library; the job records that it was delivered."""
    from standardwebhooks.webhooks import Webhook

    receiver = Receiver()
    try:
        response = app.submit(turnout={"webhook_url": receiver.url})
        assert receiver.arrived.wait(10)
        headers, body = receiver.messages[0]
        message = Webhook("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0").verify(body, headers)
        assert message["type"] == "job.done"
        assert message["data"]["id"] == response.json()["id"]
        assert message["data"]["result"]["choices"][0]["message"]["content"] == "four"
        assert headers["webhook-id"] == "msg_" + response.json()["id"].removeprefix("job_")
    finally:
        receiver.close()


def test_an_app_without_a_queue_ignores_the_preference() -> None:
    """As RFC 7240 allows; its job paths are the app's own; `heavy` is refused at start with the line to add."""
    config = settings("http://127.0.0.1:1/v1")
    turnout = Turnout(config, provider=scripted())
    assert turnout.api.routes.find("/turnout/jobs/x") is None
    with pytest.raises(SettingsError, match=r"\[queue\]"):
        Turnout({**config, "endpoints": {"/report": {"heavy": True}}}, provider=scripted())


def test_accepted_work_survives_a_restart(tmp_path: Path) -> None:
    """What one process has accepted, the next one works on."""
    with DOORS["asgi"](turnout_with(scripted(), tmp_path, works=False)) as url:
        response = App(url, scripted()).submit()
        assert response.status_code == 202
        # Nobody works: the 202 and the probe say so.
        for body in (response.json(), httpx.get(url + "/turnout/health/ready").json()):
            assert "turnout worker" in body["warning"]
    assert (tmp_path / "jobs.sqlite").stat().st_mode & 0o777 == 0o600
    with DOORS["asgi"](turnout_with(scripted({"openai/small": ["later"]}), tmp_path)) as url:
        body = App(url, scripted()).ended(response)
    assert body["result"]["choices"][0]["message"]["content"] == "later"


def test_the_place_in_line_is_the_callers_own(tmp_path: Path) -> None:
    """In the 202 and whenever asked; another user's many jobs are no longer a line before it."""
    with DOORS["asgi"](turnout_with(scripted(), tmp_path, works=False)) as url:
        app = App(url, scripted())
        many = [app.submit(str(number)) for number in range(3)]
        assert [response.json()["position"] for response in many] == [1, 2, 3]
        bob = {"x-user-id": "bob"}
        response = app.submit("b", headers=bob)
        assert response.json()["position"] == 2
        app.submit("4")
        assert app.http.get(response.headers["location"], headers=bob).json()["position"] == 2
        app.http.delete(response.headers["location"], headers=bob)
        places = [app.http.get(one.headers["location"]).json()["position"] for one in many]
        assert places == [1, 2, 3]


def test_a_heavy_chat_path_makes_every_request_a_job(tmp_path: Path) -> None:
    """Without any preference of the caller's."""
    turnout = turnout_with(scripted(), tmp_path, endpoints={CHAT: {"heavy": True}})
    with DOORS["asgi"](turnout) as url:
        response = httpx.post(url + CHAT, json={"messages": [{"role": "user", "content": "x"}]})
        assert response.status_code == 202
        assert "preference-applied" not in response.headers


def test_what_no_budget_could_ever_pay_is_refused_at_once(tmp_path: Path) -> None:
    """429 at the submission, where waiting could not help; a full queue is 503."""
    turnout = turnout_with(
        scripted(), tmp_path, works=False, budgets={"per_user": "0.0001/day"}, queue={"max_length": 1}
    )
    with DOORS["asgi"](turnout) as url:
        app = App(url, scripted())
        refused = app.submit(model="cheap", max_tokens=100_000)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "budget_exceeded")
        assert app.submit(model="cheap", max_tokens=10).status_code == 202
        full = app.submit(model="cheap", max_tokens=10)
        assert (full.status_code, full.json()["error"]["code"]) == (503, "overloaded")
        assert "retry-after" in full.headers


def test_a_job_larger_than_what_all_may_take_is_refused(tmp_path: Path) -> None:
    """[queue] max_bytes holds for whatever is submitted: 503, and a small one is taken."""
    turnout = turnout_with(scripted(), tmp_path, works=False, queue={"max_bytes": 4000})
    with DOORS["asgi"](turnout) as url:
        app = App(url, scripted())
        full = app.submit("x" * 4000)
        assert (full.status_code, full.json()["error"]["code"]) == (503, "overloaded")
        assert app.submit("x").status_code == 202


def test_a_full_limit_lets_a_job_wait_in_its_place(tmp_path: Path) -> None:
    """It is not refused, not failed: it stays queued until there is room."""
    turnout = turnout_with(scripted(), tmp_path, limits={"per_user": "1/minute"})
    with DOORS["asgi"](turnout) as url:
        app = App(url, scripted())
        assert app.ended(app.submit("one"))["status"] == "done"
        second = app.submit("two")
        body = app.http.get(second.headers["location"], headers={"prefer": "wait=1"}).json()
        assert (body["status"], body["attempts"]) == ("queued", 0)


@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_heavy_path_of_the_apps_own_is_replayed_through_the_app(door: str, tmp_path: Path) -> None:
    """Method, path, query, body and user come again; no cookie does; the response is the result."""
    provider = scripted({"openai/small": ["four"]})
    turnout = turnout_with(provider, tmp_path, endpoints={"/report/{topic}": {"heavy": True}})
    with DOORS[door](turnout) as url:
        app = App(url, provider)
        app.http.cookies.set("session", "private")
        response = app.http.post("/report/sums?full=1", content="the body", headers={"content-type": "text/plain"})
        assert (response.status_code, response.json()["object"]) == (202, "turnout.job")
        body = app.ended(response)
        assert body["status"] == "done"
        assert body["result"]["status"] == 200
        assert body["result"]["body"] == {"text": "four", "body": "the body", "user": "ann", "cookie": ""}
        waited = app.http.post("/report/sums", content="x", headers={"prefer": "wait=10"})
        assert (waited.status_code, waited.json()["user"]) == (200, "ann")
        assert app.http.get("/report/sums").headers["location"]
        assert app.http.get(response.headers["location"], headers={"x-user-id": "bob"}).status_code == 404


def test_without_a_queue_nothing_of_it_is_imported() -> None:
    """Neither by the doors nor by a running Turnout."""
    code = (
        "import sys, turnout.asgi, turnout.wsgi; from turnout import Turnout\n"
        "Turnout({'tiers': {'cheap': {'models': ['a/b']}, 'expensive': {'models': ['c/d']}}, 'routing':"
        " {'threshold': 0.5}})\n"
        "parts = ('turnout.jobs', 'turnout.stores.sqlite', 'turnout.api.job', 'turnout.api.submission',"
        " 'turnout.assembly.queue', 'sqlite3')\n"
        "print(*[name for name in sys.modules if name.startswith(parts)])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == ""
