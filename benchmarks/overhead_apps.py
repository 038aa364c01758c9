"""The servers that benchmarks/overhead.py compares, each one worker in a process of its own.

    python benchmarks/overhead_apps.py KIND --provider URL [--redis URL]

binds a free port, prints it, and serves until its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

PATH = "/v1/chat/completions"
BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "small",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 60}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80},
}
CONSTANT = json.dumps(BODY).encode()
# What a hit tells beside its content type and length.
HIT_HEADERS = {
    "x-request-id": "req_3a8c83a378cca1df5bbd88a6",
    "x-turnout-tier": "cheap",
    "x-turnout-model": "openai/small",
    "x-turnout-score": "0.1717",
    "x-turnout-reason": "cache",
    "x-turnout-cost-usd": "0",
    "cache-status": "turnout; hit",
    "age": "0",
    "server-timing": "turnout;dur=0.20",
}
SLOW_S = 0.3
CHUNKS = 200


def _streamed() -> bytes:
    """CHUNKS words, each an event and an HTTP chunk of its own, and the end."""
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
    # Each word another: litellm takes a stream that repeats itself for a failure.
    words = [{"content": f"word {number} "} for number in range(CHUNKS)]
    deltas = [{"role": "assistant", "content": ""}, *words, {}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"} for delta in deltas]
    objects = [{**frame, "choices": [choice]} for choice in choices]
    objects.append({**frame, "choices": [], "usage": BODY["usage"]})
    events = [f"data: {text}\n\n".encode() for text in (*map(json.dumps, objects), "[DONE]")]
    return b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"


STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + _streamed()


class Provider(asyncio.Protocol):
    """The least that an OpenAI-compatible server can be: one constant answer or stream, after 0.3 s below /slow."""

    _head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._came = b""

    def data_received(self, data: bytes) -> None:
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            head = self._came[:end].lower()
            _, _, rest = head.partition(b"content-length:")
            whole = end + 4 + int(rest.split(b"\r\n", 1)[0] or 0)
            if len(self._came) < whole:
                return
            body = self._came[end:whole]
            self._came = self._came[whole:]
            streamed = b'"stream":true' in body or b'"stream": true' in body
            answer = STREAM if streamed else self._head % len(CONSTANT) + CONSTANT
            if head.startswith(b"post /slow"):
                asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, answer)
            else:
                self._transport.write(answer)


def app(kind: str, provider: str, redis: str) -> Any:
    """The ASGI app of this kind."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    if kind in ("starlette", "headers"):
        headers = HIT_HEADERS if kind == "headers" else None

        async def constant(request: Request) -> Response:
            await request.body()
            return Response(CONSTANT, media_type="application/json", headers=headers)

        return Starlette(routes=[Route(PATH, constant, methods=["POST"])])
    if kind == "aiohttp":
        import aiohttp

        sessions: list[aiohttp.ClientSession] = []

        async def forwarded(request: Request) -> Response:
            if not sessions:
                sessions.append(aiohttp.ClientSession())
            body = json.dumps({**await request.json(), "model": "small"})
            headers = {"content-type": "application/json", "authorization": "Bearer -"}
            async with sessions[0].post(f"{provider}/chat/completions", data=body, headers=headers) as response:
                return JSONResponse(json.loads(await response.read()))

        return Starlette(routes=[Route(PATH, forwarded, methods=["POST"])])
    if kind == "router":
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm

        parameters = {"model": "openai/small", "api_base": provider, "api_key": "-", "max_retries": 0}
        router = litellm.Router([{"model_name": "auto", "litellm_params": parameters}], num_retries=0)

        async def chosen(request: Request) -> Response:
            answer = await router.acompletion(model="auto", messages=(await request.json())["messages"])
            return JSONResponse(answer.model_dump())

        return Starlette(routes=[Route(PATH, chosen, methods=["POST"])])
    if kind == "acompletion":
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm

        async def bare(request: Request) -> Response:
            asked = await request.json()
            stream = asked.get("stream", False)
            answer = await litellm.acompletion(
                model="openai/small", messages=asked["messages"], stream=stream, api_base=provider, api_key="-",
                max_retries=0,
            )  # fmt: skip
            if stream:

                async def events() -> AsyncIterator[str]:
                    async for chunk in answer:
                        yield f"data: {chunk.model_dump_json(exclude_none=True)}\n\n"
                    yield "data: [DONE]\n\n"

                return StreamingResponse(events(), media_type="text/event-stream")
            return JSONResponse(answer.model_dump())

        return Starlette(routes=[Route(PATH, bare, methods=["POST"])])
    from turnout.asgi import TurnoutMiddleware

    called = {"params": {"api_base": provider}, "input_usd_per_million": 1, "output_usd_per_million": 2}
    config: dict[str, Any] = {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {"openai/small": called, "openai/large": called},
        "routing": {"max_expensive_share": 0.3},
        "cache": {"scope": "app"},
    }
    if redis:
        config["redis"] = {"url": redis}
    return TurnoutMiddleware(Starlette(), config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = ("provider", "starlette", "headers", "aiohttp", "acompletion", "router", "turnout")
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--provider", default="")
    parser.add_argument("--redis", default="")
    parser.add_argument("--cpu", type=int, default=-1, help="the core to stay on")
    args = parser.parse_args()
    if args.cpu >= 0:
        os.sched_setaffinity(0, {args.cpu})
    # Named TCP: asyncio sets TCP_NODELAY on no other, and each answer would wait 40 ms for an acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    threading.Thread(target=_end_with_input, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    if args.kind == "provider":
        asyncio.run(_provide(listening))
        return
    import logging

    import uvicorn

    logging.getLogger("turnout").setLevel(logging.ERROR)
    # wrk leaves its streams where the round ends, and asyncio says so at each further chunk.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    config = uvicorn.Config(app(args.kind, args.provider, args.redis), log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


async def _provide(listening: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, sock=listening)
    await server.serve_forever()


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
