"""Starts one of the demo's servers as a process of its own, and stops it again."""

from __future__ import annotations

import json
import subprocess
import sys
from threading import Timer
from typing import Any, Self

import httpx

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0


class ServerProcess:
    """`with ServerProcess(MODULE, *ARGUMENTS) as server:` runs `python -m MODULE ARGUMENTS` until the block ends.

    The module serves by loopback_server.py, so it ends by itself should this process die. `ready` is the JSON line
    that it prints, `url` its address. Raises RuntimeError where it does not come up.
    """

    url: str
    ready: dict[str, Any]

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Returns once the server answers."""
        # A session of its own: Ctrl-C in a terminal stops the parent, which then stops this in good order.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        line = self._first_line(self._process)
        if not line:
            self.stop()
            raise RuntimeError(f"one of the demo's servers did not start: {' '.join(self._command)}")
        self.ready = json.loads(line)
        self.url = f"http://127.0.0.1:{self.ready['port']}"
        return self

    def stop(self) -> None:
        """Closes the server's standard input and waits; kills it if that takes too long. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    @staticmethod
    def _first_line(process: subprocess.Popen[bytes]) -> bytes:
        """The line that the server prints when it is ready; empty where the process ends, or is ended, before."""
        assert process.stdout is not None
        timeout = Timer(START_TIMEOUT_S, process.kill)
        timeout.start()
        try:
            return process.stdout.readline()
        finally:
            timeout.cancel()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class ProviderProcess(ServerProcess):
    """A provider: `skill` is `cheap` or `expensive`; `speed` divides its latencies."""

    def __init__(self, skill: str, *, speed: float = 1.0) -> None:
        super().__init__("turnout.demo.provider_server", "--skill", skill, "--speed", str(speed))

    @property
    def base_url(self) -> str:
        """Where its OpenAI API is; ends in `/v1`."""
        return f"{self.url}/v1"

    @property
    def model(self) -> str:
        """The name of its one model."""
        return str(self.ready["model"])

    def stats(self) -> dict[str, int]:
        """Its totals since it started: `calls`, `prompt_tokens`, `completion_tokens`."""
        totals: dict[str, int] = httpx.get(f"{self.url}/stats").json()
        return totals
