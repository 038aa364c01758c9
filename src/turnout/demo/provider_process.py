"""Starts a demo provider as a process of its own, and stops it again."""

import json
import subprocess
import sys
from threading import Timer
from types import TracebackType
from typing import Self

import httpx

READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 5.0


class ProviderProcess:
    """`with ProviderProcess("cheap") as provider:` serves at `provider.base_url` until the block ends.

    `skill` is `cheap` or `expensive`; `speed` divides its latencies. Raises RuntimeError where the process does
    not come up. It ends by itself should this process die. `base_url` ends in `/v1`; `model` is its model's name.
    """

    base_url: str
    model: str

    def __init__(self, skill: str, *, speed: float = 1.0, port: int = 0) -> None:
        self._command = [
            sys.executable, "-m", "turnout.demo.provider_server",
            "--skill", skill, "--speed", str(speed), "--port", str(port),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Returns once the provider answers."""
        # A session of its own: Ctrl-C in a terminal stops the parent, which then stops this in good order.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        ready = self._first_line(self._process)
        if not ready:
            self.stop()
            raise RuntimeError(f"The demo provider did not start: {' '.join(self._command)}")
        told = json.loads(ready)
        self.base_url = f"http://127.0.0.1:{told['port']}/v1"
        self.model = told["model"]
        return self

    def stats(self) -> dict[str, int]:
        """What the provider has been asked since it started: `calls`, `prompt_tokens`, `completion_tokens`."""
        counted: dict[str, int] = httpx.get(f"{self.base_url.removesuffix('/v1')}/stats").json()
        return counted

    def stop(self) -> None:
        """Closes the provider's standard input and waits; kills it if that takes too long. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    @staticmethod
    def _first_line(process: "subprocess.Popen[bytes]") -> bytes:
        """The line that says where it listens; empty where the process ends, or is ended, before."""
        assert process.stdout is not None
        too_late = Timer(READY_WITHIN_S, process.kill)
        too_late.start()
        try:
            return process.stdout.readline()
        finally:
            too_late.cancel()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
