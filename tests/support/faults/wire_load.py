"""The load over the protocols beside chat completions: those that answer in words, whole and streamed in turn; and
embeddings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

from tests.support.faults.load import TOKENS, Load, Refused
from tests.support.scripted_provider.openai_wire import vector_of
from tests.support.wire_fuzz.doors import nothing
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware

EMBEDDER = "openai/embedder"
_PATHS = ("/v1/messages", "/v1/responses", "/v1/completions")


class WireLoad(Load):
    """As Load, by HTTP at the ASGI door."""

    def __init__(self, turnout: Turnout) -> None:
        super().__init__([turnout])
        door: Any = TurnoutMiddleware(nothing, turnout=turnout)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=door), base_url="http://app", timeout=None)

    async def ask(self, number: int, text: str, user: str) -> str:
        """The text of the answer. Raises Refused."""
        path, streams = _PATHS[number % len(_PATHS)], number // len(_PATHS) % 2 == 1
        body = {"model": "cheap", "stream": streams, **_asked(path, text)}
        response = await self._client.post(path, json=body, headers={"x-user-id": user})
        if response.status_code != 200:
            assert response.json()["error"]["message"], response.text
            raise Refused(response.status_code, response.text[:200])
        return _streamed(path, response.text) if streams else _text(path, response.json())

    async def close(self) -> None:
        await self._client.aclose()


class EmbeddingLoad(WireLoad):
    """Asks for vectors: of a model that is named, with no other to stand by."""

    async def ask(self, number: int, text: str, user: str) -> str:
        """The text whose vector came back. Raises Refused."""
        body = {"model": EMBEDDER, "input": text}
        response = await self._client.post("/v1/embeddings", json=body, headers={"x-user-id": user})
        if response.status_code != 200:
            assert response.json()["error"]["message"], response.text
            raise Refused(response.status_code, response.text[:200])
        (item,) = response.json()["data"]
        return text if item["embedding"] == vector_of(text) else str(item)


def _asked(path: str, text: str) -> dict[str, Any]:
    if path == "/v1/messages":
        return {"messages": [{"role": "user", "content": text}], "max_tokens": TOKENS}
    if path == "/v1/responses":
        return {"input": text, "max_output_tokens": TOKENS, "store": False}
    return {"prompt": text, "max_tokens": TOKENS}


def _text(path: str, body: dict[str, Any]) -> str:
    if path == "/v1/messages":
        return "".join(block["text"] for block in body["content"])
    if path == "/v1/responses":
        assert body["status"] == "completed", body
        return "".join(part["text"] for item in body["output"] for part in item["content"])
    return str(body["choices"][0]["text"])


def _streamed(path: str, stream: str) -> str:
    """The text of a stream that came to its end. Raises Refused where its last event is an error."""
    events = list(events_of(stream))
    last = events[-1] if events else {}
    if last.get("type") in ("error", "response.failed") or "error" in last:
        raise Refused(503, str(last)[:200])
    if path == "/v1/messages":
        assert last["type"] == "message_stop", stream[-300:]
        return "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta")
    if path == "/v1/responses":
        assert last["type"] == "response.completed", stream[-300:]
        return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    assert stream.endswith("data: [DONE]\n\n"), stream[-300:]
    return "".join(choice["text"] for event in events for choice in event["choices"])


def events_of(stream: str) -> Iterator[dict[str, Any]]:
    for line in stream.splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line[6:])
