"""The serving side of process.py: tells in one line when it is ready, ends when its standard input closes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any

import uvicorn


def serve(app: Any, *, port: int = 0, told: Mapping[str, Any] | None = None, lifespan: bool = False) -> None:
    """Serves the ASGI app on loopback until standard input closes, or the process is interrupted or terminated.

    port 0 takes a free one. The line that it prints is `{"port": ..., **told}`.
    """
    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="on" if lifespan else "off", timeout_graceful_shutdown=1
    )
    # Named TCP: asyncio sets TCP_NODELAY on no other, and each answer would wait 40 ms for an acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
        ready = {"port": listening.getsockname()[1], **(told or {})}
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config, ready).run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            print(json.dumps(self._ready), flush=True)
        threading.Thread(target=self._stop_at_end_of_input, daemon=True).start()

    def _stop_at_end_of_input(self) -> None:
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        self.should_exit = True
