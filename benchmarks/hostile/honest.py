"""The honest user: 20 requests a second in an open loop, by name of each model in turn, whole and streamed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from hostile.provider import COMPLETION_TOKENS, PROMPT_TOKENS

USER = "honest"
RATE_PER_S = 20.0
GIVEN_UP_S = 15.0
# At 1 USD a million tokens.
NANO_USD_A_CALL = (PROMPT_TOKENS + COMPLETION_TOKENS) * 1000
_MODELS = ("openai/small", "anthropic/large", "openai/small", "gemini/large")


@dataclass(slots=True)
class Seen:
    """What the honest user saw. latencies_s: from when a request was due, answered or not."""

    latencies_s: list[float] = field(default_factory=list)
    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return len(self.latencies_s)

    def quantile_s(self, share: float) -> float:
        return quantile(self.latencies_s, share)


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def ask_for(seconds: float, url: str, cell: str) -> Seen:
    """Asks for so many seconds, each question a new one, and waits for every answer."""
    seen, asked = Seen(), []
    # A connection a request: none is met that the server is about to close.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=GIVEN_UP_S)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        begun = time.perf_counter() + 0.01
        for number in range(int(seconds * RATE_PER_S)):
            due = begun + number / RATE_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(_one(session, f"{cell}-{number}", number, due, seen)))
        await asyncio.gather(*asked)
    return seen


async def _one(session: aiohttp.ClientSession, label: str, number: int, due: float, seen: Seen) -> None:
    model, stream = _MODELS[number % len(_MODELS)], number % len(_MODELS) == 2
    body = {"model": model, "messages": [{"role": "user", "content": f"label:{label}"}], "stream": stream}
    try:
        async with session.post("/v1/chat/completions", json=body, headers={"x-user-id": USER}) as response:
            text = await response.text()
            if response.status != 200:
                seen.errors.append(f"{model}: {response.status} {text[:160]}")
            elif (words := _words(text, stream)) == f"answer to {label}":
                seen.answered += 1
            else:
                (seen.errors if '"error"' in text else seen.wrong).append(f"{model}: {words[:80]!r} {text[-160:]!r}")
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError) as error:
        seen.errors.append(f"{model}: {error!r}")
    seen.latencies_s.append(time.perf_counter() - due)


def _words(text: str, stream: bool) -> str:
    if not stream:
        return str(json.loads(text)["choices"][0]["message"]["content"])
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join(delta.get("content") or "" for delta in deltas)
