"""Who leaves in the middle is charged for what can have been produced, and not for what was never sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.pipeline.world import CHEAP, World, run
from turnout.openai.requests import from_call
from turnout.testing import Says, settle

BUDGETS = {"total": "1/day"}


async def spent(w: World) -> int:
    """What the day's total holds, in nano-USD."""
    gate: Any = w.turnout._stores.gate
    return sum(account.used for key, account in gate.ledger._accounts.items() if key[0] == "usd")


@pytest.mark.parametrize("chunks", [1, 40])
def test_a_stream_that_is_left_costs_what_it_told(chunks: int) -> None:
    """And a margin; not the cap, which would take 0.5 USD here."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(chunks=["word "] * 50, between_s=0.1))
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
        # 10 USD a million tokens; four tokens a character at the most, some chunks ahead of the reader.
        assert 512 * 10_000 < await spent(w) < (512 + 4 * 5 * 51 + 200) * 10_000

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
