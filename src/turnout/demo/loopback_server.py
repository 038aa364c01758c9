"""Serves an ASGI app on loopback: prints one line when it is ready, ends when its standard input closes."""

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


def serve(app: Any, *, port: int = 0, fields: Mapping[str, Any] | None = None, lifespan: bool = False) -> None:
    """Serves the ASGI app until standard input closes, or the process is interrupted or terminated.

    port 0 takes a free one. The line that it prints is `{"port": ..., **fields}`.
    """
    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="on" if lifespan else "off", timeout_graceful_shutdown=1
    )
    # Named TCP: asyncio sets TCP_NODELAY on no other, and each answer would wait 40 ms for an acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        ready_line = json.dumps({"port": listener.getsockname()[1], **(fields or {})})
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config, ready_line).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready_line: str) -> None:
        super().__init__(config)
        self._ready_line = ready_line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            print(self._ready_line, flush=True)
        threading.Thread(target=self._stop_at_end_of_input, daemon=True).start()

    def _stop_at_end_of_input(self) -> None:
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        self.should_exit = True
