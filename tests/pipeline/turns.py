"""Turns of a long conversation on the scripted provider."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from tests.pipeline.world import CHEAP, DEAR, SPARE, World
from turnout.openai.requests import from_call
from turnout.testing import Says

PRICES = {"input_usd_per_million": 1, "output_usd_per_million": 4, "cached_input_usd_per_million": 0.1}
MODELS = {
    CHEAP: dict(PRICES),
    SPARE: dict(PRICES),
    DEAR: {"input_usd_per_million": 10, "output_usd_per_million": 40, "cached_input_usd_per_million": 1},
}
LONG = "context " * 20_000


def usage(tokens: int) -> dict[str, Any]:
    """Of a turn whose prompt was cached but for its last words."""
    details = {"cached_tokens": max(0, tokens - 200)}
    return {
        "prompt_tokens": tokens,
        "completion_tokens": 2,
        "total_tokens": tokens + 2,
        "prompt_tokens_details": details,
    }


async def turn(
    w: World, text: str, *, session: str = "s", user: str = "ann", history: int = 1, tokens: int = 40_000
) -> Any:
    """One turn of a conversation whose prompt is so many tokens."""
    for model in (CHEAP, SPARE, DEAR):
        if model not in w.provider._script:
            w.provider.say(model, Says("ok", usage=usage(tokens)))
    messages: list[dict[str, Any]] = [{"role": "system", "content": LONG}]
    for number in range(history):
        messages += [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": "a"}]
    messages.append({"role": "user", "content": text})
    request = from_call(messages, stream=False, params={})
    context = replace(w.context(user), session_id=session)
    work = asyncio.ensure_future(w.turnout.completed(request, context))
    await w.clock.run(work)
    return work.result().outcome
