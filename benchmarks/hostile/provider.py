"""The loopback provider of the benchmark, a process of its own: OpenAI's, Anthropic's and Gemini's wires, each answer
after 300 ms.

An answer repeats the label that the prompt names (`label:x`), so that whoever asked can tell its own; `play:NAME` in a
prompt asks for one of ODD. Bodies are searched, never parsed: a large one costs the provider next to nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

LATENCY_S = 0.3
PROMPT_TOKENS, COMPLETION_TOKENS = 10, 10
_LABEL, _PLAY = re.compile(rb"label:([\w.-]+)"), re.compile(rb"play:(\w+)")
_SSE = "text/event-stream"


def serve(pipe: Connection) -> None:
    """Tells its address, then runs until the pipe says something."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
    pipe.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.to_thread(pipe.recv)
    await runner.cleanup()


async def _answer(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    edges = body[:4096] + body[-4096:]
    label = match[1].decode() if (match := _LABEL.search(edges)) else "none"
    play = match[1].decode() if (match := _PLAY.search(edges)) else ""
    await asyncio.sleep(LATENCY_S)
    if play in _REFUSALS:
        return _REFUSALS[play]()
    if request.path.endswith("/messages"):
        return web.json_response(_anthropic(f"answer to {label}"))
    if "enerateContent" in request.path:
        return web.json_response(_gemini(f"answer to {label}"))
    if re.search(rb'"stream": ?true', edges):
        return await _stream(request, label, play)
    text = "ha " * 1_500_000 if play == "large" else f"answer to {label}"
    tokens = 10**17 if play == "usage" else COMPLETION_TOKENS
    return web.json_response(_openai(text, tokens))


def _refused(status: int, message: str, kind: str, **headers: str) -> web.Response:
    return web.json_response(
        {"error": {"message": message, "type": kind, "code": None}}, status=status, headers=headers
    )


# What a provider says of the request, not of itself: no circuit may hear it.
_REFUSALS = {
    "flagged": lambda: _refused(403, "Your input was flagged\nCRITICAL forged line", "invalid_request_error"),
    "invalid": lambda: _refused(400, "Invalid value: 'robot'", "invalid_request_error"),
    "too_large": lambda: _refused(413, "Request too large", "invalid_request_error"),
    "too_many_tokens": lambda: _refused(
        429, "Request too large for m on tokens per min (TPM): Limit 30000, Requested 49155.", "tokens",
        **{"retry-after": "20"},
    ),
}  # fmt: skip


async def _stream(request: web.Request, label: str, play: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": _SSE})
    await response.prepare(request)
    async for piece in _pieces(label, play):
        await response.write(piece)
    return response


async def _pieces(label: str, play: str) -> AsyncIterator[bytes]:
    match play:
        case "endless":
            while True:
                yield _chunk("a ") * 40
                await asyncio.sleep(0)
        case "many":
            for number in range(4000):
                yield _chunk(f"{number} " + "x" * 2000)
        case "comments":
            yield _chunk("begin")
            for _ in range(2000):
                yield b": keep-alive\n\n" * 10
                await asyncio.sleep(0.002)
        case "slow":
            for number in range(60):
                yield _chunk(f"{number} ")
                await asyncio.sleep(0.1)
        case _:
            for word in ("answer ", "to ", label):
                yield _chunk(word)
    yield _event({**_CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _event({**_CHUNK, "choices": [], "usage": _usage(COMPLETION_TOKENS)})
    yield b"data: [DONE]\n\n"


_CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def _event(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()


def _chunk(text: str) -> bytes:
    return _event({**_CHUNK, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": PROMPT_TOKENS + tokens}


def _openai(text: str, tokens: int) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    frame = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m"}
    return {**frame, "choices": [choice], "usage": _usage(tokens)}


def _anthropic(text: str) -> dict[str, Any]:
    frame = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": COMPLETION_TOKENS}
    return {**frame, "content": [{"type": "text", "text": text}], "usage": usage}


def _gemini(text: str) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    usage = {
        "promptTokenCount": PROMPT_TOKENS,
        "candidatesTokenCount": COMPLETION_TOKENS,
        "totalTokenCount": PROMPT_TOKENS + COMPLETION_TOKENS,
    }
    return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}
