"""`turnout worker` and `turnout jobs`: real processes, killed, stopped, and asked about what they did."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.apps import settings
from tests.support.job_doors import asgi_app
from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.workers import environ
from turnout import Turnout
from turnout.api.submission import Submitted
from turnout.cli import main
from turnout.clock import SystemClock
from turnout.context import Caller
from turnout.jobs.leases import BEAT_S, LEASE_S
from turnout.jobs.worker import POLL_S
from turnout.ports.jobs import Jobs
from turnout.settings import Settings
from turnout.stores.factory import jobs_from
from turnout.testing import FixedScorer, ScriptedProvider

ANN = Caller(user="ann", endpoint="/v1/chat/completions")
RECOVERED_WITHIN_S = 10.0
# A machine may be busy: what is waited for comes at once on a quiet one.
PATIENCE_S = 60.0


class Queue:
    """A queue's settings file, and the processes that work on it."""

    def __init__(
        self, folder: Path, provider: LoopbackProvider, redis_url: str = "", more: str = "", concurrency: int = 4
    ) -> None:
        self._make = (folder, provider, redis_url)
        redis = (
            f'[redis]\nurl = "{redis_url}"\nprefix = "t-{secrets.token_hex(4)}"\ntimeout_s = 1.0\n' if redis_url else ""
        )
        self.file = folder / "turnout.toml"
        self.file.write_text(
            '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
            f"[routing]\nmax_expensive_share = 0.5\n[queue]\nconcurrency = {concurrency}\n"
            f"[cache]\nenabled = false\n{more}{redis}"
        )
        self.config = str(self.file)
        self.settings = Settings.from_toml(self.file)
        self._environ = environ(settings(provider.base_url), provider.base_url)
        self.processes: list[subprocess.Popen[bytes]] = []

    def with_settings(self, more: str, concurrency: int) -> Queue:
        """Another queue in the same store."""
        other = Queue(*self._make, more, concurrency)
        other.processes = self.processes
        return other

    def work(self, drain_s: float = 5, workers: int = 1) -> list[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "tests.support.job_worker", self.config, str(drain_s)]
        started = [self.start(command, {}) for _ in range(workers)]
        for process in started:
            said(process, b"working")
        return started

    def start(self, command: list[str], more: dict[str, str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, env={**self._environ, **more}, stderr=subprocess.PIPE)
        self.processes.append(process)
        return process

    def submit(self, count: int) -> list[Submitted]:
        async def all_of_them() -> list[Submitted]:
            turnout = Turnout(self.config, provider=ScriptedProvider(), scorer=FixedScorer(0.1), works=False)
            submitted = [await turnout.submit(f"text {number}", caller=ANN) for number in range(count)]
            await turnout.aclose()
            return submitted

        return asyncio.run(all_of_them())

    def statuses(self, submitted: list[Submitted]) -> list[str]:
        async def asked(jobs: Jobs) -> list[str]:
            found = [await jobs.find(one.id) for one in submitted]
            await jobs.close()
            return [job.status if job is not None else "gone" for job in found]

        return asyncio.run(asked(jobs_from(self.settings, SystemClock())))

    def wait(self, submitted: list[Submitted]) -> list[str]:
        ends = time.monotonic() + PATIENCE_S
        while set(statuses := self.statuses(submitted)) - {"done", "failed", "cancelled"} and time.monotonic() < ends:
            time.sleep(0.1)
        return statuses


@pytest.fixture(params=["sqlite", "redis"])
def queue(request: pytest.FixtureRequest, tmp_path: Path, provider: LoopbackProvider) -> Iterator[Queue]:
    """A queue in each store; its processes are gone at the end."""
    url = ""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        url = server.url
    queue = Queue(tmp_path, provider, url)
    yield queue
    for process in queue.processes:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def said(process: subprocess.Popen[bytes], word: bytes) -> None:
    """Returns once it has said this on its standard error."""
    assert process.stderr is not None
    lines = []
    while not lines or word not in lines[-1]:
        lines.append(process.stderr.readline())
        assert lines[-1], lines


def held(provider: LoopbackProvider, model: str = "small") -> threading.Event:
    """Set, it lets the provider answer those who have asked by then."""
    released = threading.Event()

    def answer(_: Any) -> str:
        assert released.wait(PATIENCE_S)
        return "It is four."

    provider.says[model] = answer
    return released


def test_a_killed_workers_jobs_are_done_by_another(queue: Queue, provider: LoopbackProvider) -> None:
    """None is lost, none ends twice; a second call is paid only for what was cut down in mid-call."""
    provider.modes["*"] = "hang"
    [first] = queue.work()
    submitted = queue.submit(6)
    until(lambda: sum(provider.active.values()) == 4, PATIENCE_S)
    [second] = queue.work()
    provider.modes["*"] = "ok"
    os.kill(first.pid, signal.SIGKILL)
    assert queue.wait(submitted) == ["done"] * 6
    assert second.poll() is None
    assert provider.calls.total() == 10
    # Nothing but the machine's own time comes on top.
    assert LEASE_S + BEAT_S + POLL_S < RECOVERED_WITHIN_S


def test_no_worker_makes_the_call_too_many(queue: Queue, provider: LoopbackProvider) -> None:
    """Three processes share the places of all jobs, and those of one model."""
    provider.modes["*"] = "slow:0.2"
    for more, most in (("", 5), ('[models."openai/small"]\nmax_concurrency = 3\n', 3)):
        provider.peak.clear()
        shared = queue.with_settings(more, 5)
        workers = shared.work(workers=3)
        submitted = shared.submit(20)
        assert shared.wait(submitted) == ["done"] * 20
        assert 1 < max(provider.peak.values()) <= most
        for worker in workers:
            worker.kill()
            worker.wait()


def test_a_models_rate_is_kept_over_all_workers(
    tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer
) -> None:
    """Two processes on one Redis: what is above it waits in the queue, and no failure is counted."""
    queue = Queue(tmp_path, provider, redis_server.url, '[models."openai/small"]\nrate = "3/hour"\n')
    workers = queue.work(workers=2)
    submitted = queue.submit(8)
    until(lambda: provider.calls.total() == 3, PATIENCE_S)
    until(lambda: sorted(queue.statuses(submitted)) == ["done"] * 3 + ["queued"] * 5, PATIENCE_S)
    assert provider.calls.total() == 3
    for worker in workers:
        worker.terminate()
        assert worker.wait(PATIENCE_S) == 0
        assert worker.stderr is not None
        worker.stderr.close()


def test_a_stopped_worker_ends_what_it_has_begun(queue: Queue, provider: LoopbackProvider) -> None:
    """SIGTERM: it claims no more, and its jobs are done."""
    released = held(provider)
    [worker] = queue.work(drain_s=PATIENCE_S)
    submitted = queue.submit(5)
    until(lambda: sum(provider.active.values()) == 4, PATIENCE_S)
    worker.terminate()
    said(worker, b"stopping")
    released.set()
    assert worker.wait(PATIENCE_S) == 0
    assert sorted(queue.statuses(submitted)) == ["done"] * 4 + ["queued"]


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_worker_with_the_app_does_the_requests_of_its_own_paths(
    kind: str, tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer
) -> None:
    """The app only submits them; the worker imports it and plays them through it."""
    queue = Queue(tmp_path, provider, redis_server.url, more='[endpoints."/report"]\nheavy = true\n')
    more = {"HEAVY_CONFIG": queue.config, "HEAVY_KIND": kind}
    command = [sys.executable, "-m", "turnout", "worker", "--config", queue.config]
    command += ["--app", "tests.support.heavy_app:app", "--drain-s", "1"]
    turnout = Turnout(queue.config, provider=ScriptedProvider(), scorer=FixedScorer(0.1))
    with asgi_app(turnout) as url:
        response = httpx.post(url + "/report", content="sums")
        assert response.status_code == 202
        secret = {"x-turnout-job-secret": response.headers["x-turnout-job-secret"], "prefer": "wait=60"}
        worker = queue.start(command, more)
        said(worker, b"working")
        body = httpx.get(url + response.headers["location"], headers=secret, timeout=70).json()
    worker.terminate()
    assert worker.wait(PATIENCE_S) == 0
    assert body["result"]["body"] == "answer to sums"
    assert worker.stderr is not None
    worker.stderr.close()


def test_the_jobs_command(queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists, shows, cancels, queues again and purges; says by its exit code what was not there."""
    submitted = queue.submit(3)
    one = submitted[0].id
    config = ["--config", queue.config]

    def json_of(*arguments: str) -> Any:
        assert main(["jobs", *arguments, *config, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert [job["id"] for job in json_of("list")] == [job.id for job in reversed(submitted)]
    assert json_of("show", one)["status"] == "queued"
    assert json_of("cancel", one) == {one: True}
    assert [job["id"] for job in json_of("list", "--status", "cancelled", "--user", "ann")] == [one]
    assert json_of("retry", one) == {one: True}
    assert main(["jobs", "retry", one, *config]) == 1
    assert main(["jobs", "show", "job_none", *config]) == 1
    for wrong in (["purge"], ["purge", "--all", "--user", "ann"], ["show"], ["retry"]):
        assert main(["jobs", *wrong, *config]) == 2
    capsys.readouterr()
    assert main(["jobs", "list", *config]) == 0
    assert one in capsys.readouterr().out
    assert json_of("purge", one) == {"purged": 1}
    assert main(["cache", "purge", "--user", "ann", *config]) == 0
    assert "2 jobs" in capsys.readouterr().err
    assert json_of("list") == []


def test_a_worker_without_a_queue_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which line to add."""
    file = tmp_path / "turnout.toml"
    file.write_text('[tiers.cheap]\nmodels = ["a/b"]\n[tiers.expensive]\nmodels = ["c/d"]\n')
    for command in (["worker"], ["jobs", "list"]):
        assert main([*command, "--config", str(file)]) == 2
        assert "[queue]" in capsys.readouterr().err


def test_the_app_only_submits_where_redis_is_shared() -> None:
    """Until `in_app` says that its processes work too."""
    redis = {"url": "redis://127.0.0.1:1/0"}
    config = settings("http://127.0.0.1:1/v1", queue={}, redis=redis)
    assert Turnout(config, provider=ScriptedProvider())._parts.queue.worker is None  # type: ignore[union-attr]
    config["queue"] = {"in_app": True}
    assert Turnout(config, provider=ScriptedProvider())._parts.queue.worker is not None  # type: ignore[union-attr]
