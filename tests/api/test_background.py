"""`background: true` on /v1/responses, at both doors: a Response that is asked for until it is there, and cancelled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import openai
from tests.api.test_jobs import App
from tests.support.apps import served, settings
from tests.support.fastapi_app import mounted
from tests.support.job_doors import DOORS, scripted, turnout_with
from turnout.attempt_errors import CallerFault
from turnout.testing import Hangs, Says

PATH = "/v1/responses"
BACKGROUND = {"model": "auto", "input": "hi", "instructions": "be short", "background": True}


def until_over(app: App, response_id: str) -> dict[str, Any]:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        body: dict[str, Any] = app.http.get(f"{PATH}/{response_id}").json()
        if body["status"] not in ("queued", "in_progress"):
            return body
    raise AssertionError("the response did not end")


def test_a_response_in_the_background_is_asked_for_until_it_is_there(app: App) -> None:
    """Begun at once, then done under the same id; it can be continued, and nobody else sees it."""
    begun = app.http.post(PATH, json=BACKGROUND)
    assert begun.status_code == 200
    assert begun.json()["object"] == "response"
    assert begun.json()["status"] in ("queued", "in_progress")
    assert begun.json()["background"] is True
    done = until_over(app, begun.json()["id"])
    assert (done["id"], done["status"], done["background"]) == (begun.json()["id"], "completed", True)
    assert done["output"][0]["content"][0]["text"] == "four"
    assert app.http.get(f"{PATH}/{done['id']}", headers={"x-user-id": "bob"}).status_code == 404
    more = {"model": "auto", "input": "and now?", "previous_response_id": done["id"]}
    assert app.http.post(PATH, json=more).status_code == 200
    assert [message["role"] for message in app.provider.seen[-1].messages] == ["user", "assistant", "user"]


def test_it_is_cancelled_in_mid_call(app: App) -> None:
    """By its own path; the provider's call ends. What was not in the background is not found there."""
    app.provider.say("openai/small", Hangs())
    begun = app.http.post(PATH, json=BACKGROUND).json()
    cancelled = app.http.post(f"{PATH}/{begun['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert app.provider.open == 0
    assert app.http.get(f"{PATH}/{begun['id']}").json()["status"] == "cancelled"
    assert app.http.post(f"{PATH}/{begun['id']}/cancel", headers={"x-user-id": "bob"}).status_code == 404
    assert app.http.post(f"{PATH}/resp_none/cancel").status_code == 404
    assert app.http.post(f"{PATH}/{begun['id']}").status_code == 405


def test_one_that_fails_says_why_and_a_deleted_one_is_gone(app: App) -> None:
    """With the code and the text; deleted, neither the response nor its job is found."""
    app.provider.say("openai/small", CallerFault("no", status=400), "four")
    failed = until_over(app, app.http.post(PATH, json=BACKGROUND).json()["id"])
    assert (failed["status"], failed["output"]) == ("failed", [])
    assert failed["error"]["message"]
    done = until_over(app, app.http.post(PATH, json=BACKGROUND).json()["id"])
    assert app.http.delete(f"{PATH}/{done['id']}").json()["deleted"] is True
    assert app.http.get(f"{PATH}/{done['id']}").status_code == 404
    assert app.http.get(f"/turnout/jobs/job_{done['id'].removeprefix('resp_')}").status_code == 404


def test_one_that_is_deleted_while_it_is_made_does_not_come_back(app: App) -> None:
    """Its answer comes later all the same."""
    app.provider.say("openai/small", Says("secret", after_s=0.25))
    begun = app.http.post(PATH, json=BACKGROUND).json()
    while app.provider.open == 0:
        time.sleep(0.01)
    assert app.http.delete(f"{PATH}/{begun['id']}").json()["deleted"] is True
    while app.provider.open:
        time.sleep(0.01)
    time.sleep(0.3)
    assert app.http.get(f"{PATH}/{begun['id']}").status_code == 404


@pytest.mark.parametrize(("more", "param"), [({"store": False}, "store"), ({"stream": True}, "stream")])
def test_what_no_background_can_do_is_refused(app: App, more: dict[str, Any], param: str) -> None:
    """By the field that is wrong."""
    refused = app.http.post(PATH, json={**BACKGROUND, **more})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_another_workers_response_is_found_by_its_job(tmp_path: Path) -> None:
    """Continued, too, where the process that made it kept it in its own memory."""
    provider = scripted({"openai/small": ["four"]})
    with DOORS["asgi"](turnout_with(provider, tmp_path)) as url:
        response_id = App(url, provider).http.post(PATH, json=BACKGROUND).json()["id"]
        until_over(App(url, provider), response_id)
    with DOORS["asgi"](turnout_with(provider, tmp_path)) as url:
        other = App(url, provider)
        assert until_over(other, response_id)["status"] == "completed"
        more = {"model": "auto", "input": "and now?", "previous_response_id": response_id}
        assert other.http.post(PATH, json=more).status_code == 200
        assert [message["role"] for message in provider.seen[-1].messages] == ["user", "assistant", "user"]


def test_without_a_queue_it_is_refused() -> None:
    """By its name, as before."""
    with served(mounted(settings("http://127.0.0.1:1/v1"))) as url:
        refused = App(url, scripted()).http.post(PATH, json=BACKGROUND)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "background")


def test_the_openai_sdk_creates_retrieves_and_cancels(app: App) -> None:
    """Its own verbs."""
    client = openai.OpenAI(
        api_key="-",
        base_url=str(app.http.base_url).rstrip("/") + "/v1",
        default_headers={"x-user-id": "ann"},
        max_retries=0,
    )
    begun = client.responses.create(model="auto", input="hi", background=True)
    until_over(app, begun.id)
    assert client.responses.retrieve(begun.id).output_text == "four"
    app.provider.say("openai/small", Hangs())
    second = client.responses.create(model="auto", input="hi", background=True)
    assert client.responses.cancel(second.id).status == "cancelled"
    client.close()
