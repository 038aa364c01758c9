"""An ASGI app for worker processes of tests: `WORKER_CONFIG` holds its settings as JSON, `WORKER_PROVIDER` where
the provider is. It calls the provider over HTTP itself, so that a worker starts without litellm.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.attempt_errors import ConnectionFailed
from turnout.ports.runtime import ProviderCall
from turnout.testing import FixedScorer


class HttpProvider:
    """Says in each call which process it comes from."""

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url}/chat/completions"
        self._client: httpx.AsyncClient | None = None

    async def load(self) -> None:
        return None

    def _request(self, call: ProviderCall, *, stream: bool) -> tuple[httpx.AsyncClient, httpx.Request]:
        self._client = self._client or httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=None))
        body = {"model": call.model.partition("/")[2], "messages": call.messages, "stream": stream}
        headers = {"x-worker-pid": str(os.getpid())}
        return self._client, self._client.build_request("POST", self._url, json=body, headers=headers)

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        client, request = self._request(call, stream=False)
        try:
            answer: dict[str, Any] = (await client.send(request)).raise_for_status().json()
        except httpx.HTTPError as error:
            raise ConnectionFailed(str(error)) from error
        return answer

    async def stream(self, call: ProviderCall) -> AsyncGenerator[dict[str, Any], None]:
        client, request = self._request(call, stream=True)
        response = await client.send(request, stream=True)
        try:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    yield json.loads(line.removeprefix("data: "))
        finally:
            await response.aclose()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """The app behind the middleware: it has no paths of its own, and starts and stops when told to."""
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


app = TurnoutMiddleware(
    nothing,
    turnout=Turnout(
        json.loads(os.environ["WORKER_CONFIG"]),
        provider=HttpProvider(os.environ["WORKER_PROVIDER"]),
        # A text that holds "[73]" scores 0.73.
        scorer=FixedScorer(0.1, scores={f"[{number:02d}]": number / 100 for number in range(100)}),
    ),
)
