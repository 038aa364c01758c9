"""How a heavy path's replay ends: the app's own failures, its refusals, its time."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from flask import Flask, request

from tests.support.apps import served
from tests.support.job_doors import scripted, turnout_with
from tests.support.wsgi_servers import validated
from turnout import Turnout, portal
from turnout.api.job_runs import JobRuns
from turnout.asgi import TurnoutMiddleware as AsgiMiddleware
from turnout.ports.jobs import Job, JobEnd
from turnout.settings import Queue
from turnout.testing import ManualClock
from turnout.wsgi import TurnoutMiddleware as WsgiMiddleware


def test_a_mounted_app_says_where_its_job_is_found(tmp_path: Path) -> None:
    """Below the path that it is mounted at."""

    async def main() -> tuple[str, int, int]:
        inner, outer = FastAPI(), FastAPI()
        turnout = turnout_with(scripted(), tmp_path)
        inner.add_middleware(AsgiMiddleware, turnout=turnout)
        outer.mount("/api", inner)
        transport = httpx.ASGITransport(app=outer)
        async with turnout, httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            body = {"messages": [{"role": "user", "content": "hi"}]}
            headers = {"x-user-id": "ann", "prefer": "respond-async"}
            accepted = await http.post("/api/v1/chat/completions", json=body, headers=headers)
            location = accepted.headers["location"]
            return location, accepted.status_code, (await http.get(location, headers=headers)).status_code

    location, accepted, found = asyncio.run(main())
    assert location.startswith("/api/turnout/jobs/")
    assert (accepted, found) == (202, 200)


HEAVY = {"/h/{x}": {"heavy": True}}


class Heavy:
    """An app with one heavy path, which answers these statuses in order; 0 raises."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.turnout: Turnout = turnout_with(scripted(), folder, endpoints=HEAVY, **sections)
        self.answers: list[int] = []
        self.seen = 0

    def answer(self) -> int:
        self.seen += 1
        status = self.answers.pop(0)
        if not status:
            raise ValueError("a bug of the app's")
        return status

    @contextmanager
    def asgi(self) -> Iterator[httpx.Client]:
        app = FastAPI()
        app.add_middleware(AsgiMiddleware, turnout=self.turnout)

        @app.api_route("/h/{x}", methods=["GET", "POST", "DELETE"])
        async def heavy(asked: Request) -> JSONResponse:
            said = json.loads(await asked.body() or b"{}")
            return JSONResponse(said, self.answer(), {"retry-after": "0"})

        with served(app) as url, httpx.Client(base_url=url, headers={"x-user-id": "ann"}, timeout=30) as http:
            yield http

    @contextmanager
    def wsgi(self) -> Iterator[httpx.Client]:
        app = Flask("heavy")
        app.wsgi_app = WsgiMiddleware(app.wsgi_app, turnout=self.turnout)  # type: ignore[method-assign]

        @app.get("/h/<x>")
        def heavy(x: str) -> Any:
            return {}, self.answer(), {"retry-after": "0"}

        with validated(app) as url, httpx.Client(base_url=url, headers={"x-user-id": "ann"}, timeout=30) as http:
            yield http

    @contextmanager
    def plain(self) -> Iterator[httpx.Client]:
        """A WSGI app of no framework: what it raises reaches the door."""

        def app(environ: Any, start_response: Any) -> list[bytes]:
            start_response(f"{self.answer()} As Told", [("content-type", "text/plain"), ("retry-after", "0")])
            return [environ["wsgi.input"].read()]

        door = WsgiMiddleware(app, turnout=self.turnout)
        with validated(door) as url, httpx.Client(base_url=url, headers={"x-user-id": "ann"}, timeout=30) as http:
            yield http


def ended(http: httpx.Client, **headers: str) -> dict[str, Any]:
    """The job of a heavy request, at its end."""
    response = http.get("/h/x", headers=headers)
    assert response.status_code == 202
    body: dict[str, Any] = http.get(
        response.url.join(response.headers["location"]), headers={"prefer": "wait=20"}
    ).json()
    return body


@pytest.mark.parametrize("door", ["asgi", "wsgi", "plain"])
def test_a_handler_that_raises_is_the_apps_failure(door: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Code app_error, and no word of a defect of ours."""
    heavy = Heavy(tmp_path)
    heavy.answers = [0]
    with caplog.at_level(logging.WARNING, logger="turnout"), getattr(heavy, door)() as http:
        job = ended(http)
    assert (job["status"], job["error"]["code"]) == ("failed", "app_error")
    assert "defect" not in caplog.text
    assert "a bug of the app's" in caplog.text or door == "wsgi"  # Flask logs it itself.


@pytest.mark.parametrize("door", ["asgi", "wsgi", "plain"])
def test_an_answer_that_may_pass_is_asked_for_again(door: str, tmp_path: Path) -> None:
    """503 and 429: an attempt each, then the app's response."""
    heavy = Heavy(tmp_path)
    heavy.answers = [503, 429, 200]
    with getattr(heavy, door)() as http:
        job = ended(http)
    assert (job["status"], heavy.seen) == ("done", 3)


def test_a_refusal_for_want_of_credentials_says_that_none_are_replayed(tmp_path: Path) -> None:
    """401 fails at once."""
    heavy = Heavy(tmp_path)
    heavy.answers = [401]
    with heavy.asgi() as http:
        job = ended(http)
    assert (job["status"], heavy.seen) == ("failed", 1)
    assert "credentials are not replayed" in job["error"]["message"]


@pytest.mark.parametrize(("deadline_s", "ends_after_s"), [(None, 600), (5, 5), (900, 600)])
def test_a_replay_ends_at_the_jobs_deadline_or_the_queues(deadline_s: float | None, ends_after_s: float) -> None:
    """Whichever is earlier; the app is not asked again."""

    async def main() -> None:
        async def never(*_: Any) -> Any:
            await asyncio.Event().wait()

        clock = ManualClock(1_700_000_000)
        runs = JobRuns(never, never, clock, never, replay_s=Queue().replay_deadline_s)
        runs.replay = never
        spec = json.dumps({"deadline_at": None if deadline_s is None else clock.time() + deadline_s}).encode()
        fields: dict[str, Any] = dict.fromkeys(("user", "endpoint", "secret", "digest", "webhook_url"), "")
        now = clock.time()
        job = Job(id="job_1", kind="http", priority=4, spec=spec, status="running", created=now, since=now, **fields)
        run = asyncio.ensure_future(runs.run(job, never))
        await clock.advance(ends_after_s - 1)
        assert not run.done()
        await clock.advance(1)
        end = await asyncio.wait_for(run, 1)
        assert isinstance(end, JobEnd)
        error = json.loads(end.error)
        assert (end.status, error["code"]) == ("failed", "deadline_exceeded")
        assert ("replay_deadline_s (600 s)" in error["message"]) is (ends_after_s == 600)

    asyncio.run(main())


SUBMITTED = {"content-encoding": "x", "content-type": "text/plain", "x-forwarded-proto": "https"}


def replayed(url: str) -> Any:
    """The result of a DELETE with a body at the heavy path of an app mounted at /api."""
    with httpx.Client(base_url=url + "/api", headers={"x-user-id": "ann"}, timeout=30) as http:
        response = http.request("DELETE", "/h/x", content=b"four", headers=SUBMITTED)
        assert response.status_code == 202
        job = http.get(response.url.join(response.headers["location"]), headers={"prefer": "wait=20"}).json()
    assert job["status"] == "done", job
    return job["result"]["body"]


def test_a_mounted_asgi_app_is_replayed_as_it_was_asked(tmp_path: Path) -> None:
    """Its app, mount point, scheme, client, encoding and body."""
    outer, app = FastAPI(), FastAPI()
    app.add_middleware(AsgiMiddleware, turnout=Heavy(tmp_path).turnout)
    app.state.name = "mine"
    outer.mount("/api", app)

    @app.delete("/h/{x}")
    async def heavy(x: str, asked: Request) -> dict[str, Any]:
        client = asked.client.host if asked.client else ""
        seen = [asked.app.state.name, asked.scope["root_path"], asked.url.scheme, asked.url.path, client]
        return {"seen": [*seen, asked.headers["content-encoding"], (await asked.body()).decode()]}

    with served(outer) as url:
        assert replayed(url) == {"seen": ["mine", "/api", "https", "/api/h/x", "127.0.0.1", "x", "four"]}


def test_a_mounted_wsgi_app_is_replayed_as_it_was_asked(tmp_path: Path) -> None:
    """SCRIPT_NAME, the scheme, the client, the encoding and the body."""
    app = Flask("heavy")
    inner = WsgiMiddleware(app.wsgi_app, turnout=Heavy(tmp_path).turnout)

    @app.delete("/h/<x>")
    def heavy(x: str) -> dict[str, Any]:
        seen = [request.script_root, request.scheme, request.path, request.remote_addr]
        return {"seen": [*seen, request.headers["content-encoding"], request.get_data(as_text=True)]}

    app.wsgi_app = inner  # type: ignore[method-assign]

    def outer(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"].removeprefix("/api")
        return app({**environ, "SCRIPT_NAME": "/api", "PATH_INFO": path, "wsgi.url_scheme": "https"}, start_response)

    with validated(outer) as url:
        assert replayed(url) == {"seen": ["/api", "https", "/h/x", "127.0.0.1", "x", "four"]}


@pytest.mark.parametrize("door", ["asgi", "plain"])
def test_the_body_of_a_get_is_replayed(door: str, tmp_path: Path) -> None:
    """Whatever the method: an app that reads it has it."""
    heavy = Heavy(tmp_path)
    heavy.answers = [200]
    with getattr(heavy, door)() as http:
        response = http.request("GET", "/h/x", content=b'{"find": 4}')
        body = http.get(response.headers["location"], headers={"prefer": "wait=20"}).json()
    assert body["result"]["body"] == ({"find": 4} if door == "asgi" else '{"find": 4}')


def test_a_wsgi_handler_that_hangs_gives_its_place_back(tmp_path: Path) -> None:
    """Its job fails at the queue's deadline, others run, and no pool's thread is lost to it."""
    heavy, hanging, threads = Heavy(tmp_path, queue={"replay_deadline_s": 0.3, "concurrency": 1}), threading.Event(), []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        threads.append(threading.current_thread())
        if environ["PATH_INFO"] == "/h/hangs":
            hanging.wait(30)
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"done"]

    with validated(WsgiMiddleware(app, turnout=heavy.turnout)) as url, httpx.Client(base_url=url, timeout=30) as http:
        responses = [http.get(f"/h/{name}", headers={"x-user-id": "ann"}) for name in ("hangs", "x")]
        seen = {"prefer": "wait=20", "x-user-id": "ann"}
        jobs = [http.get(response.headers["location"], headers=seen).json() for response in responses]
        hanging.set()
    assert [job["status"] for job in jobs] == ["failed", "done"]
    assert "replay_deadline_s" in jobs[0]["error"]["message"]
    assert all(thread.daemon and thread.name == "turnout.replay" for thread in threads)


def test_a_wsgi_process_begins_to_work_before_its_first_request(tmp_path: Path) -> None:
    """Where a server's hook says so: what was accepted before a restart waits for nobody."""
    heavy = Heavy(tmp_path)
    done = threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        done.set()
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"done"]

    before = WsgiMiddleware(app, turnout=turnout_with(scripted(), tmp_path, works=False, endpoints=HEAVY))
    with validated(before) as url:
        assert httpx.get(url + "/h/x").status_code == 202
    after = WsgiMiddleware(app, turnout=heavy.turnout)
    assert not done.wait(0)
    after.start_worker()
    assert done.wait(20)
    portal.run(portal.portal_loop(), heavy.turnout.aclose)
