"""Who leaves in the middle is charged for what can have been produced, and not for what was never sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.pipeline.world import CHEAP, DEAR, PRICES, World, run
from turnout.openai.requests import from_call
from turnout.ports.runtime import ProviderCall
from turnout.testing import Says, chunk, settle

BUDGETS = {"total": "1/day"}


async def spent(w: World) -> int:
    """What the day's total holds, in nano-USD."""
    gate: Any = w.turnout._stores.gate
    return sum(account.used for key, account in gate.ledger._accounts.items() if key[0] == "usd")


async def leave_after(w: World, chunks: int) -> None:
    """Reads so many chunks of a stream, and leaves it."""
    request = from_call("easy", stream=True, params={"max_tokens": 50_000})
    opening = asyncio.ensure_future(w.turnout.streamed(request, w.context()))
    await w.clock.run(opening)
    stream: Any = opening.result()

    async def read() -> None:
        for _ in range(chunks):
            await anext(stream)

    await w.clock.run(asyncio.ensure_future(read()))
    await stream.aclose()
    await settle()


@pytest.mark.parametrize("chunks", [1, 40])
def test_a_stream_that_is_left_costs_what_it_told(chunks: int) -> None:
    """And a margin; not the cap, which would take 0.5 USD here."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(chunks=["word "] * 50, between_s=0.1))
        await leave_after(w, chunks)
        # 10 USD a million tokens; four tokens a character at the most, some chunks ahead of the reader. The first
        # chunk is a role alone.
        assert (512 + 4 * 5 * (chunks - 1)) * 10_000 < await spent(w) < (512 + 4 * 5 * 51 + 200) * 10_000

    run(scenario, budgets=BUDGETS)


def test_a_stream_of_a_model_that_reasons_is_left_at_its_worst_case() -> None:
    """What it reasons is billed as output, and is not in every stream."""
    name = "openai/gpt-5-mini"

    async def scenario(w: World) -> None:
        w.provider.say(name, Says(chunks=["word "] * 50, between_s=0.1))
        await leave_after(w, 1)
        assert await spent(w) >= 50_000 * 10_000

    tiers = {"cheap": {"models": [name]}, "expensive": {"models": [DEAR]}}
    run(scenario, tiers=tiers, models={name: PRICES, DEAR: PRICES}, budgets=BUDGETS)


@pytest.mark.parametrize("medium", ["audio", "images"])
def test_a_stream_of_sound_or_images_is_left_at_its_worst_case(medium: str) -> None:
    """Their tokens are no characters."""
    held = {"audio": {"id": "a", "data": "AA"}, "images": [{"type": "image_url", "image_url": {"url": "data:,"}}]}

    async def stream(call: ProviderCall) -> AsyncGenerator[Any, None]:
        yield chunk({"content": "look: "}, model=call.model)
        yield chunk({medium: held[medium]}, model=call.model)
        yield chunk({"content": "and"}, model=call.model)
        await asyncio.Event().wait()

    async def scenario(w: World) -> None:
        provider: Any = w.provider
        provider.stream = stream
        await leave_after(w, 3)
        assert await spent(w) >= 50_000 * 10_000

    run(scenario, budgets=BUDGETS)


def test_a_call_that_is_left_before_its_first_chunk_costs_its_worst_case() -> None:
    """Nothing told how far it was."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(after_s=5))
        request = from_call("easy", stream=True, params={"max_tokens": 50_000})
        opening = asyncio.ensure_future(w.turnout.streamed(request, w.context()))
        await settle()
        opening.cancel()
        await settle()
        assert await spent(w) >= 50_000 * 10_000

    run(scenario, budgets=BUDGETS)
