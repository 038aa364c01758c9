"""A request that was written down, played to an ASGI app again: its scope, its body, its response recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from turnout.doors.asgi_body import Message
from turnout.doors.heavy import HeavyRequest, Recorder


class ReplayedExchange:
    """One request played again. states: the app's lifespan states, the last one current. apps: the one that a server's
    requests have in their scope; empty where none is known."""

    def __init__(self, heavy: HeavyRequest, states: Sequence[Any], apps: Sequence[Any]) -> None:
        origin = heavy.origin
        path = origin.get("path", heavy.path)
        self.recorder = Recorder()
        self._body: bytes | None = heavy.body
        self._over = asyncio.Event()
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": heavy.method,
            "scheme": origin.get("scheme", "http"),
            "path": path,
            "raw_path": path.encode(),
            "root_path": origin.get("root_path", ""),
            "query_string": heavy.query.encode("latin-1"),
            "headers": [
                (b"content-length", str(len(heavy.body)).encode()),
                *((name.encode("latin-1"), value.encode("latin-1")) for name, value in heavy.headers),
            ],
            # Its port is another's by now.
            "client": (origin["client"], 0) if origin.get("client") else None,
            "server": None,
            "state": dict(states[-1]) if states else {},
            **({"app": apps[0]} if apps else {}),
        }

    async def receive(self) -> Message:
        """The body once; then nothing until the response is over, as a client that stays would have it."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ()))
            self.recorder.start(message["status"], headers)
        elif message["type"] == "http.response.body":
            self.recorder.add(message.get("body", b""))
            if not message.get("more_body", False):
                self._over.set()
