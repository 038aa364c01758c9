"""WSGI apps served for real: by gunicorn in processes of its own, and under wsgiref's validator."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.validate import validator

import httpx

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Gunicorn:
    """A running gunicorn: where it is, and its arbiter's process."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> float:
        """Tells it to end, as a deployment does; says how many seconds that took."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(30)
        return time.monotonic() - began


@contextmanager
def gunicorn(
    config: dict[str, Any], *options: str, app: str = "tests.support.flask_app:create()", ready: str = "/v1/models"
) -> Iterator[Gunicorn]:
    """The app under gunicorn, 2 workers x 4 threads unless the options say otherwise; ended at the end."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    handle = listening.fileno()
    command: Sequence[str] = (
        *(
            sys.executable,
            "-m",
            "gunicorn",
            app,
            "--bind",
            f"fd://{handle}",
            "--log-level",
            "warning",
            "--no-control-socket",
        ),
        *("--workers", "2", "--threads", "4", "--worker-class", "gthread", "--graceful-timeout", "5", *options),
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environ = {**os.environ, "PYTHONPATH": path, "TURNOUT_TEST_CONFIG": json.dumps(config)}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, pass_fds=[handle])
    running = Gunicorn(url=f"http://127.0.0.1:{listening.getsockname()[1]}", process=process)
    try:
        wait_for(running.url + ready, process)
        yield running
    finally:
        if process.poll() is None:
            running.stop()
        listening.close()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns when something answers there. The socket listens from the start: the first answer may take long."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended at once"
        try:
            httpx.get(url, timeout=60)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")


class _Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_: object) -> None:
        return None


@contextmanager
def validated(app: Any) -> Iterator[str]:
    """The app under wsgiref's server and its validator, which breaks off whatever breaks PEP 3333."""
    server = _Threads(("127.0.0.1", 0), _Quiet)
    server.set_app(validator(app))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
