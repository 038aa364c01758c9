"""What does one call cost in CPU: the direct transport, `litellm.acompletion`, the openai SDK, bare aiohttp and json?

All in this process, one after the other in rounds, against one provider in a process of its own that answers at once.
The CPU time is this process's alone; each figure is the least of the rounds. `python benchmarks/transport_cpu.py`
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from multiprocessing.connection import Connection
from typing import Any

WORDS = 200
ROUNDS = 3
CALLS = {"whole": 150, "stream": 10}
ASKED: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "What is 2 + 2? " * 8}]}


def serve(address: Connection) -> None:
    """The provider: one whole answer, or a stream of WORDS chunks, prepared once."""
    from aiohttp import web

    frame = {"id": "c-1", "created": 1, "model": "small-1"}
    usage = {"prompt_tokens": 30, "completion_tokens": 200, "total_tokens": 230}
    message = {"role": "assistant", "content": "It is four."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = json.dumps({**frame, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    frame["object"] = "chat.completion.chunk"
    deltas = [{"role": "assistant", "content": ""}, *({"content": f"word {number} "} for number in range(WORDS)), {}]
    chunks = [
        {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]}
        for delta in deltas
    ]
    events = [
        f"data: {json.dumps(chunk)}\n\n".encode() for chunk in (*chunks, {**frame, "choices": [], "usage": usage})
    ]

    async def answer(request: web.Request) -> web.StreamResponse:
        if not (await request.json()).get("stream"):
            return web.Response(body=whole, content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in (*events, b"data: [DONE]\n\n"):
            await response.write(event)
        return response

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address.send(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        await asyncio.Event().wait()

    asyncio.run(main())


async def measure(call: Callable[[], Awaitable[None]], calls: int) -> float:
    """CPU in ms of one call."""
    for _ in range(3):
        await call()
    began = time.process_time()
    for _ in range(calls):
        await call()
    return (time.process_time() - began) / calls * 1000


async def compare(base: str) -> dict[str, dict[str, float]]:
    """ms by kind of call and by transport."""
    import aiohttp

    import openai
    from turnout.ports.runtime import ProviderCall
    from turnout.settings import Settings
    from turnout.upstream.transports import provider_from

    name = "openai/small"
    models = {name: {"params": {"api_base": base}}}
    tiers = {"cheap": {"models": [name]}, "expensive": {"models": ["openai/large"]}}
    ways = {
        way: provider_from(Settings.of({"tiers": tiers, "models": models, "upstream": {"transport": way}}))
        for way in ("direct", "litellm")
    }
    for way in ways.values():
        await way.load()
    import litellm

    call = ProviderCall(model=name, messages=tuple(ASKED["messages"]))
    sdk = openai.AsyncOpenAI(api_key="-", base_url=base)
    session = aiohttp.ClientSession()
    bare = {**ASKED, "model": name, "api_base": base, "api_key": "-"}

    def through(provider: Any, stream: bool) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            if not stream:
                await provider.complete(call)
                return
            async with aclosing(provider.stream(call)) as chunks:
                async for _ in chunks:
                    pass

        return run

    async def acompletion(stream: bool) -> None:
        answer = await litellm.acompletion(**bare, stream=stream)
        if stream:
            async for _ in answer:
                pass

    async def by_sdk(stream: bool) -> None:
        answer = await sdk.chat.completions.create(**ASKED, stream=stream)
        if stream:
            async for _ in answer:
                pass

    async def by_aiohttp(stream: bool) -> None:
        body = json.dumps({**ASKED, "stream": stream}).encode()
        async with session.post(f"{base}/chat/completions", data=body) as response:
            if not stream:
                json.loads(await response.read())
                return
            async for line in response.content:
                if line.startswith(b"data: {"):
                    json.loads(line[6:])

    figures: dict[str, dict[str, float]] = {}
    for kind, stream in (("whole", False), ("stream", True)):
        calls: dict[str, Callable[[], Awaitable[None]]] = {
            "direct": through(ways["direct"], stream),
            "Turnout through litellm": through(ways["litellm"], stream),
            "litellm.acompletion": lambda stream=stream: acompletion(stream),
            "openai SDK": lambda stream=stream: by_sdk(stream),
            "bare aiohttp and json": lambda stream=stream: by_aiohttp(stream),
        }
        rounds = [{way: await measure(run, CALLS[kind]) for way, run in calls.items()} for _ in range(ROUNDS)]
        figures[kind] = {way: min(each[way] for each in rounds) for way in calls}
    await session.close()
    await sdk.close()
    for way in ways.values():
        await way.close()
    return figures


def main() -> None:
    here, there = multiprocessing.get_context("spawn").Pipe()
    provider = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    provider.start()
    try:
        figures = asyncio.run(compare(here.recv()))
    finally:
        provider.terminate()
    for kind, ways in figures.items():
        print(
            f"{kind}{f' of {WORDS} chunks' if kind == 'stream' else ''}, ms CPU a call (times the direct transport's)"
        )
        for way, ms in ways.items():
            print(f"  {way:<26}{ms:8.2f}  {ms / ways['direct']:6.2f}")


if __name__ == "__main__":
    main()
