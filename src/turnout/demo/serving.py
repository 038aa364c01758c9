"""The demo's app: FastAPI with Turnout mounted in one line, served by uvicorn in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

from turnout.asgi import TurnoutMiddleware
from turnout.errors import UsageError

START_S = 60.0


def app_of(config: Mapping[str, Any]) -> FastAPI:
    """The app as its owner wrote it, and one line more."""
    app = FastAPI(title="turnout demo")

    @app.get("/ask")
    async def ask(question: str, request: Request) -> dict[str, Any]:
        answer = await request.state.turnout.complete(question)
        return {"answer": answer.text, "tier": answer.outcome.tier, "cost_usd": str(answer.outcome.cost_usd)}

    app.add_middleware(TurnoutMiddleware, config=config)
    return app


@contextmanager
def served(config: Mapping[str, Any]) -> Iterator[str]:
    """The URL at which the app is served; stopped at the end. Raises UsageError where it does not start."""
    # Named TCP: asyncio sets TCP_NODELAY on no other, and each answer would wait 40 ms for an acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app_of(config), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + START_S
    while not server.started:
        if time.monotonic() > until or not thread.is_alive():
            raise UsageError("the demo's app did not start")
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
