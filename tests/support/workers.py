"""Worker processes on one Redis: real servers, to be asked over HTTP and killed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60.0


class Server:
    """One server process at `url`; it may have workers of its own."""

    def __init__(self, command: list[str], port: int, environ: Mapping[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self.process = subprocess.Popen(command, env=environ, cwd=ROOT, start_new_session=True)

    def wait(self) -> None:
        """Returns once it answers."""
        ends = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < ends and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("the worker did not start")

    def stop(self) -> None:
        """In good order, else killed. What has ended already is left alone."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environ(config: Mapping[str, Any], provider: str) -> dict[str, str]:
    source = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    actual = {"WORKER_CONFIG": json.dumps(config), "WORKER_PROVIDER": provider, "PYTHONPATH": source}
    return {**os.environ, **actual}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def uvicorn(port: int, *options: str) -> list[str]:
    run = [sys.executable, "-W", "ignore", "-m", "uvicorn", "tests.support.worker_app:app"]
    return [*run, "--port", str(port), "--log-level", "warning", "--timeout-graceful-shutdown", "5", *options]


def gunicorn(port: int, *options: str) -> list[str]:
    run = [sys.executable, "-W", "ignore", "-m", "gunicorn", "tests.support.worker_app:app", "-k", "asgi"]
    return [*run, "--bind", f"127.0.0.1:{port}", "--log-level", "error", "--graceful-timeout", "5", *options]


@contextmanager
def servers(commands: Mapping[int, list[str]], config: Mapping[str, Any], provider: str) -> Iterator[list[Server]]:
    """The servers of these commands, by port, started together and stopped at the end."""
    actual = environ(config, provider)
    with ExitStack() as stack:
        started = []
        for port, command in commands.items():
            server = Server(command, port, actual)
            stack.callback(server.stop)
            started.append(server)
        for server in started:
            server.wait()
        yield started
