"""Starts one of the demo's servers as a process of its own, and stops it again."""

from __future__ import annotations

import json
import subprocess
import sys
from threading import Timer
from types import TracebackType
from typing import Any, Self

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 5.0


class ServerProcess:
    """`python -m MODULE ARGUMENTS`, which prints one JSON line when it is ready and ends when its standard input
    closes: so it ends by itself should this process die. `told` is what the line says.

    Raises RuntimeError where it does not come up.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self.told: dict[str, Any] = {}

    def start(self) -> Self:
        """Returns once the server answers."""
        # A session of its own: Ctrl-C in a terminal stops the parent, which then stops this in good order.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        ready = self._first_line(self._process)
        if not ready:
            self.stop()
            raise RuntimeError(f"one of the demo's servers did not start: {' '.join(self._command)}")
        self.told = json.loads(ready)
        return self

    def stop(self) -> None:
        """Closes the server's standard input and waits; kills it if that takes too long. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    @staticmethod
    def _first_line(process: subprocess.Popen[bytes]) -> bytes:
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
